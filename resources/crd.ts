// A CustomResourceDefinition from a kind's definition.
import type { Definition } from './definitions.ts';
import { GROUP, VERSION } from './kinds.ts';
import type { Rule } from './rule.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';

const literal = (text: string): string => JSON.stringify(text);

/** A rule as the API server reads it. `message` stays for tools that show rules; `messageExpression` adds what was found. */
function celValidation(rule: Rule<never>): object {
  const [format, ...cel] = rule.found;
  return {
    rule: rule.rule,
    message: rule.message,
    messageExpression: `${literal(`${rule.message}: ${format}`)}.format([${cel.join(', ')}])`,
    reason: rule.reason ?? 'FieldValueInvalid',
    fieldPath: rule.fieldPath,
  };
}

/** The only rule on metadata: CEL sees nothing of it but the name. */
export function nameMessage({ kind, name }: Definition): string {
  const dots = name.pattern.includes('.') ? 'dots and ' : '';
  return `the name of a ${kind} may have lower-case letters, digits, ${dots}hyphens and at most ${name.maxLength} characters: ${name.why}`;
}

function nameValidation(definition: Definition): object {
  const { pattern, maxLength } = definition.name;
  return {
    rule: `self.metadata.name.size() <= ${maxLength} && self.metadata.name.matches(${literal(pattern)})`,
    message: nameMessage(definition),
  };
}

function schema(definition: Definition): StructuralSchema {
  return {
    type: 'object',
    description: definition.summary,
    required: ['spec'],
    'x-kubernetes-validations': [nameValidation(definition)],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: {
        ...structuralSchema(definition.spec),
        'x-kubernetes-validations': definition.rules.map(celValidation),
      },
      status: structuralSchema(definition.status, false),
    },
  };
}

/** The CRD of a kind, as the API server takes it (apiextensions.k8s.io/v1). */
export function customResourceDefinition(definition: Definition): object {
  const { kind, plural, singular, shortNames, columns, scale, selectableFields } = definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}`, labels: { 'app.kubernetes.io/name': 'postfleet' } },
    spec: {
      group: GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: ['postfleet'] },
      scope: 'Namespaced',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: columns,
          ...(selectableFields && { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) }),
          subresources: { status: {}, ...(scale && { scale }) },
          schema: { openAPIV3Schema: schema(definition) },
        },
      ],
    },
  };
}
