// The table at the end of the demo. Pure.
import { plainTable } from '../../cli/status/render.ts';
import type { Judgement } from '../internet/judge.ts';
import type { Verification } from '../internet/verify.ts';
import type { World } from '../internet/world.ts';

export interface DemoResult {
  readonly judgement: Judgement;
  readonly mailauth: Verification;
  readonly dkimpy: Verification;
}

/** What must be zero; empty when all is well. */
export function troubles({ judgement, mailauth, dkimpy }: DemoResult): string[] {
  const { lost, duplicated, ghosts, contradicted, strangers, wrongSource, unknown } = judgement;
  const counts = { lost, duplicated, ghosts, contradicted, strangers, wrongSource, unknown };
  const wrong = Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [`${name}: ${count}`] : []));
  const unverified = [mailauth, dkimpy].some(
    ({ messages, verified }) => verified < messages || messages === 0,
  );
  return [
    ...wrong,
    ...(unverified ? ['signatures that do not verify'] : []),
    ...judgement.examples.slice(0, 5),
  ];
}

export function demoTable(result: DemoResult, world: World): string {
  const { judgement, mailauth, dkimpy } = result;
  const manner = new Map(world.domains.map((one) => [one.domain, one.manner]));
  const providers = Object.entries(judgement.byProvider)
    .filter(([domain]) => manner.has(domain))
    .sort();
  const tally = (one: Judgement['byProvider'][string]) => [one.delivered, one.deferrals, one.refused];
  const summary: [string, string | number][] = [
    ['accepted (message, recipient)', judgement.accepted],
    ['delivered', judgement.delivered],
    ['bounced, sender notified', judgement.bounced],
    ['still deferred', judgement.deferred],
    ['lost', judgement.lost],
    ['duplicated', judgement.duplicated],
    ['delivered although refused', judgement.ghosts],
    ['from a wrong address', judgement.wrongSource],
    ['signatures verified by mailauth', `${mailauth.verified} of ${mailauth.messages}`],
    ['signatures verified by dkimpy', `${dkimpy.verified} of ${dkimpy.messages}`],
  ];
  return [
    plainTable(
      ['DOMAIN', 'DELIVERED', 'DEFERRALS', 'REFUSED', 'MANNER'],
      providers.map(([domain, one]) => [domain, ...tally(one), manner.get(domain) ?? '']),
    ),
    plainTable(
      ['SOURCE ADDRESS', 'DELIVERED', 'DEFERRALS', 'REFUSED'],
      Object.entries(judgement.bySource)
        .sort()
        .map(([source, one]) => [source, ...tally(one)]),
    ),
    plainTable(['', ''], summary),
  ].join('\n\n');
}
