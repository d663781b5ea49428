// The picture: a panel for each provider, days across, accepted recipients a day of one address upwards (logarithmic).

import { addDays } from '../../mta/policy/warmup/day.ts';
import { allowanceOn } from '../../mta/policy/warmup/schedule.ts';
import { SHIPPED_SCHEDULES, scheduleFor } from '../../mta/policy/warmup/schedules.ts';
import { PROVIDERS, type Track } from './fleet.ts';
import type { Verdict } from './verdict.ts';

const PANEL = { width: 340, height: 230, left: 52, top: 34 };
const CELL = { width: PANEL.width + PANEL.left + 24, height: PANEL.height + PANEL.top + 52 };
const HEAD = 64;
const RANGE = { low: 40, high: 1_000_000 };
const COLOURS = ['#1a73e8', '#7b1fa2', '#00838f', '#5d4037', '#ef6c00'];
const CRASH = '#c62828';
const FIRST_DAY = '2026-01-01';

export function draw(tracks: readonly Track[], verdict: Verdict, addresses: number): string {
  const days = tracks[0]?.days.length ?? 0;
  const panels = PROVIDERS.map((provider, index) =>
    at(
      index,
      panel(
        provider.name,
        tracks.filter((one) => one.provider === provider.name),
        days,
        COLOURS[index] ?? '#000',
      ),
    ),
  );
  const [width, height] = [3 * CELL.width + 16, HEAD + 2 * CELL.height];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">
<title>${days} days of warm-up: ${addresses} addresses at ${PROVIDERS.length} providers</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="20" y="30" font-size="20" font-weight="bold">${days} days of warm-up: ${addresses} addresses at ${PROVIDERS.length} providers</text>
<text x="20" y="50" fill="#666">accepted recipients a day and address, logarithmic; virtual time, the shipped schedules, the ledger of mta/policy/warmup</text>
${panels.join('\n')}
${at(PROVIDERS.length, legend(verdict))}
</svg>
`;
}

const at = (index: number, content: string): string =>
  `<g transform="translate(${16 + (index % 3) * CELL.width} ${HEAD + Math.floor(index / 3) * CELL.height})">${content}</g>`;

function panel(name: string, tracks: readonly Track[], days: number, colour: string): string {
  const perDay = Array.from({ length: days }, (_, day) =>
    tracks.map((one) => one.days[day]?.accepted ?? 0).sort((a, b) => a - b),
  );
  const x = (day: number) => round(PANEL.left + ((day - 0.5) / days) * PANEL.width);
  const points = (pick: (values: readonly number[]) => number) =>
    perDay.map((values, day) => `${x(day + 1)},${y(pick(values))}`);
  const median = perDay.map((values) => values[Math.floor(values.length / 2)] ?? 0);
  const band = [...points((values) => values.at(-1) ?? 0), ...points((values) => values[0] ?? 0).reverse()];
  const schedule = scheduleFor(name);
  const allowed = Array.from({ length: days }, (_, day) =>
    allowanceOn(schedule, FIRST_DAY, addDays(FIRST_DAY, day)),
  );
  const crashes = sumBy(tracks, days, (one) => one.crashes);
  const suspended = sumBy(tracks, days, (one) => (one.suspended ? 1 : 0));
  const warm = schedule.at(-1)?.day ?? days;
  return [
    `<text x="${PANEL.left}" y="20" font-size="15" font-weight="bold" fill="${colour}">${name}</text>${note(name)}`,
    axes(x, days),
    warm <= days
      ? `<line x1="${x(warm)}" x2="${x(warm)}" y1="${PANEL.top}" y2="${PANEL.top + PANEL.height}" stroke="#999" stroke-dasharray="2 3"/><text x="${x(warm) - 5}" y="${PANEL.top + PANEL.height - 34}" text-anchor="end" fill="#777">warmed: day ${warm}</text>`
      : '',
    `<polygon points="${band.join(' ')}" fill="${colour}" fill-opacity="0.22"/>`,
    `<path d="${steps(median, x, days)}" fill="none" stroke="${colour}" stroke-width="2.4"/>`,
    `<path d="${steps(allowed, x, days)}" fill="none" stroke="#111" stroke-width="1.2"/>`,
    stops(suspended, x),
    crashes
      .map((count, day) =>
        count
          ? `<line x1="${x(day + 1)}" x2="${x(day + 1)}" y1="${PANEL.top + PANEL.height}" y2="${PANEL.top + PANEL.height - Math.min(24, 2 * count)}" stroke="${CRASH}" stroke-opacity="0.55" stroke-width="3"/>`
          : '',
      )
      .join(''),
  ].join('\n');
}

const note = (name: string): string =>
  Object.hasOwn(SHIPPED_SCHEDULES, name)
    ? ''
    : `<text x="${PANEL.left + 66}" y="20" fill="#777">a smaller one: the default schedule</text>`;

/** A triangle a day, and at the end of each run of days how many addresses were stopped at most. */
function stops(counts: readonly number[], x: (day: number) => number): string {
  const top = PANEL.top + 3;
  return counts
    .map((count, day) => {
      if (count === 0) return '';
      const mark = `<path d="M${x(day + 1)} ${top}l5 9h-10z" fill="${CRASH}"/>`;
      if (counts[day + 1]) return mark;
      const from = counts.slice(0, day).lastIndexOf(0) + 1;
      const most = Math.max(...counts.slice(from, day + 1));
      return `${mark}<text x="${x(day + 1) + 8}" y="${top + 9}" font-size="11" fill="${CRASH}">${most} addresses</text>`;
    })
    .join('');
}

const round = (value: number): number => Math.round(value * 10) / 10;

function y(value: number): number {
  const share = Math.log(Math.max(value, RANGE.low) / RANGE.low) / Math.log(RANGE.high / RANGE.low);
  return round(PANEL.top + PANEL.height * (1 - Math.min(1, share)));
}

function axes(x: (day: number) => number, days: number): string {
  const marks = [100, 1000, 10_000, 100_000].map(
    (value) =>
      `<line x1="${PANEL.left}" x2="${PANEL.left + PANEL.width}" y1="${y(value)}" y2="${y(value)}" stroke="#e4e4e4"/><text x="${PANEL.left - 6}" y="${y(value) + 4}" text-anchor="end">${value >= 1000 ? `${value / 1000}k` : value}</text>`,
  );
  const dayMarks = [1, 10, 20, 30, 40, 50, 60].filter((day) => day <= days);
  const labels = dayMarks.map(
    (day) =>
      `<text x="${x(day)}" y="${PANEL.top + PANEL.height + 16}" text-anchor="middle">${day === 1 ? 'day 1' : day}</text>`,
  );
  const frame = `<rect x="${PANEL.left}" y="${PANEL.top}" width="${PANEL.width}" height="${PANEL.height}" fill="none" stroke="#bbb"/>`;
  return [...marks, ...labels, frame].join('');
}

/** The allowance of an address that is never held: a staircase that ends where it is warmed. */
function steps(allowed: readonly (number | null)[], x: (day: number) => number, days: number): string {
  const half = (x(days) - x(1)) / Math.max(1, days - 1) / 2;
  return allowed
    .flatMap((value, day) =>
      value === null
        ? []
        : [
            `${day === 0 ? 'M' : 'L'}${round(x(day + 1) - half)} ${y(value)}L${round(x(day + 1) + half)} ${y(value)}`,
          ],
    )
    .join('');
}

function sumBy(tracks: readonly Track[], days: number, of: (day: Track['days'][number]) => number): number[] {
  return Array.from({ length: days }, (_, day) =>
    tracks.reduce((sum, one) => sum + (one.days[day] ? of(one.days[day]) : 0), 0),
  );
}

function legend(verdict: Verdict): string {
  const x = PANEL.left;
  const rows = [
    `<line x1="${x}" x2="${x + 30}" y1="46" y2="46" stroke="#111" stroke-width="1.2"/><text x="${x + 40}" y="50">the day's allowance by the schedule</text>`,
    `<line x1="${x}" x2="${x + 30}" y1="70" y2="70" stroke="#1a73e8" stroke-width="2.4"/><text x="${x + 40}" y="74">accepted, median address</text>`,
    `<rect x="${x}" y="86" width="30" height="14" fill="#1a73e8" fill-opacity="0.22"/><text x="${x + 40}" y="98">from the lowest to the highest address</text>`,
    `<path d="M${x + 15} 111l5 9h-10z" fill="${CRASH}"/><text x="${x + 40}" y="121">addresses stopped for the day, and stepped back</text>`,
    `<line x1="${x + 15}" x2="${x + 15}" y1="132" y2="146" stroke="${CRASH}" stroke-opacity="0.55" stroke-width="3"/><text x="${x + 40}" y="144">holders that died that day</text>`,
  ];
  const figures: readonly (readonly [string, string])[] = [
    ['accepted', `${(verdict.accepted / 1e6).toFixed(0)} million recipients`],
    ['holders that died', verdict.crashes.toLocaleString('en')],
    ['days above the allowance', `${verdict.overspent} of ${verdict.days.toLocaleString('en')}`],
    ['allowance lost with dead holders', `${(verdict.lostShare * 100).toFixed(2)} %`],
    ['days ended early', verdict.suspended.toLocaleString('en')],
  ];
  const table = figures.map(
    ([name, value], index) =>
      `<text x="${x}" y="${182 + 22 * index}">${name}</text><text x="${x + 210}" y="${182 + 22 * index}" font-weight="bold">${value}</text>`,
  );
  return [...rows, ...table].join('\n');
}
