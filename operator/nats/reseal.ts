// Seals DKIM keys for the snapshot without making it differ each time: sealing has a random part.
import { openKey, sealKey } from '../../mta/bus/seal.ts';

/** Gives a sealer that returns `sealedBefore` when it still opens to the same key. */
export const reseal =
  (key32: Uint8Array) =>
  (pem: string, sealedBefore: string | null): string =>
    sealedBefore !== null && opensTo(sealedBefore, key32) === pem ? sealedBefore : sealKey(pem, key32);

function opensTo(sealed: string, key32: Uint8Array): string | null {
  try {
    return openKey(sealed, key32);
  } catch {
    return null;
  }
}
