import pg from 'pg';
import { startPostgres } from './servers.ts';

test('PostgreSQL keeps what it was given over a stop and a start', async () => {
  const postgres = await startPostgres();
  const ask = async (sql: string) => {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    return client.query(sql).finally(() => client.end());
  };
  try {
    await ask('create table t as select 7 as n');
    await postgres.stop();
    await expect(ask('select n from t')).rejects.toThrow(/ECONNREFUSED/);
    await postgres.start();
    expect((await ask('select n from t')).rows).toEqual([{ n: 7 }]);
  } finally {
    await postgres.remove();
  }
});
