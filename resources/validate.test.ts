import {
  describeErrors,
  nameFault,
  validateIPPool,
  validateQueuePolicy,
  validateSendingPool,
} from './validate.ts';

const pool = { ipPoolRef: { name: 'demo' } };

test('a valid spec comes back with its defaults', () => {
  expect(validateSendingPool(pool)).toMatchObject({
    valid: true,
    spec: { replicas: 1, shards: 8, storage: { size: '10Gi', whenDrained: 'Keep' } },
  });
});

test('autoscaling needs only an upper bound; the rest has defaults', () => {
  expect(validateSendingPool({ ...pool, autoscaling: { max: 5 } })).toMatchObject({
    valid: true,
    spec: {
      autoscaling: {
        min: 1,
        target: { readyPerPod: 10_000, inFlightPerPod: 200, perSecondPerPod: 500 },
        stabilizationSeconds: { up: 0, down: 300 },
      },
    },
  });
});

test('errors name the field, its value and the limit, all at once', () => {
  const verdict = validateSendingPool({ ...pool, shards: 65, drain: { mode: 'Explode' } });
  if (verdict.valid) throw new Error('valid');
  expect(describeErrors(verdict.errors)).toBe(
    'spec.shards=65: Too big: expected number to be <=64; spec.drain.mode="Explode": Invalid option: expected one of "Transfer"|"Wait"',
  );
});

test('rules of updates hold only against an old spec', () => {
  const old = validateSendingPool({ ...pool, replicas: 3 });
  if (!old.valid) throw new Error('invalid');
  const smaller = { ...pool, replicas: 0, shards: 4 };
  expect(validateSendingPool(smaller).valid).toBe(true);
  const verdict = validateSendingPool(smaller, old.spec);
  expect(verdict.valid ? [] : verdict.errors.map(({ field, value }) => [field, value])).toEqual([
    ['spec.shards', 4],
    ['spec.replicas', 0],
  ]);
});

test('an error inside a list names the item', () => {
  const verdict = validateIPPool({ addresses: [{ address: '192.0.2.1', ehlo: 'a.example', weight: -1 }] });
  expect(verdict.valid ? [] : verdict.errors[0]).toMatchObject({
    field: 'spec.addresses[0].weight',
    value: -1,
  });
});

test.each(['Mars/Olympus', 'UTC; drop'])('the time zone %s is unknown', (timeZone) => {
  const spec = { addresses: [{ address: '192.0.2.1', ehlo: 'a.example' }], warmup: { timeZone } };
  const verdict = validateIPPool(spec);
  expect(verdict.valid ? [] : verdict.errors[0]).toMatchObject({
    field: 'spec.warmup.timeZone',
    value: timeZone,
  });
});

test.each([undefined, null, 'text', 7, []])('%p is no spec, and does not throw', (given) => {
  expect(validateQueuePolicy(given).valid).toBe(false);
});

test('names', () => {
  expect(nameFault('SendingPool', 'demo')).toBeNull();
  expect(nameFault('SendingPool', 'a.b')).toContain('at most 40 characters');
  expect(nameFault('SendingDomain', 'a.b')).toBeNull();
});
