// A KV bucket in memory, with revisions.
import { JetStreamApiError } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';

interface Value {
  readonly text: string;
  readonly revision: number;
}

export function bucketInMemory(): { readonly kv: KV; readonly values: Map<string, Value> } {
  const values = new Map<string, Value>();
  let last = 0;
  const put = (key: string, text: string, expected: number) => {
    if ((values.get(key)?.revision ?? 0) !== expected)
      throw new JetStreamApiError({ code: 400, err_code: 10071, description: 'wrong last sequence' });
    values.set(key, { text, revision: ++last });
    return last;
  };
  const kv = {
    get: async (key: string) => {
      const found = values.get(key);
      return found && { operation: 'PUT', revision: found.revision, json: () => JSON.parse(found.text) };
    },
    create: async (key: string, text: string) => put(key, text, 0),
    update: async (key: string, text: string, revision: number) => put(key, text, revision),
  };
  return { kv: kv as unknown as KV, values };
}
