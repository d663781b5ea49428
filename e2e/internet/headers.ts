// Reading a message just as far as the judge needs: one header, and what a delivery status notification says (RFC 3464).
import type { Dsn } from './record.ts';

/** The header block, without the empty line that ends it. */
export function headerBlock(raw: Buffer): string {
  const end = raw.indexOf('\r\n\r\n');
  return raw.subarray(0, end < 0 ? raw.length : end).toString('utf8');
}

/** The first value of a header, unfolded; null when there is none. */
export function headerValue(block: string, name: string): string | null {
  const lines = block.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  const found = lines.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return found ? found.slice(name.length + 1).trim() : null;
}

export const TEST_ID = 'X-Test-Id';

/** Null when the message is no delivery status notification. */
export function parseDsn(raw: Buffer): Dsn | null {
  const type = headerValue(headerBlock(raw), 'content-type') ?? '';
  if (!/^multipart\/report\b/i.test(type) || !/report-type="?delivery-status/i.test(type)) return null;
  const boundary = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type);
  const parts = raw.toString('utf8').split(`\r\n--${boundary?.[1] ?? boundary?.[2]}`);
  const ofType = (form: RegExp) =>
    parts.find((part) =>
      form.test(headerValue(part.trimStart().split('\r\n\r\n')[0] ?? '', 'content-type') ?? ''),
    );
  const status = ofType(/^message\/(global-)?delivery-status/i) ?? '';
  const original =
    ofType(/^(text\/rfc822-headers|message\/rfc822|message\/global(-headers)?)\s*(;|$)/i) ?? '';
  return { testId: headerValue(bodyOf(original), TEST_ID), recipients: recipientsOf(status) };
}

const bodyOf = (part: string): string => part.trimStart().split('\r\n\r\n').slice(1).join('\r\n\r\n');

/** RFC 6533 §3: what is beyond ASCII may stand as `\x{…}`. */
const unescaped = (address: string): string =>
  address.replace(/\\x\{([0-9a-f]+)\}/gi, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)));

function recipientsOf(statusPart: string): Dsn['recipients'] {
  return bodyOf(statusPart)
    .split(/\r\n\r\n/)
    .flatMap((block) => {
      const address = unescaped(headerValue(block, 'final-recipient')?.replace(/^[^;]*;\s*/, '') ?? '');
      if (!address) return [];
      return [
        {
          address,
          action: headerValue(block, 'action')?.toLowerCase() ?? '',
          status: headerValue(block, 'status') ?? '',
        },
      ];
    });
}
