// Parcels for the tests and the bench of the spool.
import type { HopId, Parcel, ParcelId, Recipient } from '../message/parcel.ts';

export const recipient = (address: string, dueAt: number | null = null): Recipient => ({
  address,
  attempts: 0,
  dueAt,
  lastReply: null,
  stickySource: null,
});

export const hopIdOf = (number: number): HopId => number.toString(16).padStart(32, '0') as HopId;

/** A parcel whose hop id is made of `number`. */
export function parcelOf(number: number, given: Partial<Parcel> = {}): Parcel {
  return {
    version: 1,
    id: number.toString(16).padStart(32, 'a') as ParcelId,
    hopId: hopIdOf(number),
    hop: 0,
    account: 'acme',
    pool: 'mail/main',
    sendingDomain: 'acme.test',
    priorityClass: 'bulk',
    acceptedAt: 1_700_000_000_000 + number,
    from: 'news@acme.test',
    smtpUtf8: false,
    isNotification: false,
    recipients: [recipient(`r${number}@example.test`)],
    message: Buffer.from(`Subject: ${number}\r\n\r\nhello\r\n`),
    ...given,
  };
}
