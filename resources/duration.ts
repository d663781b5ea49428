const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Reads a duration such as `30s`, `15m`, `4h`, `5d` as seconds; throws on anything else (the CRD schema refuses it first). */
export function durationSeconds(text: string): number {
  const match = /^([1-9][0-9]*)(s|m|h|d)$/.exec(text);
  if (!match)
    throw new RangeError(`"${text}" is not a duration: write a number and s, m, h or d, such as 15m`);
  return Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
}
