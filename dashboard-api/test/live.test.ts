import net from 'node:net';
import type { CallId, EventView, LiveMessage } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { stopServers } from '../../host/test/postgres.ts';
import { API_KEY, type Harness, startHarness, until } from './harness.ts';

let h: Harness;
let call: CallId;
beforeAll(async () => {
  h = await startHarness();
  call = await h.writer.startCall();
  await until('the tail to have read it', async () => {
    const client = await connect();
    client.socket.close();
    return (client.messages[0] as { seq: number }).seq === 1;
  });
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

interface Client {
  readonly socket: WebSocket;
  readonly messages: LiveMessage[];
  closed: number | null;
}

async function connect(query = ''): Promise<Client> {
  const socket = new WebSocket(`${h.url.replace('http', 'ws')}/v1/live${query}`, {
    headers: { authorization: `Bearer ${API_KEY}` },
  });
  const client: Client = { socket, messages: [], closed: null };
  socket.on('message', (data: Buffer) => client.messages.push(JSON.parse(data.toString()) as LiveMessage));
  socket.on('close', (code) => (client.closed = code));
  await until('hello', () => client.messages.length > 0);
  return client;
}

const logged = (client: Client): EventView[] =>
  client.messages.filter((message): message is EventView => 'callSeq' in message);
const typesOf = (client: Client): string[] => client.messages.map((message) => message.type);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const seqNow = async (): Promise<number> =>
  (await h.json<{ nextAfter: number }>('/v1/events?limit=1000')).nextAfter;

test('a client hears hello first, then partials and finals as they come', async () => {
  const client = await connect();
  expect(client.messages[0]).toEqual({ type: 'hello', epoch: 1, seq: await seqNow() });
  h.writer.partial(call, { channel: 0, startMs: 1000, text: 'Good' });
  await until('a partial', () => client.messages.length >= 2);
  h.writer.partial(call, { channel: 0, startMs: 1000, text: 'Good morning' });
  await until('another', () => client.messages.length >= 3);
  const segment = await h.writer.final(call, { channel: 0, startMs: 1000, text: 'Good morning' });
  await until('the final', () => client.messages.length >= 4);
  expect(typesOf(client)).toEqual(['hello', 'segment.partial', 'segment.partial', 'segment.final']);
  expect(client.messages[2]).toMatchObject({
    callId: call,
    data: { attempt: 1, segment: { id: segment.id } },
  });
  expect(logged(client)[0]).toMatchObject({ callId: call, data: { segment } });
  client.socket.close();
});

test('an older attempt and a late revision of a segment are not passed on', async () => {
  const client = await connect(`?callId=${call}`);
  const say = (text: string, attempt: number, rev: number): unknown =>
    h.writer.partial(call, { channel: 1, startMs: 5000, text }, { attempt, rev });
  say('one', 1, 5);
  say('late', 1, 4);
  say('two', 2, 1);
  say('old', 1, 6);
  say('three', 2, 2);
  await until('the newest', () => JSON.stringify(client.messages).includes('three'));
  const texts = client.messages.flatMap((message) =>
    message.type === 'segment.partial' && !('seq' in message) ? [message.data.segment.text] : [],
  );
  expect(texts).toEqual(['one', 'two', 'three']);
  await h.writer.final(call, { channel: 1, startMs: 5000, text: 'three' });
  client.socket.close();
});

test('one who comes in the middle of a sentence hears its beginning, and not that of a sentence that is over', async () => {
  const before = await connect(`?callId=${call}`);
  h.writer.partial(call, { channel: 0, startMs: 10_000, text: 'This one is over' });
  await h.writer.final(call, { channel: 0, startMs: 10_000, text: 'This one is over' });
  h.writer.partial(call, { channel: 0, startMs: 12_000, text: 'This one goes on' });
  await until('both', () => {
    const text = JSON.stringify(before.messages);
    return text.includes('goes on') && text.includes('segment.final');
  });
  const client = await connect(`?callId=${call}`);
  await until('the open partial', () => client.messages.length >= 2);
  expect(client.messages.slice(1)).toMatchObject([{ data: { segment: { text: 'This one goes on' } } }]);
  before.socket.close();
  client.socket.close();
});

test('?after replays from the log, without a hole or a double, while events go on', async () => {
  const from = await seqNow();
  const clients: Client[] = [];
  const joined: Promise<unknown>[] = [];
  for (let n = 0; n < 80; n++) {
    if (n % 16 === 3) joined.push(connect(`?after=${from}`).then((client) => clients.push(client)));
    await h.writer.event(call, 'call.updated', { n });
  }
  await Promise.all(joined);
  expect(clients).toHaveLength(5);
  for (const client of clients) {
    await until('all events', () => logged(client).length >= 80);
    expect(logged(client).map((event) => event.seq)).toEqual(range(from + 1, from + 80));
    expect(client.messages[0]?.type).toBe('hello');
    client.socket.close();
  }
});

test('?callId keeps other calls out, in the replay and live', async () => {
  const from = await seqNow();
  const other = await h.writer.startCall();
  await h.writer.event(call, 'call.updated');
  const client = await connect(`?after=${from}&callId=${other}`);
  h.writer.partial(call, { channel: 0, startMs: 20_000, text: 'not mine' });
  h.writer.partial(other, { channel: 0, startMs: 20_000, text: 'mine' });
  await h.writer.event(call, 'call.updated');
  await h.writer.event(other, 'call.updated');
  await until('both of its events', () => logged(client).length >= 2);
  expect(client.messages.slice(1).every((message) => 'callId' in message && message.callId === other)).toBe(
    true,
  );
  expect(JSON.stringify(client.messages)).toContain('"mine"');
  client.socket.close();
});

test('a cut connection goes on with ?after where it was', async () => {
  const client = await connect();
  await h.writer.event(call, 'call.updated', { n: 1 });
  await until('the first', () => logged(client).length >= 1);
  const { seq } = logged(client)[0]!;
  client.socket.terminate();
  await h.writer.event(call, 'call.updated', { n: 2 });
  await h.writer.event(call, 'call.updated', { n: 3 });
  const again = await connect(`?after=${seq}`);
  await until('what was missed', () => logged(again).length >= 2);
  expect(logged(again).map((event) => event.data)).toEqual([{ n: 2 }, { n: 3 }]);
  again.socket.close();
});

test('a wrong query is refused before the upgrade', async () => {
  const socket = new WebSocket(`${h.url.replace('http', 'ws')}/v1/live?after=x`, {
    headers: { authorization: `Bearer ${API_KEY}` },
  });
  const status = await new Promise((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    socket.on('error', resolve);
  });
  expect(status).toBe(400);
});

test('a client that takes nothing is told that it is behind and closed, and the others go on', async () => {
  const good = await connect();
  const slow = net.connect(h.server.port, '127.0.0.1');
  slow.write(
    `GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await new Promise((resolve) => slow.once('data', resolve));
  slow.pause();
  const clients = async (): Promise<number> => {
    const text = await (await h.request('/metrics')).text();
    return Number(/^earshot_live_clients\{[^}]*\} (\d+)$/m.exec(text)?.[1]);
  };
  const before = await clients();
  // Kernel buffers of both ends take some megabytes before the server's own buffer grows.
  const bulk = 'x'.repeat(500_000);
  let sent = 0;
  while ((await clients()) >= before && sent < 60) {
    await h.writer.event(call, 'call.updated', { bulk, n: sent });
    sent += 1;
    await until('the good client to have it', () => logged(good).length >= sent);
  }
  expect(await clients()).toBeLessThan(before);
  expect(logged(good).map((event) => event.data['n'])).toEqual(range(0, sent - 1));
  let tail = '';
  slow.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString('latin1')).slice(-500)));
  slow.resume();
  await until('the word that it is behind', () => tail.includes('"type":"behind"'), 20_000);
  slow.destroy();
  good.socket.close();
}, 60_000);

test('delivery is measured', async () => {
  const text = await (await h.request('/metrics')).text();
  expect(text).toMatch(/earshot_delivery_latency_seconds_count\{.*kind="partial".*\} [1-9]/);
  expect(text).toMatch(/earshot_delivery_latency_seconds_count\{.*kind="final".*\} [1-9]/);
  expect(text).toMatch(/earshot_http_request_seconds_count\{.*route="\/v1\/events".*\} [1-9]/);
});
