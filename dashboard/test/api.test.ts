import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { API_KEY, type Harness, startHarness } from '../../dashboard-api/test/harness.ts';
import { stopServers } from '../../host/test/postgres.ts';
import * as api from '../src/net/api.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
  // As in the page, paths are relative, and the session goes along by itself.
  const fetched = fetch;
  const authorization = `Bearer ${API_KEY}`;
  vi.stubGlobal('fetch', (path: string, init: RequestInit) =>
    fetched(h.url + path, { ...init, headers: { ...(init.headers as object), authorization } }),
  );
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  vi.unstubAllGlobals();
  await h.stop();
  await stopServers();
});

test('a ledger of many pages is shown whole', async () => {
  const callId = await h.writer.startCall();
  const spans = Array.from({ length: 40 }, (_, n): ['received' | 'lost', number] => [
    n % 2 === 0 ? 'received' : 'lost',
    1000,
  ]);
  const notes = Array.from({ length: 40 }, (_, n) => ({
    tick: 8 * 1000 * n,
    kind: 'ssrc' as const,
    value: n,
  }));
  await h.writer.ledger(callId, 0, 0, spans, { ended: true, notes });
  await h.writer.ledger(callId, 1, 0, [['received', 40_000]], { ended: true });
  const onePage = await api.ledger(callId, 0);
  const pages = vi.spyOn(globalThis, 'fetch');
  const whole = await api.ledger(callId, 0, 7);
  expect(pages.mock.calls.length).toBeGreaterThan(5);
  expect(whole.channels[0]!.spans).toHaveLength(40);
  expect(whole.channels[0]!.notes).toHaveLength(40);
  expect(whole).toEqual(onePage);
});
