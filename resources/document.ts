// docs/resources.md: the fields, columns and rules of each kind, and the reasons, as tables.
import type { Definition } from './definitions.ts';
import { API_VERSION } from './kinds.ts';
import { CONDITION_TYPES, REASONS } from './reasons.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';

const HEAD = `# Resources

Group \`${API_VERSION}\`, all namespaced; references stay in the namespace. Generated from \`resources/\` by \`make generate\`.
\`kubectl get postfleet\` lists all of them; \`-o wide\` adds the message of the Ready condition.
`;

/** The whole document. */
export function resourcesDocument(definitions: readonly Definition[]): string {
  return [HEAD, ...definitions.map(kindSection), reasonsSection()].join('\n');
}

function kindSection(definition: Definition): string {
  const { kind, summary, plural, shortNames, rules, name } = definition;
  const names = [plural, ...shortNames].map((one) => `\`${one}\``).join(', ');
  return `## ${kind}

${summary} In kubectl: ${names}. Names: at most ${name.maxLength} characters, as ${name.why}.

${table(['spec', 'type', 'default', 'meaning'], fieldRows(structuralSchema(definition.spec), ''))}
${rules.length > 0 ? `The API server also refuses what breaks one of these rules:\n\n${rules.map((rule) => `- \`spec${rule.fieldPath}\`: ${rule.message}`).join('\n')}\n` : ''}
${table(['status', 'type', 'meaning'], statusRows(definition))}`;
}

const statusRows = (definition: Definition): string[][] =>
  fieldRows(structuralSchema(definition.status, false), '').map(([field = '', type = '', , meaning = '']) => [
    field,
    type.replace(', required', ''),
    meaning,
  ]);

/** One row a field, depth first: name with its path, type with limits, default, meaning. */
function fieldRows(schema: StructuralSchema, path: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const required = schema.required?.includes(name) ?? false;
    const row = [
      `\`${path}${name}\``,
      typeText(field, required),
      defaultText(field),
      field.description ?? '',
    ];
    return [row, ...fieldRows(field, `${path}${name}.`), ...itemRows(field, `${path}${name}`)];
  });
}

function itemRows(field: StructuralSchema, path: string): string[][] {
  if (field.items) return fieldRows(field.items, `${path}[].`);
  const values = field.additionalProperties?.items;
  return values ? fieldRows(values, `${path}.*[].`) : [];
}

function typeText(field: StructuralSchema, required: boolean): string {
  const parts = [nameOfType(field), limitText(field)].filter(Boolean);
  return parts.join(' ') + (required ? ', required' : '');
}

function nameOfType(field: StructuralSchema): string {
  if (field.enum) return field.enum.map((value) => `\`${value}\``).join(' or ');
  if (field.items) return `list of ${nameOfType(field.items)}`;
  if (field.additionalProperties) return `map of ${nameOfType(field.additionalProperties)}`;
  return field.type;
}

function limitText(field: StructuralSchema): string {
  const bound = (low: unknown, high: unknown, unit: string): string => {
    if (low === undefined && high === undefined) return '';
    if (high === undefined) return `≥ ${low}${unit}`;
    return low === undefined ? `≤ ${high}${unit}` : `${low} to ${high}${unit}`;
  };
  if (field.items) return bound(field.minItems, field.maxItems, ' items');
  if (field.additionalProperties) return bound(undefined, field.maxProperties, ' entries');
  return bound(field.minimum, field.maximum, '');
}

const defaultText = (field: StructuralSchema): string =>
  field.default === undefined || (field.properties && Object.keys(field.properties).length > 0)
    ? ''
    : `\`${JSON.stringify(field.default)}\``;

function reasonsSection(): string {
  const rows = (entries: object): string[][] =>
    Object.entries(entries).map(([name, meaning]) => [`\`${name}\``, String(meaning)]);
  return `## Conditions

${table(['type', 'meaning'], rows(CONDITION_TYPES))}
Reasons of conditions and events:

${table(['reason', 'meaning'], rows(REASONS))}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}
