// Two things that nodemailer's client knows and does not tell, and one that it does not do (10.6; the version is pinned): whether the host
// offers SMTPUTF8, how far STARTTLS came, and SMTPUTF8 at MAIL for a message that needs it by its headers alone (RFC 6531 §3.4).
import { isAscii as isAsciiBytes } from 'node:buffer';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import { isAscii } from '../message/addresses.ts';
import type { Parcel } from '../message/parcel.ts';

interface Internals {
  readonly upgrading?: boolean;
  readonly _plaintextEhlo: string | false;
  readonly _supportedExtensions: readonly string[];
  _sendCommand(command: string, logged?: string): void;
}
const inside = (smtp: SMTPConnection): Internals => smtp as unknown as Internals;

/** The TLS handshake after STARTTLS has begun and not come to its end. */
export const isShakingHands = (smtp: SMTPConnection): boolean => inside(smtp).upgrading === true;

/** Whether the host named STARTTLS in its answer to EHLO; to be asked while STARTTLS is not through. */
export const offeredTls = (smtp: SMTPConnection): boolean =>
  /[ -]STARTTLS\b/im.test(inside(smtp)._plaintextEhlo || '');

export const offersUtf8 = (smtp: SMTPConnection): boolean =>
  inside(smtp)._supportedExtensions.includes('SMTPUTF8');

/** From here on MAIL FROM carries SMTPUTF8 when `wanted` says so and the library has not put it there itself. */
export function announceUtf8(smtp: SMTPConnection, wanted: () => boolean): void {
  const internals = inside(smtp);
  const send = internals._sendCommand.bind(smtp);
  internals._sendCommand = (command, logged) => {
    const lacks = command.startsWith('MAIL FROM:') && !/ SMTPUTF8\b/.test(command) && wanted();
    send(lacks ? `${command} SMTPUTF8` : command, logged);
  };
}

/** Whether the message itself, to whomever it goes, can only travel with SMTPUTF8: by its sender or its header section. */
export function needsUtf8(parcel: Pick<Parcel, 'smtpUtf8' | 'from' | 'message'>): boolean {
  if (!parcel.smtpUtf8) return false;
  const end = parcel.message.indexOf('\r\n\r\n');
  return !isAscii(parcel.from) || !isAsciiBytes(parcel.message.subarray(0, end < 0 ? undefined : end));
}
