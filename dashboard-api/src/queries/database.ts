import { EarshotError } from '@earshot/contracts';
import { inTransaction, type Pool, type PoolClient } from '@earshot/platform';
import pg from 'pg';

/** SQLSTATE classes in which the server is there but cannot serve: connection, resources, shutdown. */
const UNAVAILABLE_CLASSES = new Set(['08', '53', '57']);

/** Reads (and for webhooks, writes) with one kind of failure: EarshotError DATABASE_UNREACHABLE. */
export class Database {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** @throws EarshotError DATABASE_UNREACHABLE; pg.DatabaseError when the statement itself is refused */
  async rows<Row extends object>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    const result = await answered(this.#pool.query<Row>(sql, [...params]));
    return result.rows;
  }

  async first<Row extends object>(sql: string, params: readonly unknown[] = []): Promise<Row | null> {
    return (await this.rows<Row>(sql, params))[0] ?? null;
  }

  /** Several statements, all or none of them. @throws as rows does */
  async transaction<T>(body: (client: PoolClient) => Promise<T>): Promise<T> {
    return answered(inTransaction(this.#pool, body));
  }
}

async function answered<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    const refused =
      error instanceof pg.DatabaseError && !UNAVAILABLE_CLASSES.has((error.code ?? '').slice(0, 2));
    if (refused) throw error;
    throw new EarshotError('DATABASE_UNREACHABLE', 'The database did not answer.', { cause: error });
  }
}

/** The database's address with a bound on how long one statement may run, so that no request holds a connection. */
export function withStatementTimeout(databaseUrl: string, timeoutMs: number): string {
  const url = new URL(databaseUrl);
  url.searchParams.set('statement_timeout', String(timeoutMs));
  return url.href;
}
