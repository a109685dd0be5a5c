import type pg from 'pg';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { stopServers, type TestDatabase, withPostgres } from '../../host/test/postgres.ts';
import { migrated, type Running, startService, Surroundings } from './harness.ts';

export interface EventRow extends pg.QueryResultRow {
  seq: number;
  call_seq: number;
  type: string;
  data: Record<string, unknown>;
}

/** The service on a database of its own with everything around it connected, made anew for each test of a file. */
export class Stage {
  database!: TestDatabase;
  around!: Surroundings;
  running!: Running;
  /** Ahead of the real clock, ms. */
  aheadMs = 0;

  async start(): Promise<void> {
    this.database = await withPostgres();
    await migrated(this.database.url);
    this.around = await Surroundings.make();
    await this.around.listenLive();
    this.aheadMs = 0;
    await this.startService();
  }

  async startService(): Promise<void> {
    this.running = await startService(this.database.url, this.around.runDir, {
      now: () => performance.now() + this.aheadMs,
    });
    await this.around.connected();
  }

  /** As if the process had been replaced. */
  async restart(): Promise<void> {
    await this.running.stop();
    await this.startService();
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await this.around.close();
    await this.database.stop();
  }

  async rows<T extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.running.pool.query<T>(text, values)).rows;
  }

  events(): Promise<EventRow[]> {
    return this.rows<EventRow>('select seq, call_seq, type, data from events order by seq');
  }
}

export function useStage(): Stage {
  const stage = new Stage();
  beforeEach(() => stage.start());
  afterEach(() => stage.stop());
  afterAll(stopServers);
  return stage;
}
