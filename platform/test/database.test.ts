import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServers, type TestDatabase, withPostgres } from '../../host/test/postgres.ts';
import { createPool, inTransaction, migrate, type Pool } from '../src/database.ts';
import { createLog } from '../src/log.ts';

const log = createLog('test', 'silent');
let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await withPostgres();
  pool = createPool(database.url, log, 2);
}, 60_000);
afterAll(async () => {
  await pool.end();
  await stopServers();
});

test('migrations that run at the same time are applied once', async () => {
  await Promise.all([migrate(database.url, log), migrate(database.url, log)]);
  const { rows } = await pool.query<{ name: string }>('select name from migrations order by name');
  expect(rows.map((row) => row.name)).toEqual(readdirSync(join(import.meta.dirname, '../migrations')).sort());
});

test('a connection that the server ends inside a transaction fails that transaction, not the process', async () => {
  const failed = inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const gone = new Promise((resolve) => client.once('end', resolve));
    await pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await gone;
    await client.query('select 1');
  });
  await expect(failed).rejects.toThrow();
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('an error in the body leaves nothing behind', async () => {
  await pool.query('create table t (n int)');
  const failed = inTransaction(pool, async (client) => {
    await client.query('insert into t values (1)');
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  expect((await pool.query('select * from t')).rows).toEqual([]);
});

test('a database that does not answer is DATABASE_UNREACHABLE', async () => {
  await expect(migrate('postgresql://nobody@127.0.0.1:1/none', log)).rejects.toMatchObject({
    code: 'DATABASE_UNREACHABLE',
  });
});
