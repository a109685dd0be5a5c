import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { closeGate, inside, newGateState } from '../../src/engine/native-gate.ts';

const ENDING = fileURLToPath(new URL('../support/ending-child.ts', import.meta.url));

test('a process that ends in the middle of a step ends in order, and onnxruntime has nothing to say', async () => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ENDING], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, error] = [text(child.stdout), text(child.stderr)];
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await out).toBe('ends\n');
  expect(await error).toBe('');
}, 60_000);

test('a gate is closed when what is inside has left, or when the time is up', async () => {
  const state = newGateState();
  expect(closeGate(state, 20)).toBe(false);
  const open = newGateState();
  expect(await inside(open, () => Promise.resolve('done'))).toBe('done');
  expect(closeGate(open, 0)).toBe(true);
});

test('what fails inside leaves, too', async () => {
  const state = newGateState();
  await expect(inside(state, () => Promise.reject(new Error('no such tensor')))).rejects.toThrow('tensor');
  expect(closeGate(state, 0)).toBe(true);
});

test('a closed gate lets nothing in, and its worker can be ended', async () => {
  const state = newGateState();
  closeGate(state, 0);
  const gate = JSON.stringify(new URL('../../src/engine/native-gate.ts', import.meta.url).href);
  const worker = new Worker(
    `import(${gate}).then(({ inside }) => inside(require('node:worker_threads').workerData, async () => process.exit(5)))`,
    { eval: true, workerData: state },
  );
  // It has left: the state says so, and not that a call runs.
  await expect.poll(() => Atomics.load(state, 0), { timeout: 20_000 }).toBe(0);
  expect(await worker.terminate()).toBe(1);
}, 30_000);
