import type { AnyObject } from '../runtime/objects.ts';
import { findingsOf, noFindings, type PoolFindings } from './findings.ts';

test('that the deletion of a pool is done says nothing of a pool that was made again under its name', () => {
  const findings = noFindings();
  const done = { uid: 'first', deletion: { step: 'Done' } } as unknown as PoolFindings;
  findings.pools.set('mail/demo', done);
  const pool = (uid: string) => ({ metadata: { namespace: 'mail', name: 'demo', uid } }) as AnyObject;
  expect(findingsOf(findings, pool('first'))).toBe(done);
  expect(findingsOf(findings, pool('second'))).toBeNull();
});
