// A complaint: a provider's feedback loop says that a recipient took mail from a source address for spam. Filed by whoever hears of it,
// counted in the warm-up of that address at that provider by whoever holds it then.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Bus } from './client.ts';
import { COMPLAINTS_BUCKET, complaintKey } from './names.ts';
import { isWrongRevision } from './revision.ts';

export const complaintForm = z.object({
  version: z.literal(1),
  address: z.string().min(1),
  /** As in the status of an IPPool: a provider's name, or the domain of a site. */
  provider: z.string().min(1),
  /** Of the report, such as its Message-ID: the same one again is no further complaint. */
  id: z.string().min(1),
});
export type Complaint = z.infer<typeof complaintForm>;

/** Stores it, confirmed; false: it was known within the last week. Rejects while NATS is away, and may then be filed again. */
export async function fileComplaint(bus: Pick<Bus, 'kv'>, complaint: Complaint): Promise<boolean> {
  const { address, provider, id } = complaint;
  const name = createHash('sha256').update(id).digest('base64url').slice(0, 22);
  const kv = await bus.kv(COMPLAINTS_BUCKET);
  try {
    await kv.create(complaintKey(address, provider, name), JSON.stringify(complaint));
    return true;
  } catch (error) {
    if (isWrongRevision(error)) return false;
    throw error;
  }
}
