import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { type Harness, startHarness } from './harness.ts';

interface Waiting {
  readonly calls: number;
  readonly oldestSeconds: number | null;
}

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

const drain = (on: boolean): Promise<Response> => h.send('/v1/drain', 'POST', { on });

test('a drain is asked of host, and shown by readiness and capacity until it is taken back', async () => {
  expect((await h.request('/readyz')).status).toBe(200);
  const asked = await drain(true);
  expect(asked.status).toBe(200);
  expect(await asked.json()).toEqual({ draining: true, liveCalls: null });
  const ready = await h.request('/readyz');
  expect(ready.status).toBe(503);
  expect(((await ready.json()) as { detail: string }).detail).toContain('draining');
  expect(await h.json('/v1/capacity')).toMatchObject({ draining: true });
  expect(await h.json('/v1/drain')).toMatchObject({ draining: true });

  expect(await (await drain(false)).json()).toMatchObject({ draining: false });
  expect((await h.request('/readyz')).status).toBe(200);
  expect(await h.json('/v1/capacity')).toMatchObject({ draining: false });
});

test('calls that were recorded first and wait are counted, with the age of the oldest', async () => {
  const capacity = async () => (await h.json<{ waiting: Waiting }>('/v1/capacity')).waiting;
  expect(await capacity()).toEqual({ calls: 0, oldestSeconds: null });
  const [young, old, begun] = [1, 90, 500].map((seconds) => Date.now() - seconds * 1000);
  for (const startedAtMs of [young!, old!]) {
    await h.writer.recognition(await h.writer.startCall({ startedAtMs }), 'waiting');
  }
  await h.writer.recognition(await h.writer.startCall({ startedAtMs: begun! }), 'catching-up');
  const { calls, oldestSeconds } = await capacity();
  expect(calls).toBe(2);
  expect(Math.floor((oldestSeconds ?? 0) / 60)).toBe(1);
});

test('a drain needs the key', async () => {
  const response = await fetch(`${h.url}/v1/drain`, { method: 'POST', body: '{"on":true}' });
  expect(response.status).toBe(401);
  expect(await h.json('/v1/drain')).toMatchObject({ draining: false });
});
