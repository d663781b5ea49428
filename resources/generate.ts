// Writes crds/, the CRD templates of the chart and docs/resources.md from the kinds; with --check it only compares, and ends with 1
// when a file differs (CI). Run by `make generate`.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { customResourceDefinition } from './crd.ts';
import { type Definition, definitions } from './definitions.ts';
import { resourcesDocument } from './document.ts';
import { GROUP } from './kinds.ts';

const NOTE = '# Generated from resources/ by `make generate`; do not edit.\n';

const crdYaml = (definition: Definition): string =>
  // Kubernetes reads YAML 1.1, in which a bare Yes is true.
  stringify(customResourceDefinition(definition), { lineWidth: 0, version: '1.1' });

/** The chart's form: kept when the release goes (its deletion would delete every resource), and left out on demand. */
function crdTemplate(definition: Definition): string {
  const kept = crdYaml(definition).replace(
    '\nmetadata:\n',
    '\nmetadata:\n  annotations:\n    helm.sh/resource-policy: keep\n',
  );
  // Nothing in the YAML may look like a template.
  const escaped = kept.replaceAll('{{', '{{ "{{" }}');
  return `${NOTE}{{- if .Values.crds.install }}\n${escaped}{{- end }}\n`;
}

/** Every generated file: its path from the root of the repository, and its content. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const crds = definitions.flatMap((definition): [string, string][] => {
    const file = `${GROUP}_${definition.plural}.yaml`;
    return [
      [`crds/${file}`, NOTE + crdYaml(definition)],
      [`charts/postfleet/templates/crds/${file}`, crdTemplate(definition)],
    ];
  });
  return new Map([...crds, ['docs/resources.md', resourcesDocument(definitions)]]);
}

async function differing(root: string, files: ReadonlyMap<string, string>): Promise<string[]> {
  const checks = [...files].map(async ([path, content]) => {
    const old = await readFile(join(root, path), 'utf8').catch(() => null);
    return old === content ? [] : [path];
  });
  return (await Promise.all(checks)).flat();
}

async function writeAll(root: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, content] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  const files = generatedFiles();
  const stale = await differing(root, files);
  if (!process.argv.includes('--check')) await writeAll(root, files);
  else if (stale.length > 0) {
    console.error(
      `differs from resources/, run "make generate":\n${stale.map((path) => `  ${path}`).join('\n')}`,
    );
    process.exitCode = 1;
  }
}
