// A Lease's spec and how it changes hands. Pure.

export interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string | null;
  readonly renewTime?: string | null;
  readonly leaseTransitions?: number;
}

/** Kubernetes' MicroTime: exactly six decimals, or the API server answers 400; `Date` gives three. */
export const microTime = (date: Date): string => date.toISOString().replace(/\.(\d{3})Z$/, '.$1000Z');

/** A new term of `identity`. */
export function takenOver(spec: LeaseSpec, identity: string, leaseSeconds: number, now: Date): LeaseSpec {
  return {
    ...spec,
    holderIdentity: identity,
    leaseDurationSeconds: leaseSeconds,
    acquireTime: microTime(now),
    renewTime: microTime(now),
    leaseTransitions: spec.holderIdentity === undefined ? 0 : (spec.leaseTransitions ?? 0) + 1,
  };
}

export const renewed = (spec: LeaseSpec, now: Date): LeaseSpec => ({ ...spec, renewTime: microTime(now) });

/** Free for anyone, at once. */
export const released = (spec: LeaseSpec, now: Date): LeaseSpec => ({
  ...spec,
  holderIdentity: '',
  leaseDurationSeconds: 1,
  renewTime: microTime(now),
});
