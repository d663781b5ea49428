import { ownerUids } from './cache.ts';
import { ManualClock } from './manual-clock.ts';
import type { AnyObject } from './objects.ts';
import { TYPES } from './objects.ts';
import { type Change, Reflector } from './reflector.ts';
import { eventually, json, list, ScriptedApiServer, status, stream } from './scripted-api-server.ts';
import type { KubeApi } from './transport.ts';

const LIST = 'GET /api/v1/namespaces/mail/pods';
const WATCH = 'WATCH /api/v1/namespaces/mail/pods';

const pod = (name: string, resourceVersion: string, uid = name): AnyObject => ({
  metadata: {
    namespace: 'mail',
    name,
    uid,
    resourceVersion,
    ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'owner' }],
  },
  spec: { unknownField: name },
});
const event = (type: string, object: unknown) => ({ type, object });
const bookmark = (resourceVersion: string) => event('BOOKMARK', { metadata: { resourceVersion } });
const gone = event('ERROR', {
  kind: 'Status',
  code: 410,
  reason: 'Expired',
  message: 'too old resource version',
});

let server: ScriptedApiServer;
let api: KubeApi;
let clock: ManualClock;
let reflector: Reflector<AnyObject>;
let changes: Change<AnyObject>[];
beforeEach(async () => {
  server = await ScriptedApiServer.start();
  clock = new ManualClock();
  api = server.api({ clock, random: () => 0, attempts: 1 });
  reflector = new Reflector<AnyObject>({
    api,
    type: TYPES.pods,
    namespace: 'mail',
    indexes: { ownerUids },
    clock,
    random: () => 0,
  });
  changes = [];
  reflector.subscribe((change) => changes.push(change));
  server.script(LIST, list('10', [pod('a', '5')])).script(WATCH, stream([]));
});
afterEach(async () => {
  await reflector.stop();
  await api.close();
  await server.stop();
});

const summary = () => changes.map(({ key, before, after }) => `${key} ${version(before)}→${version(after)}`);
const version = (object?: AnyObject) => object?.metadata.resourceVersion ?? '-';
/** Waits until the reflector sleeps, for `ms`, and lets that pass. */
async function passBackOff(ms: number): Promise<void> {
  await eventually(() => clock.pending.includes(ms));
  clock.advance(ms);
}

it('lists without a version, then watches from there with bookmarks for five to ten minutes', async () => {
  expect(reflector.synced).toBe(false);
  reflector.start();
  await reflector.whenSynced();
  expect(reflector.cache.get('mail/a')).toEqual(pod('a', '5'));
  const { query } = await server.seen(WATCH);
  expect(server.requestsTo(LIST)[0]?.query.has('resourceVersion')).toBe(false);
  expect(Object.fromEntries(query)).toEqual({
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: '10',
    timeoutSeconds: '300',
  });
});

it('follows changes, keeps unknown fields, and finds by index', async () => {
  server.script(
    WATCH,
    stream([
      event('ADDED', pod('b', '11')),
      event('MODIFIED', pod('a', '12')),
      event('DELETED', pod('b', '13')),
    ]),
  );
  reflector.start();
  await eventually(() => changes.length === 4);
  expect(summary()).toEqual(['mail/a -→5', 'mail/b -→11', 'mail/a 5→12', 'mail/b 11→-']);
  expect(reflector.cache.byIndex('ownerUids', 'owner')).toEqual([pod('a', '12')]);
  expect(reflector.cache.byIndex('ownerUids', 'nobody')).toEqual([]);
});

it('lists again after a 410 in the stream, and tells what was deleted meanwhile', async () => {
  server.script(LIST, list('10', [pod('a', '5'), pod('b', '6'), pod('c', '7', 'old')]));
  server.script(WATCH, stream([gone], 'end'), stream([]));
  reflector.start();
  await reflector.whenSynced();
  server.script(LIST, list('20', [pod('a', '5'), pod('c', '18', 'new'), pod('d', '19')]));
  await server.seen(WATCH, 2);
  expect(summary().slice(3)).toEqual(['mail/b 6→-', 'mail/c 7→18', 'mail/d -→19']);
  expect(server.requestsTo(WATCH)[1]?.query.get('resourceVersion')).toBe('20');
});

it('lists again after a 410 on HTTP, at once only the first time', async () => {
  server.script(WATCH, status(410, 'Expired'));
  reflector.start();
  await server.seen(WATCH, 2);
  expect(server.requestsTo(LIST)).toHaveLength(2);
  await passBackOff(800); // second failure: half of 1600
  await server.seen(WATCH, 3);
  expect(server.requestsTo(LIST)).toHaveLength(3);
});

it('takes complete lines and comes back where it was when a stream breaks within a line', async () => {
  server.script(WATCH, stream([event('MODIFIED', pod('a', '12'))], 'cut'), stream([]));
  reflector.start();
  await eventually(() => changes.length === 2);
  await passBackOff(400);
  expect((await server.seen(WATCH, 2)).query.get('resourceVersion')).toBe('12');
  expect(server.requestsTo(LIST)).toHaveLength(1);
});

it('gives up a watch that is silent for longer than bookmarks take', async () => {
  reflector.start();
  await server.seen(WATCH);
  await eventually(() => clock.pending.includes(90_000));
  clock.advance(89_999);
  expect(reflector.lastEventAgeSeconds).toBeGreaterThan(89);
  clock.advance(1);
  await passBackOff(400);
  expect((await server.seen(WATCH, 2)).query.get('resourceVersion')).toBe('10');
});

it('moves on with bookmarks', async () => {
  server.script(WATCH, stream([bookmark('99')], 'cut'), stream([]));
  reflector.start();
  await passBackOff(400);
  expect((await server.seen(WATCH, 2)).query.get('resourceVersion')).toBe('99');
  expect(reflector.hasSeen('99')).toBe(true);
  expect(reflector.hasSeen('100')).toBe(false);
  expect(changes).toHaveLength(1);
});

it.each([
  ['429 with Retry-After', status(429, 'TooManyRequests', { 'retry-after': '7' }), 7_000],
  ['500', status(500, 'InternalError'), 400],
  ['403', status(403, 'Forbidden'), 400],
])('survives %s on a watch', async (_, answer, wait) => {
  server.script(WATCH, answer, stream([event('ADDED', pod('b', '11'))]));
  reflector.start();
  await passBackOff(wait);
  await eventually(() => reflector.cache.get('mail/b') !== undefined);
  expect(server.requestsTo(LIST)).toHaveLength(1);
});

it('survives failing lists, waiting longer each time', async () => {
  server.script(
    LIST,
    status(500, 'InternalError'),
    status(500, 'InternalError'),
    json(200, 'no list'),
    list('10', []),
  );
  reflector.start();
  for (const wait of [400, 800, 1_600]) await passBackOff(wait);
  await reflector.whenSynced();
  expect(server.requestsTo(LIST)).toHaveLength(4);
});

it('survives a server that is not there', async () => {
  const absent = server.api({ clock, attempts: 1 });
  await server.stop();
  const lonely = new Reflector({ api: absent, type: TYPES.pods, clock, random: () => 0 });
  lonely.start();
  await passBackOff(400);
  await passBackOff(800);
  await lonely.stop();
  expect(lonely.synced).toBe(false);
  server = await ScriptedApiServer.start();
});

it('does not ask in a tight loop when each watch ends at once', async () => {
  server.script(WATCH, stream([], 'end'));
  reflector.start();
  await passBackOff(400);
  await server.seen(WATCH, 2);
  await eventually(() => clock.pending.includes(800));
  expect(server.requestsTo(WATCH)).toHaveLength(2);
});

it('refuses to be started twice', async () => {
  reflector.start();
  expect(() => reflector.start()).toThrow('already started');
  await reflector.stop();
  expect(() => reflector.start()).toThrow('already started');
});

it('opens nothing after it was stopped during back-off', async () => {
  server.script(WATCH, status(500, 'InternalError'));
  reflector.start();
  await eventually(() => clock.pending.includes(400));
  await reflector.stop();
  const before = server.requests.length;
  expect(clock.pending).toEqual([]);
  clock.advance(60_000);
  expect(server.requests).toHaveLength(before);
});

it('ends an open watch when it is stopped', async () => {
  reflector.start();
  await server.seen(WATCH);
  await reflector.stop();
  expect(clock.pending).toEqual([]);
});

it('goes on when a handler throws, and still tells the others', async () => {
  const told: string[] = [];
  reflector.subscribe(() => {
    throw new Error('mistake');
  });
  reflector.subscribe(({ key }) => told.push(key));
  server.script(WATCH, stream([event('ADDED', pod('b', '11')), event('ADDED', pod('c', '12'))]));
  reflector.start();
  await eventually(() => told.length === 3);
  expect(told).toEqual(['mail/a', 'mail/b', 'mail/c']);
  expect(server.requestsTo(WATCH)).toHaveLength(1);
});
