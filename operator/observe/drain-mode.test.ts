import { samplePool } from '../desired/samples.ts';
import { drainModeOf } from './drain-mode.ts';

const mode = (annotation: string | undefined, spec: 'Transfer' | 'Wait') =>
  drainModeOf(
    samplePool(
      { drain: { mode: spec } },
      annotation === undefined ? {} : { annotations: { 'postfleet.io/drain-mode': annotation } },
    ),
  );

test.each([
  [undefined, 'Transfer', 'Transfer'],
  [undefined, 'Wait', 'Wait'],
  ['Wait', 'Transfer', 'Wait'],
  ['Transfer', 'Wait', 'Transfer'],
] as const)('annotation %s over spec %s: %s', (annotation, spec, drainMode) => {
  expect(mode(annotation, spec)).toEqual({ drainMode, drainModeFault: null });
});

test.each(['wait', '', 'Delete', ' Transfer', 'x'.repeat(9999)])(
  '"%.20s" moves no mail, and is told',
  (annotation) => {
    const { drainMode, drainModeFault } = mode(annotation, 'Transfer');
    expect(drainMode).toBe('Wait');
    expect(drainModeFault).toContain('write Transfer or Wait');
    expect(drainModeFault?.length).toBeLessThan(250);
  },
);
