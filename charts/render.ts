// The chart as Helm renders it, as objects. For tests; the helm program is the one that `make tools` builds.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { program } from '../e2e/tools/cache.ts';

const CHART = join(import.meta.dirname, 'postfleet');

export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // Tests look into whatever the kind has.
  // biome-ignore lint/suspicious/noExplicitAny: objects of all kinds
  readonly [field: string]: any;
}

/** Every object of the chart, installed as `postfleet` in `namespace`. @throws Error with Helm's words */
export function renderChart(values: object = {}, namespace = 'mail'): readonly Rendered[] {
  const args = ['template', 'postfleet', CHART, '--namespace', namespace, '--values', '-'];
  const text = helm(args, JSON.stringify(values));
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}

/** Helm's own opinion of the chart. @throws Error with Helm's words */
export const lintChart = (values: object = {}): string =>
  helm(['lint', '--strict', CHART, '--values', '-'], JSON.stringify(values));

/** Runs helm. @throws Error with what it wrote to stderr */
function helm(args: readonly string[], input: string): string {
  try {
    return execFileSync(program('helm'), args, { input, stdio: 'pipe', encoding: 'utf8' });
  } catch (cause) {
    const { stderr, stdout } = cause as { stderr?: string; stdout?: string };
    throw new Error(stderr || stdout || String(cause), { cause });
  }
}
