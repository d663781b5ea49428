// A zod schema as the structural OpenAPI v3 schema of a CRD. Kubernetes takes less than JSON Schema offers: no additionalProperties beside
// properties, integers with a format, and only the keywords that it knows.
import { z } from 'zod';

export interface StructuralSchema {
  readonly type: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly items?: StructuralSchema;
  readonly additionalProperties?: StructuralSchema;
  readonly required?: readonly string[];
  readonly [keyword: string]: unknown;
}

/** The widest integer that JavaScript has; zod writes it where nobody gave a limit. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const DROPPED = new Set(['cel', 'propertyNames', '$schema']);

/**
 * The structural schema of `schema` as a user writes it (what has a default is not required).
 * @param defaults false leaves the defaults out: what the operator writes itself needs none.
 */
export function structuralSchema(schema: z.ZodType, defaults = true): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0' }), defaults);
}

function convert(node: object, defaults: boolean): StructuralSchema {
  const kept = Object.entries(node).filter(
    ([keyword, value]) =>
      !DROPPED.has(keyword) &&
      Math.abs(Number(value)) !== UNLIMITED &&
      (defaults || keyword !== 'default') &&
      !(keyword === 'additionalProperties' && value === false),
  );
  const converted = kept.map(([keyword, value]) => [keyword, convertKeyword(keyword, value, defaults)]);
  const schema: StructuralSchema = Object.fromEntries(converted);
  return schema.type === 'integer' ? { ...schema, format: 'int64' } : schema;
}

function convertKeyword(keyword: string, value: unknown, defaults: boolean): unknown {
  if (keyword === 'items' || keyword === 'additionalProperties') return convert(value as object, defaults);
  if (keyword !== 'properties') return value;
  const properties = Object.entries(value as Record<string, object>);
  return Object.fromEntries(properties.map(([name, node]) => [name, convert(node, defaults)]));
}
