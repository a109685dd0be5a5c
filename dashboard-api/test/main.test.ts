import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FromChild, ToChild, ToLive } from '@earshot/contracts';
import { Dialer, migrate } from '@earshot/platform';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { stopServers, type TestDatabase, withPostgres } from '../../host/test/postgres.ts';
import { log, until as untilSoon } from './harness.ts';

/** A process that starts beside other suites on two cores: what takes a second may take twenty. */
const WAIT_LIMIT_MS = 45_000;
vi.setConfig({ testTimeout: 120_000 });

const until = <T>(what: string, probe: () => T | Promise<T>): Promise<NonNullable<T>> =>
  untilSoon(what, probe, WAIT_LIMIT_MS);

let database: TestDatabase;
let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  database = await withPostgres();
  await migrate(database.url, log);
  folder = await mkdtemp(join(tmpdir(), 'es-main-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await database.stop();
  await rm(folder, { recursive: true, force: true });
});
afterAll(() => stopServers());

interface Child {
  readonly process: ChildProcess;
  readonly said: FromChild[];
  exitCode: number | null;
  tell(message: ToChild): void;
}

/** The process as host starts it. */
function start(env: Record<string, string>): Child {
  const process_ = fork(join(import.meta.dirname, '../main.ts'), {
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      DATA_DIR: folder,
      EARSHOT_RUN_DIR: folder,
      EARSHOT_INSTANCE: '0',
      HTTP_PORT: '0',
      LOG_LEVEL: 'error',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  children.push(process_);
  const child: Child = {
    process: process_,
    said: [],
    exitCode: null,
    tell: (message) => void process_.send(message),
  };
  process_.on('message', (message: FromChild) => {
    child.said.push(message);
    if (message.type === 'metrics.get') child.tell({ type: 'metrics', id: message.id, processes: [] });
  });
  process_.on('exit', (code) => (child.exitCode = code));
  child.tell({ type: 'lent.all' });
  return child;
}

const urlOf = async (child: Child): Promise<string> => {
  const ready = await until('the process to be ready', () => child.said.find((one) => one.type === 'ready'));
  return String(ready.info['url']);
};

test('the process says where it listens, serves with the key it made, and leaves when it is drained', async () => {
  const child = start({ EARSHOT_SIGNIN_TOKEN: 'from-host' });
  const url = await urlOf(child);
  const key = (await readFile(join(folder, 'api-key'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${key}` };
  expect((await fetch(`${url}/v1/capacity`, { headers })).status).toBe(200);
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  const bus = new Dialer<never, ToLive>(join(folder, 'api-0.live'), {
    open: () => undefined,
    message: () => undefined,
    lost: () => undefined,
  });
  await until('the process to be ready for requests', async () => (await fetch(`${url}/readyz`)).ok);
  const link = await fetch(`${url}/signin?token=from-host`, { redirect: 'manual' });
  expect(link.status).toBe(303);
  const stream = await fetch(`${url}/v1/events`, { headers: { ...headers, accept: 'text/event-stream' } });
  expect(stream.status).toBe(200);
  child.tell({ type: 'drain' });
  await until('the process to leave', () => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
  bus.close();
  await stream.body?.cancel();
});

test('a port in use is said with its code', async () => {
  const port = new URL(await urlOf(start({}))).port;
  const second = start({ HTTP_PORT: port, EARSHOT_INSTANCE: '1' });
  const fatal = await until('the reason', () => second.said.find((one) => one.type === 'fatal'));
  expect(fatal).toMatchObject({ code: 'PORT_IN_USE' });
  expect(fatal.message).toContain(port);
  await until('the process to leave', () => second.exitCode !== null);
});

test('an address that this machine lacks is named with its setting', async () => {
  const child = start({ HTTP_BIND: '192.0.2.77' });
  const fatal = await until('the reason', () => child.said.find((one) => one.type === 'fatal'));
  expect(fatal).toMatchObject({ code: 'CONFIG_INVALID' });
  expect(fatal.message).toMatch(/HTTP cannot listen on 192\.0\.2\.77:\d+: .*\(HTTP_BIND/);
  await until('the process to leave', () => child.exitCode !== null);
});

test('a database that is away is said with its code', async () => {
  const child = start({ DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' });
  const fatal = await until('the reason', () => child.said.find((one) => one.type === 'fatal'));
  expect(fatal).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
});
