import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { startPostgres } from '../src/postgres.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function dataDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-pg-'));
  // As root another user runs the server, and has to get there.
  await chmod(folder, 0o755);
  folders.push(folder);
  return folder;
}

const options = (folder: string) => ({
  dataDir: folder,
  binariesUnder: join(tmpdir(), 'earshot-pg-binaries'),
});

async function rows(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows as unknown[];
  } finally {
    await client.end();
  }
}

test('what was written is there after a kill -9 of the server and a new start', async () => {
  const folder = await dataDir();
  const first = await startPostgres(options(folder));
  await rows(first.url, 'create table t (n int); insert into t select generate_series(1, 1000)');
  const ended = new Promise<void>((resolve) => first.onExit(resolve));
  process.kill(first.pid, 'SIGKILL');
  await ended;
  await first.restart();
  expect(await rows(first.url, 'select count(*)::int as n from t')).toEqual([{ n: 1000 }]);
  await first.stop();
}, 60_000);

test('a server that a crashed host left running is adopted, not started twice', async () => {
  const folder = await dataDir();
  const left = await startPostgres(options(folder));
  const adopted = await startPostgres(options(folder));
  expect(adopted.pid).toBe(left.pid);
  expect(adopted.url).toBe(left.url);
  await adopted.stop();
  await expect(rows(left.url, 'select 1')).rejects.toThrow();
}, 60_000);
