import { readdir, readFile } from 'node:fs/promises';
import { EarshotError } from '@earshot/contracts';
import pg from 'pg';
import type { Log } from './log.ts';

export type Pool = pg.Pool;
export type PoolClient = pg.PoolClient;

// bigint columns (seq, ticks) stay far below 2^53: hand them out as numbers.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** Above any query of ours by far; searches have an index. */
const QUERY_LIMIT_MS = 30_000;

/** A pool that survives the server: an idle client's error is logged, the next query connects anew. */
export function createPool(databaseUrl: string, log: Log, max = 4): Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max,
    connectionTimeoutMillis: 5000,
    // A server that hangs without refusing (a partition, a stopped process) must not hold a caller for ever.
    query_timeout: QUERY_LIMIT_MS,
    keepAlive: true,
    application_name: 'earshot',
  });
  pool.on('error', (error) => log.warn({ err: error }, 'database connection lost'));
  // A client that is checked out has no listener of the pool's: an error between two queries would end the process. The
  // next query on it fails, which is where it is dealt with.
  pool.on('connect', (client) =>
    client.on('error', (error) => log.debug({ err: error }, 'database connection broke')),
  );
  return pool;
}

/** Runs body in a transaction; an error rolls back and is thrown on. */
export async function inTransaction<T>(pool: Pool, body: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('begin');
    const result = await body(client);
    await client.query('commit');
    return result;
  } catch (error) {
    failure = error as Error;
    await client.query('rollback').catch((rollbackError: Error) => (failure = rollbackError));
    throw error;
  } finally {
    // A client whose transaction failed may be broken: closed, not reused.
    client.release(failure);
  }
}

const MIGRATIONS = new URL('../migrations/', import.meta.url);

/**
 * Brings the schema up to date, one process at a time (advisory lock). Host runs it before the services start.
 * @throws EarshotError DATABASE_UNREACHABLE
 */
export async function migrate(databaseUrl: string, log: Log): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
  } catch (error) {
    throw new EarshotError('DATABASE_UNREACHABLE', (error as Error).message, { cause: error });
  }
  try {
    await client.query('select pg_advisory_lock(7316001)');
    await client.query(
      'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
    );
    const { rows } = await client.query<{ name: string }>('select name from migrations');
    const applied = new Set(rows.map((row) => row.name));
    const files = (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).sort();
    for (const file of files) {
      if (applied.has(file)) continue;
      await client.query('begin');
      await client.query(await readFile(new URL(file, MIGRATIONS), 'utf8'));
      await client.query('insert into migrations (name) values ($1)', [file]);
      await client.query('commit');
      log.info({ migration: file }, 'schema migrated');
    }
  } finally {
    await client.end();
  }
}
