// A rule of a spec that a schema cannot say. It stands here twice, side by side: in CEL for the API server, and as a function for
// reconcile, so that a cluster whose API server let something through still keeps the running configuration.

export interface Rule<Spec> {
  /** Where the fault is, in the spec: `.replicas`. */
  readonly fieldPath: string;
  /** What must hold, and why. It is followed by what was found. */
  readonly message: string;
  /** CEL over `self` (and `oldSelf`, which makes it a rule of updates only). */
  readonly rule: string;
  /** What was found: a format, and CEL for each of its places. Not concatenated: the API server cannot bound the cost of that. */
  readonly found: readonly [format: string, ...cel: string[]];
  /** Not FieldValueDuplicate: the API server leaves the message out with it. */
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden';
  /** The same in TypeScript: what was found, or null when the rule holds. Without `old` the rules of updates hold. */
  readonly fault: (spec: Spec, old: Spec | undefined) => string | number | null;
}

/** In a list of objects, `key` may have each value only once. */
export function unique<Spec>(
  list: string,
  key: string,
  message: string,
  items: (spec: Spec) => readonly Readonly<Record<string, unknown>>[],
): Rule<Spec> {
  const all = `self.${list}`;
  const once = `${all}.exists_one(b, b.${key} == a.${key})`;
  return {
    fieldPath: `.${list}`,
    message,
    rule: `${all}.all(a, ${once})`,
    found: ['%s', `${all}.filter(a, !${once})[0].${key}`],
    fault: (spec) => {
      const values = items(spec).map((item) => String(item[key]));
      return values.find((value) => values.indexOf(value) !== values.lastIndexOf(value)) ?? null;
    },
  };
}

/** A rule over each item of a list: the first item that breaks it is found. `cel` is over the item `a`. */
export function each<Spec, Item>(options: {
  readonly list: string;
  readonly message: string;
  readonly cel: string;
  readonly found: string;
  readonly items: (spec: Spec) => readonly Item[];
  readonly holds: (item: Item, spec: Spec) => boolean;
  readonly show: (item: Item) => string;
}): Rule<Spec> {
  return {
    fieldPath: `.${options.list}`,
    message: options.message,
    rule: `self.${options.list}.all(a, ${options.cel})`,
    found: ['%s', `self.${options.list}.filter(a, !(${options.cel}))[0]${options.found}`],
    fault: (spec) => {
      const item = options.items(spec).find((one) => !options.holds(one, spec));
      return item === undefined ? null : options.show(item);
    },
  };
}
