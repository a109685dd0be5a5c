import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ToChild } from '@earshot/contracts';
import { createLog } from '@earshot/platform';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BindError, bindUdp, portOf, type RawHandle } from '@earshot/platform';
import { isStopped } from '../src/process-state.ts';
import { Standby } from '../src/standby.ts';
import { forkOf, type ProcessSpec, Supervised } from '../src/supervised.ts';

const log = createLog('test', 'silent');
const ENTRY = fileURLToPath(new URL('./fixtures/counting-child.ts', import.meta.url));
const LIMIT = { timeout: 15_000, interval: 20 };
let folder = '';
let handle: RawHandle;
let child: Supervised;
let starts = 0;

function supervise(
  hungAfterMs: number,
  readyWithinMs = 30_000,
  env: NodeJS.ProcessEnv = {},
  standby?: Standby,
  lent: ProcessSpec['lent'] = () => [
    { message: { type: 'lent', kind: 'rtp', port: 0, channel: null, id: null }, handle },
  ],
): Supervised {
  starts = 0;
  return new Supervised(
    {
      label: 'counting-0',
      entry: ENTRY,
      instance: 3,
      ...(standby === undefined ? {} : { standby }),
      env: (start) => ({
        ...process.env,
        SEEN_FILE: join(folder, 'seen'),
        ...(start > 0 ? env : {}),
      }),
      readyWithinMs,
      maxOldSpaceMb: 128,
      hungAfterMs,
      lent,
    },
    log,
    { message: () => undefined, ready: () => (starts += 1), exit: () => undefined },
  );
}

const seen = async (): Promise<number[]> =>
  (await readFile(join(folder, 'seen'), 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number);

function canBind(port: number): boolean {
  try {
    bindUdp('127.0.0.1', port).close();
    return true;
  } catch (error) {
    if (error instanceof BindError) return false;
    throw error;
  }
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'es-'));
  handle = bindUdp('127.0.0.1', 0);
});
afterEach(async () => {
  child.kill();
  handle.close();
  await rm(folder, { recursive: true, force: true });
});

test('a child killed with SIGKILL is replaced, and its replacement reads what arrived meanwhile', async () => {
  child = supervise(5000);
  expect(await child.start()).toEqual({ kind: 'ready' });
  const sender = dgram.createSocket('udp4');
  const send = (n: number): void => sender.send(String(n), portOf(handle), '127.0.0.1');
  for (let n = 0; n < 20; n++) send(n);
  await expect.poll(seen, LIMIT).toHaveLength(20);
  process.kill(child.pid ?? 0, 'SIGKILL');
  await expect.poll(() => child.ready, LIMIT).toBe(false);
  for (let n = 20; n < 60; n++) send(n);
  await expect.poll(seen, LIMIT).toEqual(Array.from({ length: 60 }, (_, n) => n));
  expect(starts).toBe(2);
  sender.close();
});

test('a process that stands by takes the place of one that died, and another stands by after it', async () => {
  const env = { ...process.env, SEEN_FILE: join(folder, 'seen'), EARSHOT_STANDBY: '1' };
  const standby = new Standby(() => forkOf({ entry: ENTRY, maxOldSpaceMb: 128 }, env), log);
  child = supervise(5000, 30_000, {}, standby);
  await child.start();
  standby.renew();
  await expect.poll(() => standby.ready, LIMIT).toBe(true);
  const waiting = standby.pid;
  process.kill(child.pid ?? 0, 'SIGKILL');
  await expect.poll(() => starts, LIMIT).toBe(2);
  expect(child.pid).toBe(waiting);
  expect(child.info['instance']).toBe('standby as 3');
  await expect.poll(() => standby.ready, LIMIT).toBe(true);
  expect(standby.pid).not.toBe(waiting);
  // One that dies while it stands by is no loss but of time.
  process.kill(standby.pid ?? 0, 'SIGKILL');
  await expect.poll(() => standby.ready, LIMIT).toBe(false);
  process.kill(child.pid ?? 0, 'SIGKILL');
  await expect.poll(() => starts, LIMIT).toBe(3);
  standby.stop();
});

test('a process that stands by has the sockets before it is needed, and reads what came meanwhile', async () => {
  const env = { ...process.env, SEEN_FILE: join(folder, 'seen'), EARSHOT_STANDBY: '1' };
  const port = portOf(handle);
  const message: ToChild = { type: 'lent', kind: 'rtp', port, channel: null, id: null };
  const standby = new Standby(
    () => forkOf({ entry: ENTRY, maxOldSpaceMb: 128 }, env),
    log,
    () => [{ message, handle }],
  );
  child = supervise(5000, 30_000, {}, standby, () => [{ message, handle }]);
  await child.start();
  standby.renew();
  await expect.poll(() => standby.ready, LIMIT).toBe(true);
  // Lent and given back while it stands by.
  const short = bindUdp('127.0.0.1', 0);
  const shortPort = portOf(short);
  standby.lend({
    message: { type: 'lent', kind: 'rtp', port: shortPort, channel: null, id: null },
    handle: short,
  });
  standby.giveBack(shortPort);
  short.close();
  await expect.poll(() => canBind(shortPort), LIMIT).toBe(true);
  const waiting = standby.pid;
  process.kill(child.pid ?? 0, 'SIGKILL');
  const sender = dgram.createSocket('udp4');
  for (let n = 0; n < 20; n++) sender.send(String(n), port, '127.0.0.1');
  await expect.poll(seen, LIMIT).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(child.pid).toBe(waiting);
  sender.close();
  standby.stop();
});

test('one that cannot be started is tried again', async () => {
  const env = { ...process.env, SEEN_FILE: join(folder, 'seen'), EARSHOT_STANDBY: '1' };
  let tries = 0;
  const standby = new Standby(
    () =>
      ++tries === 1
        ? spawn(join(folder, 'no-such-program'), { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
        : forkOf({ entry: ENTRY, maxOldSpaceMb: 128 }, env),
    log,
  );
  standby.renew();
  await expect.poll(() => standby.ready, LIMIT).toBe(true);
  expect(tries).toBe(2);
  standby.stop();
});

test('a process that a signal stopped takes nobody’s place', async () => {
  const env = { ...process.env, SEEN_FILE: join(folder, 'seen'), EARSHOT_STANDBY: '1' };
  const standby = new Standby(() => forkOf({ entry: ENTRY, maxOldSpaceMb: 128 }, env), log);
  child = supervise(5000, 30_000, {}, standby);
  await child.start();
  standby.renew();
  await expect.poll(() => standby.ready, LIMIT).toBe(true);
  const stopped = standby.pid ?? 0;
  process.kill(stopped, 'SIGSTOP');
  await expect.poll(() => isStopped(stopped), LIMIT).toBe(true);
  process.kill(child.pid ?? 0, 'SIGKILL');
  await expect.poll(() => starts, LIMIT).toBe(2);
  expect(child.pid).not.toBe(stopped);
  await expect.poll(() => standby.ready && standby.pid !== stopped, LIMIT).toBe(true);
  standby.stop();
});

test('a child that a signal stopped is noticed by its state, killed and replaced', async () => {
  child = supervise(30_000);
  await child.start();
  const first = child.pid ?? 0;
  expect(isStopped(first)).toBe(false);
  process.kill(first, 'SIGSTOP');
  await expect.poll(() => isStopped(first), LIMIT).toBe(true);
  await expect.poll(() => starts, LIMIT).toBe(2);
  expect(child.pid).not.toBe(first);
});

test('a replacement that does not become ready is killed, and another one started', async () => {
  child = supervise(5000, 1200, { MUTE_UNTIL_FILE: join(folder, 'speak') });
  await child.start();
  process.kill(child.pid ?? 0, 'SIGKILL');
  await expect.poll(() => child.pid, LIMIT).not.toBeNull();
  const mute = child.pid;
  await expect.poll(() => child.pid !== null && child.pid !== mute, LIMIT).toBe(true);
  await writeFile(join(folder, 'speak'), '');
  await expect.poll(() => starts, LIMIT).toBe(2);
});

test('children are not killed for a pause of host itself', async () => {
  child = supervise(1500);
  await child.start();
  const first = child.pid;
  const until = performance.now() + 2500;
  while (performance.now() < until); // host's loop is held up; the child goes on
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect(child.pid).toBe(first);
});

test('a drained child is not started again', async () => {
  child = supervise(5000);
  await child.start();
  await child.stop(5000);
  expect(child.pid).toBeNull();
  expect(starts).toBe(1);
});
