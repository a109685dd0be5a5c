import type { CallId, EventView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { API_KEY, type Harness, startHarness, until } from './harness.ts';
import { SseClient } from './sse.ts';

let h: Harness;
let call: CallId;
beforeAll(async () => {
  h = await startHarness();
  call = await h.writer.startCall();
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

const key = { authorization: `Bearer ${API_KEY}` };
const events = async (query: string): Promise<{ items: EventView[]; nextAfter: number }> =>
  h.json(`/v1/events?${query}`);
const lastSeq = async (): Promise<number> => (await events('limit=1000')).nextAfter;
const seqs = (client: SseClient): number[] => client.messages.map((message) => Number(message.id));
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('?after never skips an event while writers commit', async () => {
  const from = await lastSeq();
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; n < 25; n++) await h.writer.event(call, 'call.updated', { writer, n });
  });
  const seen: number[] = [];
  let after = from;
  let finished = false;
  const done = Promise.all(writers).then(() => (finished = true));
  for (;;) {
    const wereFinished = finished;
    const page = await events(`after=${after}&limit=7`);
    seen.push(...page.items.map((event) => event.seq));
    after = page.nextAfter;
    if (page.items.length === 0 && wereFinished) break;
  }
  await done;
  expect(seen).toEqual(range(from + 1, from + 100));
});

test('a list can be of one call', async () => {
  const other = await h.writer.startCall();
  const { items } = await events(`callId=${other}`);
  expect(items.map((event) => [event.callId, event.callSeq, event.type])).toEqual([
    [other, 1, 'call.started'],
  ]);
});

test('a stream goes on from Last-Event-ID, and before ?after', async () => {
  const last = await lastSeq();
  const client = await SseClient.open(`${h.url}/v1/events?after=1`, {
    ...key,
    'last-event-id': String(last - 3),
  });
  expect(client.response.status).toBe(200);
  expect(client.response.headers.get('content-type')).toContain('text/event-stream');
  expect(client.response.headers.get('x-content-type-options')).toBe('nosniff');
  await until('three old events', () => client.messages.length >= 3);
  await h.writer.event(call, 'call.updated', { live: true });
  await until('the live one', () => client.messages.length >= 4);
  expect(seqs(client)).toEqual(range(last - 2, last + 1));
  const message = client.messages.at(-1)!;
  expect(message.event).toBe('call.updated');
  expect(JSON.parse(message.data)).toMatchObject({ seq: last + 1, callId: call, data: { live: true } });
  client.close();
});

test('a stream that starts in the middle of writing has neither a hole nor a double', async () => {
  const from = await lastSeq();
  const clients: SseClient[] = [];
  for (let n = 0; n < 60; n++) {
    if (n % 12 === 0) clients.push(await SseClient.open(`${h.url}/v1/events?after=${from}`, key));
    await h.writer.event(call, 'call.updated', { n });
  }
  for (const client of clients) {
    await until('all events', () => client.messages.length >= 60);
    expect(seqs(client)).toEqual(range(from + 1, from + 60));
    client.close();
  }
});

test('a stream without a place to start begins with what is new, and can be of one call', async () => {
  const other = await h.writer.startCall();
  await until(
    'the tail to know it',
    async () => (await h.json<{ liveCalls: number }>('/v1/capacity')).liveCalls > 0,
  );
  const client = await SseClient.open(`${h.url}/v1/events?callId=${other}`, key);
  await h.writer.event(call, 'call.updated');
  await h.writer.event(other, 'call.updated', { mine: true });
  await until('an event', () => client.messages.some((message) => message.data.includes('mine')));
  expect(client.messages.every((message) => message.data.includes(other))).toBe(true);
  client.close();
});

test('a lost wake-up is made up for by looking', async () => {
  const client = await SseClient.open(`${h.url}/v1/events?after=${await lastSeq()}`, key);
  // Written behind the bus's back.
  await h.pool.query(
    `with taken as (update log_state set seq = seq + 1 returning seq, epoch),
     bumped as (update calls set call_seq = call_seq + 1 where id = $1 returning call_seq)
     insert into events select seq, epoch, $1, call_seq, 'call.updated', now(), '{"silent":true}' from taken, bumped`,
    [call],
  );
  await until('the event', () => client.messages.some((message) => message.data.includes('silent')));
  client.close();
});

test('a place that the log has not reached yields what is new', async () => {
  const last = await lastSeq();
  const client = await SseClient.open(`${h.url}/v1/events?after=${last + 1000}`, key);
  await until('the stream to be live', async () => {
    await h.writer.event(call, 'call.updated', { beyond: true });
    return client.messages.some((message) => message.data.includes('beyond'));
  });
  client.close();
});

test('streams end when the database was restored from a backup, so that clients notice', async () => {
  const client = await SseClient.open(`${h.url}/v1/events`, key);
  await h.pool.query('update log_state set epoch = epoch + 1');
  await until('the end', () => client.ended);
});
