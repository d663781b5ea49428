// Mail for one site that may go by different addresses waits apart, so that what has no room today does not hold up the rest. Pure.
import type { IPPoolSnapshot } from '../bus/snapshot.ts';
import type { ParcelHeader } from '../message/parcel.ts';

export type Marks = Pick<ParcelHeader, 'sendingDomain' | 'engaged'>;

/** What is appended to the name of the site. The header is asked for only where it matters. */
export type Lane = (header: () => Marks | undefined) => string;

export function laneOf(
  ipPool: Pick<IPPoolSnapshot, 'warmup' | 'dedicated'> | null,
  header: () => Marks | undefined,
): string {
  const engagedFirst = ipPool?.warmup?.engagedFirst ?? false;
  if (!ipPool?.dedicated && !engagedFirst) return '';
  const { sendingDomain = '', engaged } = header() ?? {};
  const own = ipPool?.dedicated?.[sendingDomain];
  const via = own ? ` via ${own.toSorted().join(',')}` : '';
  return engagedFirst ? `${via} ${engaged ? 'engaged' : 'ordinary'}` : via;
}
