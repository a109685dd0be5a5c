import { PG_CHANNELS } from '@earshot/contracts';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { hostKind, webhookUrlFault } from '../src/webhook-url.ts';
import { type Harness, startHarness, until } from './harness.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: string[];
  readonly secret?: string;
  readonly active: boolean;
}
const send = (path: string, method: string, body?: unknown): Promise<Response> => h.send(path, method, body);
const create = async (body: unknown): Promise<Webhook> =>
  (await (await send('/v1/webhooks', 'POST', body)).json()) as Webhook;
const outbox = async (): Promise<unknown[]> => {
  const { rows } = await h.pool.query<{ payload: unknown }>('delete from outbox returning id, payload');
  return rows.map((row) => row.payload);
};

test('a new webhook gets a secret of Standard Webhooks, shown once', async () => {
  const webhook = await create({ url: 'https://crm.example.com/hook' });
  expect(webhook.events).toEqual(['call.ended', 'transcript.completed']);
  expect(webhook.active).toBe(true);
  const random = Buffer.from(webhook.secret!.replace(/^whsec_/, ''), 'base64');
  expect(webhook.secret).toMatch(/^whsec_[A-Za-z0-9+/]+=*$/);
  expect(random.length).toBeGreaterThanOrEqual(24);
  expect(random.length).toBeLessThanOrEqual(32);
  const read = await (await send(`/v1/webhooks/${webhook.id}`, 'GET')).text();
  const list = await (await send('/v1/webhooks', 'GET')).text();
  expect(read + list).not.toContain('whsec_');
  expect((await create({ url: 'https://crm.example.com/hook' })).secret).not.toBe(webhook.secret);
});

test('a webhook is changed field by field, and gone after it was deleted', async () => {
  const webhook = await create({ url: 'https://crm.example.com/hook', events: ['segment.final'] });
  const path = `/v1/webhooks/${webhook.id}`;
  const changed = (await (await send(path, 'PATCH', { active: false })).json()) as Webhook;
  expect(changed).toMatchObject({ url: webhook.url, events: ['segment.final'], active: false });
  expect((await send(path, 'PATCH', { url: 'http://192.168.1.1/' })).status).toBe(400);
  expect((await send(path, 'PATCH', { secret: 'whsec_mine' })).status).toBe(400);
  expect((await send(path, 'DELETE')).status).toBe(204);
  expect((await send(path, 'GET')).status).toBe(404);
  expect((await send(path, 'DELETE')).status).toBe(404);
});

test('a test queues the newest event that the webhook asks for, and wakes post-call', async () => {
  const call = await h.writer.startCall();
  await h.writer.endCall(call);
  await h.writer.event(call, 'call.updated');
  const webhook = await create({ url: 'http://127.0.0.1:9000/hook' });
  await outbox();
  const listener = new pg.Client({ connectionString: h.pool.options.connectionString });
  await listener.connect();
  let woken = 0;
  listener.on('notification', () => (woken += 1));
  await listener.query(`listen ${PG_CHANNELS.outbox}`);
  const response = await send(`/v1/webhooks/${webhook.id}/test`, 'POST');
  expect(response.status).toBe(202);
  const queued = (await response.json()) as { seq: number };
  expect(queued).toMatchObject({ event: 'call.ended', callId: call });
  expect(await outbox()).toEqual([
    { kind: 'webhook', seq: queued.seq, event: 'call.ended', callId: call, webhookId: webhook.id },
  ]);
  await until('the wake-up', () => woken > 0);
  await listener.end();
});

test('a replay queues what follows a seq and the webhook asks for, in order', async () => {
  const call = await h.writer.startCall();
  const first = await h.writer.event(call, 'call.updated', { n: 1 });
  const second = await h.writer.event(call, 'segment.final', { n: 2 });
  const third = await h.writer.event(call, 'call.updated', { n: 3 });
  const webhook = await create({ url: 'https://crm.example.com/hook', events: ['call.updated'] });
  await outbox();
  const all = await send(`/v1/webhooks/${webhook.id}/replay`, 'POST', { after: first - 1 });
  expect(await all.json()).toEqual({ queued: 2, through: third, more: false });
  const queued = (await outbox()) as { seq: number; webhookId: string }[];
  expect(queued.map((row) => [row.seq, row.webhookId])).toEqual([
    [first, webhook.id],
    [third, webhook.id],
  ]);
  const none = await send(`/v1/webhooks/${webhook.id}/replay`, 'POST', { after: third });
  expect(await none.json()).toEqual({ queued: 0, through: null, more: false });
  expect(second).toBe(first + 1);
});

test('deliveries are listed newest first, a page at a time', async () => {
  const webhook = await create({ url: 'https://crm.example.com/hook' });
  for (let n = 0; n < 5; n++) {
    await h.pool.query(
      `insert into deliveries (id, webhook_id, seq, event, call_id, created_at)
       values ($1, $2, $3, 'call.ended', 'c', $4)`,
      [`msg_x_${n}`, webhook.id, n, `2026-01-01T00:00:0${n}Z`],
    );
  }
  const seen: number[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: { items: { seq: number }[]; nextCursor: string | null } = await h.json(
      `/v1/webhooks/${webhook.id}/deliveries?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    seen.push(...page.items.map((delivery) => delivery.seq));
    cursor = page.nextCursor;
  }
  expect(seen).toEqual([4, 3, 2, 1, 0]);
});

test('a webhook may not go inside the network, however the address is written', () => {
  const urls = [
    'https://10.0.0.1/',
    'https://172.16.5.5/',
    'https://192.168.0.10/',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://0xa000001/',
    'https://012.0.0.1/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[::]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[64:ff9b::a00:1]/',
    'https://[2002:a00:1::]/',
    'https://printer/',
    'https://nas.local/',
    'https://db.internal/',
    'https://224.0.0.1/',
  ];
  for (const url of urls) {
    expect(webhookUrlFault(url, true), url).not.toBeNull();
    expect(webhookUrlFault(url, false), url).not.toBeNull();
  }
});

test('loopback is allowed while HTTP is bound to loopback, and only then', () => {
  const urls = [
    'http://127.0.0.1:9000/hook',
    'http://localhost:9000/',
    'http://[::1]:9000/',
    'http://[::ffff:127.0.0.1]/',
    'https://127.1/',
    'http://2130706433/',
    'http://app.localhost/',
  ];
  for (const url of urls) {
    expect(webhookUrlFault(url, true), url).toBeNull();
    expect(webhookUrlFault(url, false), url).not.toBeNull();
  }
});

test('elsewhere only https will do, without a password in the address', () => {
  expect(webhookUrlFault('https://crm.example.com/hook', false)).toBeNull();
  expect(webhookUrlFault('https://8.8.8.8/hook', false)).toBeNull();
  expect(webhookUrlFault('https://[2606:4700::1111]/', false)).toBeNull();
  for (const url of [
    'http://crm.example.com/hook',
    'ftp://crm.example.com/',
    'https://user:secret@crm.example.com/',
    'crm.example.com',
    '//crm.example.com',
    'javascript:alert(1)',
  ]) {
    expect(webhookUrlFault(url, true), url).not.toBeNull();
  }
  expect(hostKind('localhost.')).toBe('loopback');
  expect(hostKind('localhost.example.com')).toBe('public');
});
