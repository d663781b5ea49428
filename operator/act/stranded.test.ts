import { NOW, obedientStatement, podView, readingsOf, worldOf } from '../decide/scripted-world.ts';
import { GIVE_UP_ANNOTATION } from '../desired/names.ts';
import type { PoolWorld } from '../observe/world.ts';
import type { AnyObject } from '../runtime/objects.ts';
import type { Deps, EventNote } from './deps.ts';
import { noFindings, type PoolFindings } from './findings.ts';
import { tendStranded } from './stranded.ts';

const CLAIM = 'spool-demo-delivery-1';

/** Notes what is written and told. */
function recorder() {
  const written: string[] = [];
  const told: EventNote[] = [];
  const write =
    (verb: string) =>
    async ({ plural }: { plural: string }, { name }: { name: string }) =>
      void written.push(`${verb} ${plural} ${name}`);
  const findings = noFindings();
  findings.pools.set('mail/demo', { uid: 'pool-1', nats: { kind: 'Written' } } as PoolFindings);
  const api = { patch: write('patch'), delete: write('delete') };
  const tell = (_: AnyObject, note: EventNote) => void told.push(note);
  return { deps: { api, findings, tell, now: () => NOW } as unknown as Deps, written, told };
}

const pool = (annotation: string | null, status: object): AnyObject => ({
  metadata: {
    ...{ name: 'demo', namespace: 'mail', uid: 'pool-1', resourceVersion: '7' },
    ...(annotation !== null && { annotations: { [GIVE_UP_ANNOTATION]: annotation } }),
  },
  status,
});
const members = [{ pod: 'demo-delivery-1', state: 'Starting', queued: 7, oldestAgeSeconds: 0, shards: [] }];

/** The second pod waits for a node that is gone. */
function world(givenUp = false): PoolWorld {
  const unschedulable = { since: NOW - 600_000, message: 'volume node affinity conflict' };
  const pods = [podView(0), podView(1, { node: null, ready: false, started: false, unschedulable })];
  const volumes = worldOf(2).volumes.map((v) => (v.ordinal === 1 ? { ...v, givenUp } : v));
  return worldOf(2, { pods, volumes, readings: readingsOf([obedientStatement(podView(0), null)]) });
}

test('given up by its number: the claim is marked and the annotation taken off; then claim and pod go', async () => {
  const { deps, written, told } = recorder();
  const first = await tendStranded(deps, pool(`${CLAIM}=7`, { members }), world());
  expect(first).toEqual({ stranded: [], giveUpRefusals: [] });
  expect(written).toEqual([`patch persistentvolumeclaims ${CLAIM}`, 'patch sendingpools demo']);
  expect(told).toMatchObject([{ reason: 'GivenUp', note: expect.stringContaining('7 recipients') }]);
  written.length = 0;
  await tendStranded(deps, pool(null, { members, stranded: [] }), world(true));
  expect(written).toEqual([`delete persistentvolumeclaims ${CLAIM}`, 'delete pods demo-delivery-1']);
  expect(told).toHaveLength(1);
});

test('another number changes nothing and is told once', async () => {
  const { deps, written, told } = recorder();
  const object = pool(`${CLAIM}=8`, { members });
  const { stranded, giveUpRefusals } = await tendStranded(deps, object, world());
  expect(stranded).toMatchObject([{ volume: CLAIM, queued: 7, why: 'PodUnschedulable' }]);
  expect(written).toEqual([]);
  expect(told.map(({ reason }) => reason)).toEqual(['Stranded', 'GiveUpRefused']);
  const conditions = [{ type: 'MailReachable', message: giveUpRefusals.join('; ') }];
  await tendStranded(deps, pool(`${CLAIM}=8`, { members, stranded, conditions }), world());
  expect(told).toHaveLength(2);
});

test('nothing is given up before it is known who may still be at work', async () => {
  const { deps, written } = recorder();
  deps.findings.pools.clear();
  await tendStranded(deps, pool(`${CLAIM}=7`, { members }), world());
  expect(written).toEqual([]);
});

test('what returns is told', async () => {
  const { deps, told } = recorder();
  const { stranded } = await tendStranded(deps, pool(null, { members }), world());
  const back = worldOf(2, { readings: readingsOf([0, 1].map((i) => obedientStatement(podView(i), null))) });
  await tendStranded(deps, pool(null, { members, stranded }), back);
  expect(told.map(({ reason }) => reason)).toEqual(['Stranded', 'StrandedReturned']);
});
