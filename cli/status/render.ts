// The report as text for a terminal.
import Table from 'cli-table3';
import type { Flow, PoolReport, WarmupRow } from './report.ts';

const PLAIN = {
  chars: Object.fromEntries(
    [
      'top',
      'top-mid',
      'top-left',
      'top-right',
      'bottom',
      'bottom-mid',
      'bottom-left',
      'bottom-right',
      'left',
      'left-mid',
      'mid',
      'mid-mid',
      'right',
      'right-mid',
      'middle',
    ].map((key) => [key, '']),
  ),
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 3 },
};

/** A table without lines, as kubectl prints them. */
export function plainTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const table = new Table({ ...PLAIN, head: [...head] });
  table.push(...rows.map((row) => row.map(String)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const rate = (perSecond: number) => (perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toFixed(1));

/** An age in seconds as `42s`, `3m`, `5h` or `2d`. */
export function age(seconds: number): string {
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

const flowTable = (head: string, flows: readonly Flow[]) =>
  plainTable(
    [head, 'DELIVERED/S', 'DEFERRED/S', 'BOUNCED/S'],
    flows.map((flow) => [flow.name, rate(flow.delivered), rate(flow.deferred), rate(flow.bounced)]),
  );

const warmupTable = (rows: readonly WarmupRow[]) =>
  plainTable(
    ['WARM-UP', 'PROVIDER', 'DAY', 'USED', 'ALLOWANCE', 'STATE'],
    rows.map((row) => [row.address, row.provider, row.day, row.used, row.allowance ?? '-', row.state]),
  );

/** One pool: what it is doing, its pods, and its mail by provider and by source address. */
export function renderPool(report: PoolReport & { readonly warmup?: readonly WarmupRow[] }): string {
  const { total } = report;
  const parts = [
    `${report.name}   ${report.ready} pods ready   backlog ${report.backlog}   ${report.state}`,
    `accepted ${rate(report.acceptedPerSecond)}/s   delivered ${rate(total.delivered)}/s   deferred ${rate(total.deferred)}/s   bounced ${rate(total.bounced)}/s`,
  ];
  if (report.autoscaling) parts.push(`autoscaling   ${report.autoscaling}`);
  if (report.drain) parts.push(`drain   ${report.drain}`);
  const members = report.members.map((m) => [
    m.pod,
    m.state,
    m.queued,
    age(m.oldestAgeSeconds),
    m.shards.join(',') || '-',
    m.node ?? '-',
  ]);
  if (members.length)
    parts.push('', plainTable(['POD', 'STATE', 'QUEUED', 'OLDEST', 'SHARDS', 'NODE'], members));
  const moving = report.byProvider.filter((flow) => flow.delivered + flow.deferred + flow.bounced > 0);
  if (moving.length) parts.push('', flowTable('PROVIDER', moving));
  if (report.byAddress.length) parts.push('', flowTable('ADDRESS', report.byAddress));
  if (report.warmup?.length) parts.push('', warmupTable(report.warmup));
  return parts.join('\n');
}
