import { EventRecorder } from './events.ts';
import { ManualClock } from './manual-clock.ts';
import { json, ScriptedApiServer, status } from './scripted-api-server.ts';

const POST = 'POST /apis/events.k8s.io/v1/namespaces/mail/events';
const PATCH = 'PATCH /apis/events.k8s.io/v1/namespaces/mail/events/made';
const pool = {
  apiVersion: 'postfleet.io/v1alpha1',
  kind: 'SendingPool',
  metadata: { namespace: 'mail', name: 'demo', uid: 'u' },
};
const happened = { type: 'Warning', reason: 'NoRoom', action: 'Drain', note: 'others have no room' } as const;

let server: ScriptedApiServer;
let clock: ManualClock;
let recorder: EventRecorder;
beforeEach(async () => {
  server = await ScriptedApiServer.start();
  clock = new ManualClock();
  recorder = new EventRecorder({
    api: server.api({ clock }),
    controller: 'postfleet.io/operator',
    instance: 'op-1',
    clock,
  });
  server
    .script(POST, json(201, { metadata: { namespace: 'mail', name: 'made' } }))
    .script(PATCH, json(200, { metadata: { name: 'made' } }));
});
afterEach(() => server.stop());

it('makes an event on the object', async () => {
  recorder.record(pool, { ...happened, note: 'x'.repeat(2000) });
  await recorder.flush();
  expect(server.requests[0]?.body).toMatchObject({
    metadata: { namespace: 'mail', generateName: 'demo-' },
    eventTime: '2030-01-01T00:00:00.000000Z',
    regarding: { kind: 'SendingPool', namespace: 'mail', name: 'demo', uid: 'u' },
    reason: 'NoRoom',
    note: 'x'.repeat(1024),
  });
});

it('counts what happens again instead of repeating it', async () => {
  for (let i = 0; i < 50; i++) recorder.record(pool, happened);
  recorder.record(pool, { ...happened, note: 'another note' });
  await recorder.flush();
  expect(server.requestsTo(POST)).toHaveLength(2);
  expect(server.requestsTo(PATCH).map(({ body }) => body)).toEqual([
    { series: { count: 50, lastObservedTime: '2030-01-01T00:00:00.000000Z' } },
  ]);
  await recorder.flush();
  expect(server.requestsTo(PATCH)).toHaveLength(1);
});

it('begins anew when it has not happened for ten minutes', async () => {
  recorder.record(pool, happened);
  clock.advance(10 * 60_000);
  recorder.record(pool, happened);
  await recorder.flush();
  expect(server.requestsTo(POST)).toHaveLength(2);
});

it('lets one object make 25 new events at once, then one a minute', async () => {
  for (let i = 0; i < 40; i++) recorder.record(pool, { ...happened, note: `${i}` });
  clock.advance(60_000);
  for (let i = 40; i < 50; i++) recorder.record(pool, { ...happened, note: `${i}` });
  await recorder.flush();
  expect(server.requestsTo(POST)).toHaveLength(26);
});

it('never fails its caller', async () => {
  server.script(POST, status(403, 'Forbidden'));
  recorder.record(pool, happened);
  recorder.record(pool, happened);
  await expect(recorder.flush()).resolves.toBeUndefined();
  expect(server.requestsTo(PATCH)).toHaveLength(0);
});
