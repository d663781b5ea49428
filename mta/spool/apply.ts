// What each change does to the tables. Decides on a draft only: no I/O but the draft's reads, no clock but what is passed in.
import type { HopId, Parcel, Recipient } from '../message/parcel.ts';
import type { Draft } from './overlay.ts';
import type { HeldParcel, Pulled, SpoolChange } from './port.ts';
import {
  acceptedKey,
  bodyKey,
  dueKey,
  encodeBody,
  encodeJson,
  encodePulled,
  entryKey,
  finishedKey,
  MEMORY_MS,
  type ParcelRecord,
  pulledKey,
  stretchOf,
} from './record.ts';

export interface Circumstances {
  readonly now: number;
  /** The stretches of time that may hold finished ids; one that comes to hold some is added. */
  readonly stretches: Set<string>;
}

export function applyChange(draft: Draft, change: SpoolChange, at: Circumstances): void {
  switch (change.kind) {
    case 'put':
      put(draft, change.parcel, at);
      break;
    case 'pulled':
      setPulled(draft, change.id, change.pulled);
      break;
    case 'giveBack':
      giveBack(draft, change.hopId);
      break;
    case 'update':
      update(draft, change.hopId, change.index, change.recipient);
      break;
    case 'remove':
      remove(draft, change.hopId, change.index, at);
      break;
    case 'moving':
      setMoving(draft, change.hopId, change.to);
      break;
    case 'finished':
      remember(draft, change.hopId, change.at, at);
      break;
  }
}

/** Held, finished within the last 24 h, or neither. */
export function standingOf(draft: Draft, hopId: HopId, at: Circumstances): 'held' | 'finished' | null {
  if (draft.get('parcels', hopId) !== undefined) return 'held';
  for (const stretch of at.stretches) {
    const finishedAt = draft.get('finished', finishedKey(stretch, hopId));
    if (finishedAt !== undefined && at.now - Number(finishedAt) < MEMORY_MS) return 'finished';
  }
  return null;
}

function put(draft: Draft, parcel: Parcel, at: Circumstances): void {
  if (standingOf(draft, parcel.hopId, at) !== null) return;
  const { message, recipients, ...header } = parcel;
  const { hopId } = header;
  if (recipients.length === 0) {
    remember(draft, hopId, at.now, at);
    return;
  }
  const held: HeldParcel = { header, messageBytes: message.length, moving: null };
  const body = bodyKey(draft.totals.nextBody);
  writeParcel(draft, { v: 1, held, body, total: recipients.length, left: recipients.length });
  draft.set('bodies', body, encodeBody(message));
  draft.set('accepted', acceptedKey(header.acceptedAt, hopId), '');
  recipients.forEach((recipient, index) => {
    draft.set('parcels', entryKey(hopId, index), encodeJson(recipient));
    draft.set('due', dueKey(recipient.dueAt, hopId, index), '');
  });
  draft.count({ parcels: 1, entries: recipients.length, bytes: message.length, nextBody: 1 });
}

/** While a parcel is moving its entries are frozen: an update of one changes nothing. */
function update(draft: Draft, hopId: HopId, index: number, recipient: Recipient): void {
  const record = readParcel(draft, hopId);
  const before = readEntry(draft, hopId, index);
  if (!record || record.held.moving || !before) return;
  draft.set('due', dueKey(before.dueAt, hopId, index), null);
  draft.set('due', dueKey(recipient.dueAt, hopId, index), '');
  draft.set('parcels', entryKey(hopId, index), encodeJson(recipient));
}

function remove(draft: Draft, hopId: HopId, index: number, at: Circumstances): void {
  const record = readParcel(draft, hopId);
  if (!record || !removeEntry(draft, hopId, index)) return;
  if (record.left > 1) writeParcel(draft, { ...record, left: record.left - 1 });
  else finish(draft, record, at);
}

/** The last recipient is final: the message goes, its hop id is remembered. */
function finish(draft: Draft, record: ParcelRecord, at: Circumstances): void {
  erase(draft, record);
  remember(draft, record.held.header.hopId, at.now, at);
}

function removeEntry(draft: Draft, hopId: HopId, index: number): boolean {
  const entry = readEntry(draft, hopId, index);
  if (!entry) return false;
  draft.set('parcels', entryKey(hopId, index), null);
  draft.set('due', dueKey(entry.dueAt, hopId, index), null);
  draft.count({ entries: -1 });
  return true;
}

const setPulled = (draft: Draft, id: HopId, pulled: Pulled | null): void =>
  draft.set('meta', pulledKey(id), pulled && encodePulled(pulled));

function giveBack(draft: Draft, hopId: HopId): void {
  const record = readParcel(draft, hopId);
  if (!record) return;
  for (let index = 0; index < record.total; index++) removeEntry(draft, hopId, index);
  erase(draft, record);
}

/** What is held of a parcel beside its recipients. */
function erase(draft: Draft, record: ParcelRecord): void {
  const { hopId, acceptedAt } = record.held.header;
  draft.set('parcels', hopId, null);
  draft.set('bodies', record.body, null);
  draft.set('accepted', acceptedKey(acceptedAt, hopId), null);
  draft.count({ parcels: -1, bytes: -record.held.messageBytes, moving: record.held.moving ? -1 : 0 });
}

/** A moving parcel's entries leave the due index, so that no look at what is due has to pass over them. */
function setMoving(draft: Draft, hopId: HopId, to: HeldParcel['moving']): void {
  const record = readParcel(draft, hopId);
  if (!record) return;
  writeParcel(draft, { ...record, held: { ...record.held, moving: to } });
  if ((record.held.moving === null) === (to === null)) return;
  draft.count({ moving: to === null ? -1 : 1 });
  for (let index = 0; index < record.total; index++) {
    const entry = readEntry(draft, hopId, index);
    if (entry) draft.set('due', dueKey(entry.dueAt, hopId, index), to === null ? '' : null);
  }
}

function remember(draft: Draft, hopId: HopId, finishedAt: number, at: Circumstances): void {
  if (standingOf(draft, hopId, at) !== null) return;
  const stretch = stretchOf(finishedAt);
  at.stretches.add(stretch);
  draft.set('finished', finishedKey(stretch, hopId), String(finishedAt));
}

const writeParcel = (draft: Draft, record: ParcelRecord): void =>
  draft.set('parcels', record.held.header.hopId, encodeJson(record));

function readParcel(draft: Draft, hopId: HopId): ParcelRecord | null {
  const json = draft.get('parcels', hopId);
  return json === undefined ? null : (JSON.parse(String(json)) as ParcelRecord);
}

function readEntry(draft: Draft, hopId: HopId, index: number): Recipient | null {
  const json = draft.get('parcels', entryKey(hopId, index));
  return json === undefined ? null : (JSON.parse(String(json)) as Recipient);
}
