// The CRD's schema and rules once more, for reconcile: an API server with another version of the CRD may have let something through,
// and an invalid resource must never replace the last good one.
import type { z } from 'zod';
import { nameMessage } from './crd.ts';
import { type Definition, definitions } from './definitions.ts';
import type { IPPoolSpec, QueuePolicySpec, SendingDomainSpec, SendingPoolSpec } from './kinds.ts';
import type { Rule } from './rule.ts';

export interface SpecError {
  /** Such as `spec.addresses[1].weight`. */
  readonly field: string;
  readonly value: unknown;
  /** What is wrong, with the limit. */
  readonly message: string;
}
export type Validated<Spec> =
  | { readonly valid: true; readonly spec: Spec }
  | { readonly valid: false; readonly errors: readonly SpecError[] };

/** With `old`, the rules of updates hold too. The returned spec has all defaults filled in. */
export const validateSendingPool = validator<SendingPoolSpec>('SendingPool');
export const validateIPPool = validator<IPPoolSpec>('IPPool');
export const validateQueuePolicy = validator<QueuePolicySpec>('QueuePolicy');
export const validateSendingDomain = validator<SendingDomainSpec>('SendingDomain');

/** Whether a resource may be named so: null, or what is wrong. */
export function nameFault(kind: Definition['kind'], name: string): string | null {
  const definition = definitionOf(kind);
  const { pattern, maxLength } = definition.name;
  return name.length <= maxLength && new RegExp(pattern).test(name) ? null : nameMessage(definition);
}

/** One line for a condition's message, such as `spec.shards=100: Too big: …; spec.tls="No": …`. */
export function describeErrors(errors: readonly SpecError[]): string {
  return errors
    .map(({ field, value, message }) => `${field}=${JSON.stringify(value)}: ${message}`)
    .join('; ');
}

function definitionOf(kind: Definition['kind']): Definition {
  const definition = definitions.find((one) => one.kind === kind);
  if (!definition) throw new Error(`${kind} is not defined`);
  return definition;
}

function validator<Spec>(kind: Definition['kind']) {
  const { spec: schema, rules } = definitionOf(kind);
  return (given: unknown, old?: Spec): Validated<Spec> => {
    const parsed = schema.safeParse(given);
    if (!parsed.success)
      return { valid: false, errors: parsed.error.issues.map((issue) => schemaError(issue, given)) };
    // The definition ties the schema, the rules and the kind together.
    const spec = parsed.data as Spec;
    const errors = (rules as readonly Rule<Spec>[]).flatMap((rule) => ruleErrors(rule, spec, old));
    return errors.length > 0 ? { valid: false, errors } : { valid: true, spec };
  };
}

function schemaError(issue: z.core.$ZodIssue, given: unknown): SpecError {
  const steps = issue.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`));
  return { field: `spec${steps.join('')}`, value: at(given, issue.path), message: issue.message };
}

function ruleErrors<Spec>(rule: Rule<Spec>, spec: Spec, old: Spec | undefined): SpecError[] {
  const found = rule.fault(spec, old);
  if (found === null) return [];
  const value = at(spec, rule.fieldPath.slice(1).split('.'));
  return [{ field: `spec${rule.fieldPath}`, value, message: `${rule.message}: ${found}` }];
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step],
    value,
  );
}
