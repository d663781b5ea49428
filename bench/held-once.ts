// After a hand-over every parcel of the filling is held exactly once by the receivers, and all that must go along did.
import { isDeepStrictEqual } from 'node:util';
import type { HopId, ParcelId } from '../mta/message/parcel.ts';
import { type LmdbSpool, openSpool } from '../mta/spool/lmdb.ts';
import { deferredParcel, type Filling } from './fill-spool.ts';

const PAGE = 1000;

/** @throws naming the first parcel that is missing, held twice or changed. The pods of the spools must have ended. */
export async function checkHeldOnce(
  giver: string,
  receivers: readonly string[],
  filling: Filling,
): Promise<void> {
  const given = await openSpool(giver);
  const left = given.stats().parcels;
  await given.close();
  if (left > 0) throw new Error(`the giver still holds ${left} parcels`);
  const numbers = new Map<ParcelId, number>();
  for (let number = 0; number < filling.count; number++)
    numbers.set(deferredParcel(number, filling).id, number);
  for (const folder of receivers) {
    const spool = await openSpool(folder);
    for (const hopId of allHeld(spool)) checkOne(spool, hopId, numbers, filling);
    await spool.close();
  }
  const [missing] = numbers.keys();
  if (missing) throw new Error(`${numbers.size} parcels are held by nobody, the first is ${missing}`);
}

function* allHeld(spool: LmdbSpool): Generator<HopId> {
  let after: HopId | null = null;
  for (let page = spool.held(after, PAGE); page.length > 0; page = spool.held(after, PAGE)) {
    yield* page;
    after = page.at(-1) ?? null;
  }
}

function checkOne(spool: LmdbSpool, hopId: HopId, numbers: Map<ParcelId, number>, filling: Filling): void {
  const header = spool.parcel(hopId)?.header;
  const number = header && numbers.get(header.id);
  if (number === undefined) throw new Error(`parcel ${header?.id} is held twice, or was never given`);
  numbers.delete(header?.id as ParcelId);
  const wanted = deferredParcel(number, filling);
  const found = {
    ...header,
    recipients: spool.entriesOf(hopId).map(({ recipient }) => recipient),
    message: spool.message(hopId),
  };
  if (hopId === wanted.hopId) throw new Error(`parcel ${wanted.id} was handed over under its old hop id`);
  if (!isDeepStrictEqual(found, { ...wanted, hopId, hop: wanted.hop + 1 }))
    throw new Error(`parcel ${wanted.id} has changed: ${JSON.stringify({ ...found, message: null })}`);
}
