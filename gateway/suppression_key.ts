// What makes two addresses the same for suppression: domain as A-labels, local part in lower case and NFC. Tags (`a+b@…`) stay.
import { createHash } from 'node:crypto';
import { parseAddress } from '../mta/message/addresses.ts';

/** The address as it is compared. */
export function normaliseAddress(address: string): string {
  const parsed = parseAddress(address.trim().normalize('NFC'));
  return (parsed.ok ? parsed.address.text : address.trim().normalize('NFC')).toLowerCase();
}

/** 128 bits of the SHA-256 of the normalised address, as 32 hex characters (PostgreSQL reads them as uuid). */
export const suppressionKey = (address: string): string =>
  createHash('sha256').update(normaliseAddress(address)).digest('hex').slice(0, 32);
