// What the load has asked for, as far back as the stabilization windows go, in stretches of a tenth of the longer window: few enough
// to be kept in a status and written seldom, so that a new operator goes on where the last one stood. A stretch counts as long as any
// of it is in the window, which makes a window at most a stretch longer and never shorter.
import type { AutoscalingSpec, Recommendation } from '../../resources/kinds.ts';

type Windows = AutoscalingSpec['stabilizationSeconds'];

const SHORTEST_STRETCH = 5;
/** Nobody looked for so long that what happened meanwhile is unknown: the windows begin anew. */
const GAP_SECONDS = 30;

/** Length of a stretch, in seconds. */
export const stretchSeconds = ({ up, down }: Windows): number =>
  Math.max(SHORTEST_STRETCH, Math.ceil(Math.max(up, down) / 10));

/**
 * The history with what the load asks for now.
 * @param at seconds since 1970; a clock that was set back begins the windows anew
 */
export function remembered(
  history: readonly Recommendation[],
  { at, low, high }: Recommendation,
  windows: Windows,
): Recommendation[] {
  const length = stretchSeconds(windows);
  const last = history.at(-1);
  if (!last || at < last.at || at - last.at > 2 * length + GAP_SECONDS) return [{ at, low, high }];
  const next =
    at - last.at < length
      ? [
          ...history.slice(0, -1),
          { at: last.at, low: Math.min(last.low, low), high: Math.max(last.high, high) },
        ]
      : [...history, { at, low, high }];
  const oldest = at - Math.max(windows.up, windows.down);
  // A stretch ends where the next one begins; the first that is kept reaches back to the begin of the window.
  return next.filter((_, index) => index === next.length - 1 || (next[index + 1]?.at ?? at) > oldest);
}

/** What was asked for in the last `seconds`; null while they have not been watched from their begin. */
export function within(
  history: readonly Recommendation[],
  at: number,
  seconds: number,
): { readonly lowest: number; readonly highest: number } | null {
  const from = at - seconds;
  const inside = history.filter(
    (_, index) => (history[index + 1]?.at ?? at) > from || index === history.length - 1,
  );
  const first = inside[0];
  if (!first || first.at > from) return null;
  return {
    lowest: Math.min(...inside.map(({ low }) => low)),
    highest: Math.max(...inside.map(({ high }) => high)),
  };
}
