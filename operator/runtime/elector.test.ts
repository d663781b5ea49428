import { Elector, type Lease } from './elector.ts';
import { microTime } from './lease.ts';
import { ManualClock } from './manual-clock.ts';
import { eventually, json, ScriptedApiServer, status } from './scripted-api-server.ts';

const GET = 'GET /apis/coordination.k8s.io/v1/namespaces/mail/leases/operator';
const PUT = 'PUT /apis/coordination.k8s.io/v1/namespaces/mail/leases/operator';
const POST = 'POST /apis/coordination.k8s.io/v1/namespaces/mail/leases';
const MICRO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

let server: ScriptedApiServer;
let clock: ManualClock;
const electors: Elector[] = [];
const changes: string[] = [];

/** The server keeps one lease, with conflicts as the real one has them. */
let stored: Lease | null;
let version: number;
function keepLease(): void {
  const save = (lease: Lease): Lease => {
    version += 1;
    stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(version) } };
    return stored;
  };
  server.script(GET, (response, request) =>
    (stored ? json(200, stored) : status(404, 'NotFound'))(response, request),
  );
  server.script(POST, (response, request) =>
    (stored ? status(409, 'AlreadyExists') : json(201, save(request.body as Lease)))(response, request),
  );
  server.script(PUT, (response, request) => {
    const lease = request.body as Lease;
    const fresh = lease.metadata.resourceVersion === stored?.metadata.resourceVersion;
    (fresh ? json(200, save(lease)) : status(409, 'Conflict'))(response, request);
  });
}

beforeEach(async () => {
  server = await ScriptedApiServer.start();
  clock = new ManualClock();
  stored = null;
  version = 0;
  keepLease();
  changes.length = 0;
});
afterEach(async () => {
  await Promise.all(electors.splice(0).map((elector) => elector.stop()));
  await server.stop();
});

function elect(identity: string): Elector {
  const onChange = (leading: boolean) => changes.push(`${identity} ${leading}`);
  const api = server.api({ clock });
  const elector = new Elector({
    api,
    namespace: 'mail',
    name: 'operator',
    identity,
    clock,
    random: () => 0,
    onChange,
  });
  electors.push(elector);
  elector.start();
  return elector;
}
/** Lets time pass in steps of a retry, each time waiting for the requests it causes. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 2) {
    await eventually(() => clock.pending.includes(2_000));
    const before = server.requestsTo(GET).length;
    clock.advance(2_000);
    await server.seen(GET, before + 1);
  }
}

it('takes the lease with times of exactly six decimals, and renews it', async () => {
  const elector = elect('a');
  await eventually(() => elector.isLeader);
  expect(stored?.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
  expect(stored?.spec?.renewTime).toMatch(MICRO);
  expect(stored?.spec?.acquireTime).toMatch(MICRO);
  await pass(20);
  await eventually(() => stored?.spec?.renewTime === microTime(clock.now()));
  expect(elector.isLeader).toBe(true);
  expect(stored?.spec?.acquireTime).toBe(microTime(new Date('2030-01-01T00:00:00Z')));
  expect(changes).toEqual(['a true']);
});

it('leaves another’s lease alone while it is renewed, whatever its clock says', async () => {
  stored = {
    metadata: { namespace: 'mail', name: 'operator', resourceVersion: '1' },
    spec: { holderIdentity: 'b', renewTime: '1999-01-01T00:00:00.000000Z', leaseDurationSeconds: 15 },
  };
  version = 1;
  const elector = elect('a');
  await pass(10);
  version += 1;
  stored = { ...stored, metadata: { ...stored.metadata, resourceVersion: String(version) } };
  await pass(14);
  expect(elector.isLeader).toBe(false);
  expect(elector.leader).toBe('b');
  expect(server.requestsTo(PUT)).toHaveLength(0);
  await pass(4);
  await eventually(() => elector.isLeader);
  expect(stored?.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 1 });
});

it('stops leading ten seconds after its last renewal was sent, also while a renewal hangs', async () => {
  const elector = elect('a');
  await eventually(() => elector.isLeader && clock.pending.includes(2_000));
  server.script(PUT, () => {});
  clock.advance(2_000);
  await server.seen(PUT);
  clock.advance(7_999);
  expect(elector.isLeader).toBe(true);
  clock.advance(1);
  expect(elector.isLeader).toBe(false);
  expect(changes).toEqual(['a true', 'a false']);
  keepLease();
});

it('stops at once when somebody else holds the lease', async () => {
  const elector = elect('a');
  await eventually(() => elector.isLeader);
  version += 1;
  stored = {
    ...(stored as unknown as Lease),
    metadata: { name: 'operator', namespace: 'mail', resourceVersion: String(version) },
    spec: { holderIdentity: 'b', leaseDurationSeconds: 15 },
  };
  await pass(2);
  await eventually(() => !elector.isLeader);
  expect(elector.leader).toBe('b');
});

it('outlives an API server that answers 500 for less than the deadline', async () => {
  const elector = elect('a');
  await eventually(() => elector.isLeader);
  server.script(PUT, status(500, 'InternalError'));
  await pass(6);
  keepLease();
  await pass(2);
  await eventually(() => stored?.spec?.renewTime === microTime(clock.now()));
  expect(elector.isLeader).toBe(true);
  expect(changes).toEqual(['a true']);
});

it('gives the lease up when it stops, and the next leads without waiting', async () => {
  const first = elect('a');
  await eventually(() => first.isLeader);
  const second = elect('b');
  await eventually(() => second.leader === 'a');
  await first.stop();
  expect(stored?.spec?.holderIdentity).toBe('');
  expect(first.isLeader).toBe(false);
  await pass(2);
  await eventually(() => second.isLeader);
  expect(stored?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  expect(changes).toEqual(['a true', 'a false', 'b true']);
});

it('says for how long nobody has led', async () => {
  server.script(GET, status(403, 'Forbidden'));
  const elector = elect('a');
  await pass(60);
  expect(elector.leaderlessSeconds).toBe(60);
  keepLease();
  await pass(2);
  await eventually(() => elector.isLeader);
  expect(elector.leaderlessSeconds).toBe(0);
});

it('refuses a second start', () => {
  expect(() => elect('a').start()).toThrow('already started');
});
