import { Expectations } from './expectations.ts';
import { ManualClock } from './manual-clock.ts';
import type { KubeObject } from './objects.ts';

const object = (uid: string, resourceVersion: string, more = {}): KubeObject => ({
  metadata: { namespace: 'n', name: 'a', uid, resourceVersion, ...more },
});
let cached: KubeObject | undefined;
let seen: number;
const view = { cache: { get: () => cached }, hasSeen: (version: string) => seen >= Number(version) };

describe('expectations', () => {
  const clock = new ManualClock();
  let expectations: Expectations;
  beforeEach(() => {
    [cached, seen] = [object('u', '99'), 99];
    expectations = new Expectations(view, clock);
  });

  it('are satisfied where nothing was written', () => expect(expectations.satisfied('n/a')).toBe(true));

  it('hold back until the cache shows the write', () => {
    expectations.written(object('u', '100'));
    expect(expectations.satisfied('n/a')).toBe(false);
    cached = object('u', '101');
    expect(expectations.satisfied('n/a')).toBe(true);
  });

  it('know a write by the version of the watch when the object is already gone again', () => {
    expectations.written(object('new', '100'));
    cached = undefined;
    expect(expectations.satisfied('n/a')).toBe(false);
    seen = 120;
    expect(expectations.satisfied('n/a')).toBe(true);
  });

  it.each([
    ['the same incarnation', object('u', '99'), false],
    ['it on its way out', object('u', '101', { deletionTimestamp: 'now' }), true],
    ['another incarnation', object('v', '102'), true],
    ['nothing', undefined, true],
  ])('after a delete, with %s in the cache', (_, found, satisfied) => {
    expectations.deleted(object('u', '99'));
    cached = found;
    expect(expectations.satisfied('n/a')).toBe(satisfied);
  });

  it('give up on a write that never shows', () => {
    expectations.written(object('u', '100'));
    clock.advance(5 * 60_000 + 1);
    expect(expectations.satisfied('n/a')).toBe(true);
  });
});
