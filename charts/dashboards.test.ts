// Every metric a dashboard asks for is one that some role registers: a renamed metric breaks no screen silently.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, 'postfleet/dashboards');
const root = join(import.meta.dirname, '..');

function registeredMetrics(): Set<string> {
  const sources = execFileSync('git', ['ls-files', 'mta', 'operator', 'gateway', 'process'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  const text = sources.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  return new Set([...text.matchAll(/name: '(postfleet_\w+)'/g)].map(([, name]) => name as string));
}

test.each(readdirSync(folder))('%s asks only for metrics that exist', (file) => {
  const dashboard = readFileSync(join(folder, file), 'utf8');
  const asked = new Set([...dashboard.matchAll(/postfleet_\w+/g)].map(([name]) => name));
  const known = registeredMetrics();
  expect(asked.size).toBeGreaterThan(5);
  expect([...asked].filter((name) => !known.has(name))).toEqual([]);
});
