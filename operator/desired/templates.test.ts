import type { AnyObject } from '../runtime/objects.ts';
import { buildDeliveryStatefulSet } from './delivery-statefulset.ts';
import { installation, samplePool } from './samples.ts';
import { identityOf, knownTemplates, templateOf, withTemplate } from './templates.ts';

const built = buildDeliveryStatefulSet(samplePool(), installation, 3);
const template = templateOf(built);

test('the good template is kept beside the wanted one, to the byte, and outside of it', () => {
  const newer = templateOf(
    buildDeliveryStatefulSet(samplePool(), { ...installation, image: 'example.org/new' }, 3),
  );
  const manifest = withTemplate(built, newer, template);
  const known = knownTemplates(manifest as unknown as AnyObject);
  expect(known).toEqual({ applied: identityOf(newer), good: template });
  expect(identityOf(known.good)).toBe(identityOf(template));
  expect(templateOf(manifest)).toBe(newer);
  expect(manifest.metadata.labels).toEqual(built.metadata.labels);
});

test('a StatefulSet of a release that kept none has none', () => {
  expect(knownTemplates(built as unknown as AnyObject)).toEqual({ applied: null, good: null });
  expect(knownTemplates(undefined)).toEqual({ applied: null, good: null });
});

test('a canary, the number of pods and the partition are not in the template', () => {
  const other = samplePool({ replicas: 5, rollout: { canary: { pods: 2 } }, storage: { size: '99Gi' } });
  expect(identityOf(templateOf(buildDeliveryStatefulSet(other, installation, 1)))).toBe(identityOf(template));
});
