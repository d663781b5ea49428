// What egress pods of an IPPool say to each other: `POST /v1/loans`, JSON, to the pod that lends (mta/policy/limits/poolcap.ts).
import { z } from 'zod';
import type { LoanAnswer, LoanRequest } from '../../policy/limits/poolcap.ts';

/** Questions in one request. */
export const MOST_QUESTIONS = 200;

const count = () => z.int().min(0).max(2_000_000_000);
const total = () => z.int().min(0);
const stock = z.object({ held: count(), used: total(), besides: total(), want: count() });

export const loansRequest = z.object({
  /** namespace/name */
  ipPool: z.string().max(512),
  questions: z
    .array(
      z.object({
        provider: z.string().min(1).max(253),
        request: z.object({
          loan: z.string().min(8).max(64),
          number: z.int().min(1),
          connections: z.object({ held: count(), want: count(), besides: count() }),
          messages: stock,
          attempts: stock,
        }) satisfies z.ZodType<LoanRequest>,
      }),
    )
    .max(MOST_QUESTIONS),
});
export type LoansRequest = z.infer<typeof loansRequest>;
export type Question = LoansRequest['questions'][number];

/** In the order of the questions. */
export interface LoansResponse {
  readonly answers: readonly LoanAnswer[];
}

/** This pod does not lend now: the lease says who does. */
export class NotLender extends Error {
  override readonly name = 'NotLender';
}
