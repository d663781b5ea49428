import { ApiError, ConnectionError, NotLeading } from './errors.ts';
import { ManualClock } from './manual-clock.ts';
import { pathOf, TYPES } from './objects.ts';
import { eventually, json, list, ScriptedApiServer, status } from './scripted-api-server.ts';
import type { KubeApi } from './transport.ts';

const POD = 'GET /api/v1/namespaces/mail/pods/a';
const ref = { namespace: 'mail', name: 'a' };
const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...ref, resourceVersion: '7' } };

let server: ScriptedApiServer;
let api: KubeApi;
let clock: ManualClock;
beforeEach(async () => {
  server = await ScriptedApiServer.start();
  clock = new ManualClock();
  api = server.api({ clock, random: () => 0, timeoutMs: 5_000 });
});
afterEach(async () => {
  await api.close();
  await server.stop();
});

/** Turns the clock to the next timer that is due within `ms`, other than the call's own timeout. */
async function passWait(ms: number): Promise<void> {
  await eventually(() => clock.pending.some((left) => left === ms));
  clock.advance(ms);
}

describe('reading', () => {
  it('keeps fields that no model knows', async () => {
    const strange = { ...pod, spec: { fieldOfTomorrow: { deep: [1, null] } }, extra: true };
    server.script(POD, json(200, strange));
    expect(await api.get(TYPES.pods, ref)).toEqual(strange);
  });

  it('says with the Status object why it failed', async () => {
    server.script(POD, status(404, 'NotFound'));
    const error = await api.get(TYPES.pods, ref).catch((thrown: unknown) => thrown);
    expect(ApiError.isNotFound(error)).toBe(true);
    expect(error).toMatchObject({ status: 404, reason: 'NotFound', message: 'NotFound by script' });
  });

  it('gathers pages into one list, without asking for a version', async () => {
    server.script(
      'GET /api/v1/pods',
      list('9', [{ metadata: { name: 'a' } }], 'next'),
      list('9', [{ metadata: { name: 'b' } }]),
    );
    const { items, resourceVersion } = await api.list(TYPES.pods, { labelSelector: 'x=y' });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(resourceVersion).toBe('9');
    const [first, second] = server.requests;
    expect(Object.fromEntries(first?.query ?? [])).toEqual({ labelSelector: 'x=y', limit: '500' });
    expect(second?.query.get('continue')).toBe('next');
  });
});

describe('repeating', () => {
  it('waits as long as a 429 asks, also for a create', async () => {
    server.script(
      'POST /api/v1/namespaces/mail/pods',
      status(429, 'TooManyRequests', { 'retry-after': '3' }),
      json(201, pod),
    );
    const made = api.create(TYPES.pods, pod);
    await passWait(3_000);
    expect(await made).toEqual(pod);
    expect(server.requests).toHaveLength(2);
  });

  it('asks again after a 500', async () => {
    server.script(POD, status(500, 'InternalError'), json(200, pod));
    const got = api.get(TYPES.pods, ref);
    await passWait(100); // half of 200 ms: chance is 0
    expect(await got).toEqual(pod);
  });

  it('does not create twice after a 500: whether it exists is unknown', async () => {
    server.script('POST /api/v1/namespaces/mail/pods', status(500, 'InternalError'), json(201, pod));
    await expect(api.create(TYPES.pods, pod)).rejects.toMatchObject({ status: 500 });
    expect(server.requests).toHaveLength(1);
  });

  it('gives up after its attempts', async () => {
    server.script(POD, status(503, 'ServiceUnavailable'));
    const got = api.with({ attempts: 2 }).get(TYPES.pods, ref);
    const failed = expect(got).rejects.toMatchObject({ status: 503 });
    await passWait(100);
    await failed;
    expect(server.requests).toHaveLength(2);
  });

  it('never repeats a conflict', async () => {
    server.script('PUT /api/v1/namespaces/mail/pods/a', status(409, 'Conflict'));
    const error = await api.update(TYPES.pods, pod).catch((thrown: unknown) => thrown);
    expect(ApiError.isConflict(error)).toBe(true);
    expect(server.requests).toHaveLength(1);
  });

  it('does not wait for ever', async () => {
    server.script(POD, () => {});
    const got = api.with({ attempts: 1 }).get(TYPES.pods, ref);
    const failed = expect(got).rejects.toBeInstanceOf(ConnectionError);
    await server.seen(POD);
    clock.advance(5_000);
    await failed;
  });
});

describe('writing', () => {
  it('applies under its field manager, by force', async () => {
    server.script('PATCH /api/v1/namespaces/mail/pods/a', json(200, pod));
    await api.apply(TYPES.pods, pod);
    const [request] = server.requests;
    expect(Object.fromEntries(request?.query ?? [])).toEqual({
      fieldManager: 'postfleet-operator',
      force: 'true',
    });
    expect(request?.headers['content-type']).toBe('application/apply-patch+yaml');
  });

  it('applies status to the subresource under a manager of its own', async () => {
    server.script('PATCH /api/v1/namespaces/mail/pods/a/status', json(200, pod));
    await api.applyStatus(TYPES.pods, pod);
    expect(server.requests[0]?.query.get('fieldManager')).toBe('postfleet-operator-status');
  });

  it('deletes with preconditions, and is content when it is gone', async () => {
    server.script('DELETE /api/v1/namespaces/mail/pods/a', status(404, 'NotFound'));
    await api.delete(TYPES.pods, ref, { uid: 'u', resourceVersion: '7', propagationPolicy: 'Foreground' });
    expect(server.requests[0]?.body).toMatchObject({
      preconditions: { uid: 'u', resourceVersion: '7' },
      propagationPolicy: 'Foreground',
    });
  });

  it('scales with UID and version', async () => {
    const route = 'PUT /apis/apps/v1/namespaces/mail/statefulsets/a/scale';
    server.script(route, json(200, pod));
    await api.scale(TYPES.statefulSets, { ...ref, uid: 'u', resourceVersion: '7' }, 2);
    expect((await server.seen(route)).body).toMatchObject({
      metadata: { name: 'a', uid: 'u', resourceVersion: '7' },
      spec: { replicas: 2 },
    });
  });

  it('sends nothing once it no longer leads', async () => {
    const fenced = api.fenced(() => false);
    await expect(fenced.delete(TYPES.pods, ref)).rejects.toBeInstanceOf(NotLeading);
    await expect(fenced.apply(TYPES.pods, pod)).rejects.toBeInstanceOf(NotLeading);
    expect(server.requests).toHaveLength(0);
  });
});

describe('paths', () => {
  it.each([
    [TYPES.pods, {}, undefined, '/api/v1/pods'],
    [TYPES.pods, { namespace: 'n' }, undefined, '/api/v1/namespaces/n/pods'],
    [
      TYPES.statefulSets,
      { namespace: 'n', name: 'a' },
      'scale',
      '/apis/apps/v1/namespaces/n/statefulsets/a/scale',
    ],
    [TYPES.nodes, { name: 'x' }, undefined, '/api/v1/nodes/x'],
  ])('%#', (type, at, subresource, path) => expect(pathOf(type, at, subresource)).toBe(path));

  it('refuse a namespaced object without a namespace: it would be read as a collection', () => {
    expect(() => pathOf(TYPES.pods, { name: 'a' })).toThrow(TypeError);
  });
});
