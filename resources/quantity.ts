const UNITS: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Reads a storage size such as `512Mi` or `1.5Gi` as bytes; throws on anything else (the CRD schema refuses it first). */
export function quantityBytes(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|)$/.exec(text);
  if (!match)
    throw new RangeError(`"${text}" is not a size: write a number and Ki, Mi, Gi or Ti, such as 10Gi`);
  return Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1);
}
