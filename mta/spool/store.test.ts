import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from './store.ts';

test('whoever reads while the map is taken anew sees what is stored', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'store-'));
  const store = Store.open(dir);
  const write = { id: 'parcels a', table: 'parcels', key: 'a', value: 'stored' } as const;
  await store.write([write], store.totals);
  for (let round = 0; round < 5; round++) {
    let over = false;
    const reopened = store.reopen().then(() => {
      over = true;
    });
    const seen = new Set<unknown>();
    // One reader in each turn of the promises, others in each turn of the event loop.
    const inTurns = (async () => {
      for (let turn = 0; turn < 50; turn++) {
        await null;
        seen.add(store.get('parcels', 'a'));
      }
    })();
    while (!over) {
      seen.add(store.get('parcels', 'a'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all([reopened, inTurns]);
    expect([...seen]).toEqual(['stored']);
    await store.write([write], store.totals);
  }
  await store.close();
  rmSync(dir, { recursive: true });
});
