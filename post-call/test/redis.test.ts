/** Jobs on a real Redis (Debian's redis-server), as REDIS_URL has them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog, createRegistry } from '@earshot/platform';
import { afterEach, expect, test } from 'vitest';
import { createMetrics } from '../src/metrics.ts';
import { Jobs } from '../src/queues/queues.ts';

const REDIS = '/usr/bin/redis-server';
const log = createLog('test', 'silent');
const metrics = () => createMetrics(createRegistry('test'));
let server: ChildProcess | null = null;
let folder = '';
afterEach(async () => {
  server?.kill('SIGKILL');
  server = null;
  if (folder !== '') await rm(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function redis(): Promise<string> {
  folder = await mkdtemp(join(tmpdir(), 'es-'));
  const port = await freePort();
  server = spawn(REDIS, ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''], {
    stdio: 'ignore',
  });
  return `redis://127.0.0.1:${port}`;
}

test.skipIf(!existsSync(REDIS))('a job on Redis is done once, also when it is enqueued twice', async () => {
  const jobs = await Jobs.open({ redisUrl: await redis() }, '', log, metrics());
  const done: string[] = [];
  jobs.work<{ n: number }>('recording', { concurrency: 2, backoffMs: () => 10 }, async (job) => {
    done.push(job.id ?? '');
    return Promise.resolve();
  });
  const sender = jobs.sender<{ n: number }>('recording', {});
  await sender.add([{ id: 'recording-a', data: { n: 1 } }]);
  await sender.add([
    { id: 'recording-a', data: { n: 1 } },
    { id: 'recording-b', data: { n: 2 } },
  ]);
  await expect.poll(() => done, { timeout: 10_000 }).toContain('recording-b');
  expect(done.filter((id) => id === 'recording-a')).toHaveLength(1);
  await jobs.close(1000);
});

test('a Redis that does not answer is named, with what to check', async () => {
  const port = await freePort();
  const error = await Jobs.open({ redisUrl: `redis://127.0.0.1:${port}` }, '', log, metrics()).catch(
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE' });
  expect((error as Error).message).toContain(String(port));
}, 30_000);
