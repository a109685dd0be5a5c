import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type CallId, TRACE_FIRST, TRACE_LAST, type TraceEntry } from '@earshot/contracts';
import { makeCall } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();
let nextId = 1_000_000;

const entry = (n: number, text = `MESSAGE ${n}`, omitted = 0): TraceEntry => ({
  atUs: n * 1000,
  direction: n % 2 === 0 ? 'in' : 'out',
  transport: 'udp',
  local: '192.0.2.1:5060',
  remote: null,
  text,
  omitted,
});

async function tell(callId: CallId, entries: readonly TraceEntry[]): Promise<void> {
  const id = nextId++;
  stage.around.gateway.send({ type: 'call.trace', id, callId, entries });
  await stage.around.acked(id);
}

const kept = (callId: CallId) =>
  stage.rows<{ n: number; omitted: number; text: string }>(
    'select (at_us / 1000)::integer as n, omitted, text from sip_messages where call_id = $1 order by at_us',
    [callId],
  );

async function startedCall(): Promise<CallId> {
  const call = makeCall();
  await stage.around.acked(stage.around.start(call));
  return call.callId;
}

test('messages that are told right behind the call itself are kept, however long the call log takes', async () => {
  const call = makeCall();
  const locked = await stage.running.pool.connect();
  await locked.query('begin; lock table calls in access exclusive mode');
  stage.around.start(call);
  const told = tell(call.callId, [entry(1)]);
  // Long enough for a batch that is written by itself to be on its way.
  await setTimeout(200);
  await locked.query('commit');
  locked.release();
  await told;
  expect((await kept(call.callId)).map(({ text }) => text)).toEqual(['MESSAGE 1']);
});

test('messages are kept in their order, each once however often it is told', async () => {
  const callId = await startedCall();
  await tell(callId, [entry(1), entry(2)]);
  await tell(callId, [entry(1), entry(2), entry(3)]);
  expect((await kept(callId)).map(({ n, text }) => [n, text])).toEqual([
    [1, 'MESSAGE 1'],
    [2, 'MESSAGE 2'],
    [3, 'MESSAGE 3'],
  ]);
  const [row] = await stage.rows('select * from sip_messages where at_us = 1000');
  expect(row).toMatchObject({ direction: 'out', transport: 'udp', local: '192.0.2.1:5060', remote: null });
});

test('of a call with many messages the first and the last are kept, and those between are counted', async () => {
  const callId = await startedCall();
  for (let n = 0; n < 300; n += 30) {
    await tell(
      callId,
      Array.from({ length: 30 }, (_, i) => entry(n + i)),
    );
  }
  const rows = await kept(callId);
  expect(rows.map(({ n }) => n)).toEqual([
    ...Array.from({ length: TRACE_FIRST }, (_, n) => n),
    ...Array.from({ length: TRACE_LAST }, (_, n) => 300 - TRACE_LAST + n),
  ]);
  expect(rows.map(({ omitted }) => omitted).filter((omitted) => omitted > 0)).toEqual([200]);
  expect(rows[TRACE_FIRST]!.omitted).toBe(200);
  // What the gateway left out is counted with them.
  await tell(callId, [entry(400, 'BYE', 7)]);
  await tell(
    callId,
    Array.from({ length: TRACE_LAST }, (_, i) => entry(500 + i)),
  );
  expect((await kept(callId))[TRACE_FIRST]!.omitted).toBe(300 - TRACE_FIRST + 1 + 7);
});

test('a trace takes a bounded room, however long its messages are', async () => {
  const callId = await startedCall();
  const long = 'x'.repeat(16_000);
  await tell(
    callId,
    Array.from({ length: 40 }, (_, n) => entry(n, long)),
  );
  const rows = await kept(callId);
  const chars = rows.reduce((sum, { text }) => sum + text.length, 0);
  expect(chars).toBeLessThanOrEqual(256 * 1024);
  expect(rows[0]!.n).toBe(0);
  expect(rows.at(-1)!.n).toBe(39);
  expect(rows.length + rows.reduce((sum, { omitted }) => sum + omitted, 0)).toBe(40);
});

test('messages of a call that is not in the log are passed over, and a trace goes with its call', async () => {
  const unknown = makeCall().callId;
  await tell(unknown, [entry(1)]);
  expect(await kept(unknown)).toEqual([]);
  const callId = await startedCall();
  await tell(callId, [entry(1)]);
  await stage.rows('delete from calls where id = $1', [callId]);
  expect(await kept(callId)).toEqual([]);
});
