import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Postgres, startPostgres } from '../src/postgres.ts';

let shared: Promise<{ server: Postgres; folder: string }> | null = null;

async function start(): Promise<{ server: Postgres; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-pg-'));
  // As root another user runs the server, and has to get there.
  await chmod(folder, 0o755);
  const server = await startPostgres({
    dataDir: folder,
    binariesUnder: join(tmpdir(), 'earshot-pg-binaries'),
  });
  return { server, folder };
}

export interface TestDatabase {
  readonly url: string;
  stop(): Promise<void>;
}

/** A fresh, empty database on a server that the test file's process shares. stopServers() in afterAll ends it. */
export async function withPostgres(): Promise<TestDatabase> {
  shared ??= start();
  const { server } = await shared;
  const name = `t${randomBytes(6).toString('hex')}`;
  await query(server.url, `create database ${name}`);
  return {
    url: server.url.replace(/earshot$/, name),
    stop: () => query(server.url, `drop database if exists ${name} with (force)`),
  };
}

/** Ends the shared server of this process and removes its folder. */
export async function stopServers(): Promise<void> {
  if (shared === null) return;
  const { server, folder } = await shared;
  shared = null;
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

/** A server of its own, for tests that stop and start it. */
export async function ownPostgres(): Promise<Postgres & { remove(): Promise<void> }> {
  const { server, folder } = await start();
  return Object.assign(server, {
    remove: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  });
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
