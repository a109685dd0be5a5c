import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { deliveryIdOf } from '@earshot/contracts';
import { stopServers, type TestDatabase, withPostgres } from '../../host/test/postgres.ts';
import {
  CallLog,
  type DeliveryRow,
  Endpoint,
  makeFolder,
  migrated,
  removeFolder,
  startService,
  testCallId,
  until,
} from './harness.ts';

let database: TestDatabase;
let folder: string;
let callLog: CallLog;
let endpoint: Endpoint;
let service: { stop(): Promise<void> } | null = null;
const callId = testCallId();

beforeEach(async () => {
  database = await withPostgres();
  await migrated(database.url);
  folder = await makeFolder();
  callLog = new CallLog(database.url);
  await callLog.addCall(callId);
  endpoint = await Endpoint.start();
});
afterEach(async () => {
  await service?.stop();
  service = null;
  endpoint.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
});
afterAll(stopServers);

/** The one delivery, once it is in this state. */
const deliveryIn = (state: string): Promise<DeliveryRow> =>
  until(`a delivery is ${state}`, async () =>
    (await callLog.deliveries()).find((row) => row.state === state),
  );

test('an event arrives at each webhook that asks for it, signed as Standard Webhooks says', async () => {
  const asked = await callLog.addWebhook(endpoint.url, ['call.ended']);
  await callLog.addWebhook(endpoint.url, ['call.started']);
  service = await startService(database.url, folder);
  const seq = await callLog.addEvent(callId, 'call.ended', { id: callId, externalIds: { ucid: '7' } });
  const delivery = await deliveryIn('delivered');
  expect(endpoint.received).toHaveLength(1);
  const [{ headers, body, path }] = endpoint.received as [(typeof endpoint.received)[0]];
  expect(path).toBe('/hook?x=1');
  expect(headers['webhook-id']).toBe(deliveryIdOf(asked.id, seq));
  const verified = new Webhook(asked.secret).verify(body, headers as Record<string, string>);
  expect(verified).toEqual({
    epoch: 1,
    seq,
    callId,
    callSeq: seq,
    type: 'call.ended',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    data: { id: callId, externalIds: { ucid: '7' } },
  });
  expect(() => new Webhook(asked.secret).verify(`${body} `, headers as Record<string, string>)).toThrow();
  expect(delivery).toMatchObject({
    id: deliveryIdOf(asked.id, seq),
    webhook_id: asked.id,
    attempts: [{ status: 200, error: null }],
    next_attempt_at: null,
  });
});

test('a 500 is tried again with the same id until it is taken, and every attempt is on record', async () => {
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  endpoint.respond = (response) => response.writeHead(endpoint.received.length < 3 ? 500 : 204).end();
  const counted = await startService(database.url, folder);
  service = counted;
  await callLog.addEvent(callId, 'call.ended');
  const delivery = await deliveryIn('delivered');
  const metrics = await until('the job is counted', async () => {
    const text = await counted.metrics();
    return /earshot_jobs_total\{queue="deliveries",outcome="completed",.*\} 1\n/.test(text) ? text : null;
  });
  expect(metrics).toMatch(/earshot_jobs_total\{queue="deliveries",outcome="failed",.*\} 2\n/);
  expect(metrics).toMatch(/earshot_webhook_deliveries_total\{outcome="retry",.*\} 2\n/);
  expect(metrics).toMatch(/earshot_webhook_deliveries_total\{outcome="delivered",.*\} 1\n/);
  expect(metrics).toMatch(/earshot_webhook_delivery_seconds_count\{.*\} 3\n/);
  expect(delivery.attempts.map((attempt) => attempt.status)).toEqual([500, 500, 204]);
  expect(new Set(endpoint.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
});

test('a webhook that never takes an event has failed when the schedule is spent', async () => {
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  endpoint.respond = (response) => response.writeHead(500).end();
  service = await startService(database.url, folder);
  await callLog.addEvent(callId, 'call.ended');
  const delivery = await deliveryIn('failed');
  expect(delivery.attempts).toHaveLength(3);
  expect(delivery.next_attempt_at).toBeNull();
});

test('an endpoint that never answers holds up its own events only', async () => {
  const hanging = http.createServer(() => undefined);
  await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
  const { port } = hanging.address() as AddressInfo;
  await callLog.addWebhook(`http://127.0.0.1:${port}/`, ['call.updated']);
  await callLog.addWebhook(endpoint.url, ['call.updated']);
  service = await startService(database.url, folder);
  for (let n = 0; n < 60; n++) await callLog.addEvent(callId, 'call.updated');
  await until(
    'every event at the endpoint that answers',
    () => endpoint.received.length >= 60 || null,
    12_000,
  );
  hanging.closeAllConnections();
  hanging.close();
});

test('410 Gone disables the webhook and is not tried again', async () => {
  const webhook = await callLog.addWebhook(endpoint.url, ['call.ended', 'call.updated']);
  endpoint.respond = (response) => response.writeHead(410).end();
  service = await startService(database.url, folder);
  await callLog.addEvent(callId, 'call.ended');
  await deliveryIn('failed');
  await until('the webhook is disabled', async () => {
    const { rows } = await callLog.pool.query<{ active: boolean }>(
      'select active from webhooks where id = $1',
      [webhook.id],
    );
    return rows[0]?.active === false;
  });
  await callLog.addEvent(callId, 'call.updated');
  await until('the outbox is empty', async () => (await callLog.outboxCount()) === 0);
  expect(endpoint.received).toHaveLength(1);
});

test('Retry-After of a busy receiver outweighs the schedule', async () => {
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  endpoint.respond = (response) => response.writeHead(503, { 'retry-after': '3600' }).end();
  service = await startService(database.url, folder);
  await callLog.addEvent(callId, 'call.ended');
  const delivery = await until('the first attempt is on record', async () =>
    (await callLog.deliveries()).find((row) => row.attempts.length === 1),
  );
  expect(delivery.state).toBe('pending');
  expect(delivery.next_attempt_at!.getTime() - Date.parse(delivery.attempts[0]!.at)).toBeGreaterThanOrEqual(
    3_600_000,
  );
});

test('a redirect is not followed', async () => {
  const elsewhere = await Endpoint.start();
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  endpoint.respond = (response) => response.writeHead(307, { location: elsewhere.url }).end();
  service = await startService(database.url, folder, { scheduleMs: [0] });
  await callLog.addEvent(callId, 'call.ended');
  const delivery = await deliveryIn('failed');
  expect(delivery.attempts).toMatchObject([{ status: 307, error: null }]);
  expect(elsewhere.received).toEqual([]);
  elsewhere.stop();
});

test('a receiver that does not answer, or answers a byte at a time, is given up after the limit', async () => {
  const limits = { stepMs: 300, totalMs: 1500 };
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  endpoint.respond = () => undefined;
  service = await startService(database.url, folder, { scheduleMs: [0], limits });
  await callLog.addEvent(callId, 'call.ended');
  expect((await deliveryIn('failed')).attempts).toMatchObject([
    { status: null, error: 'UND_ERR_HEADERS_TIMEOUT' },
  ]);
  // Headers that never end, a byte at a time.
  endpoint.respond = ({ socket }) => {
    socket?.write('HTTP/1.1 200 OK\r\nx-long: ');
    const drip = setInterval(() => socket?.write('a'), 50);
    socket?.on('close', () => clearInterval(drip));
  };
  const seq = await callLog.addEvent(callId, 'call.ended');
  const second = await until('the second has failed too', async () =>
    (await callLog.deliveries()).find((row) => row.seq === seq && row.state === 'failed'),
  );
  expect(second.attempts).toHaveLength(1);
  expect(['UND_ERR_HEADERS_TIMEOUT', 'TimeoutError']).toContain(second.attempts[0]!.error);
  // The status came, the body comes a byte at a time: taken is taken.
  endpoint.respond = (response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write('a'), 50);
    response.on('close', () => clearInterval(drip));
  };
  await callLog.addEvent(callId, 'call.ended');
  expect((await deliveryIn('delivered')).attempts).toMatchObject([{ status: 200, error: null }]);
});

test('a response without end counts by its status and is not read to the end', async () => {
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  let written = 0;
  endpoint.respond = (response) => {
    const piece = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (!response.destroyed) {
        written += piece.length;
        if (!response.write(piece)) break;
      }
    };
    response.on('drain', more);
    more();
  };
  service = await startService(database.url, folder);
  await callLog.addEvent(callId, 'call.ended');
  expect((await deliveryIn('delivered')).attempts).toMatchObject([{ status: 200 }]);
  await until('the connection is closed', () => endpoint.received.length === 1);
  expect(written).toBeLessThan(64 * 1024 * 1024);
});

test('loopback is refused at once, without a connection, when HTTP is not bound to loopback', async () => {
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  await callLog.addWebhook(`http://localhost:${endpoint.port}/`, ['call.ended']);
  await callLog.addWebhook(`http://2130706433:${endpoint.port}/`, ['call.ended']);
  await callLog.addWebhook(`http://[::ffff:127.0.0.1]:${endpoint.port}/`, ['call.ended']);
  const config = {
    redisUrl: null,
    dataDir: folder,
    record: true,
    recordingFormats: ['wav'] as const,
    httpBind: '0.0.0.0',
    asrModel: null,
  };
  service = await startService(database.url, folder, { config });
  await callLog.addEvent(callId, 'call.ended');
  await until('all four have failed', async () => {
    const rows = await callLog.deliveries();
    return rows.length === 4 && rows.every((row) => row.state === 'failed');
  });
  expect(endpoint.received).toEqual([]);
});

test('an event that is asked for again goes to that webhook alone, with the same id, as often as asked', async () => {
  const one = await callLog.addWebhook(endpoint.url, ['call.ended']);
  await callLog.addWebhook(endpoint.url, ['call.ended']);
  service = await startService(database.url, folder);
  const seq = await callLog.addEvent(callId, 'call.ended');
  await until('both are delivered', () => endpoint.received.length === 2);
  const replay = { kind: 'webhook', seq, event: 'call.ended', callId, webhookId: one.id } as const;
  await callLog.addOutbox(replay);
  await until('delivered again', () => endpoint.received.length === 3);
  await callLog.addOutbox(replay);
  await until('delivered a third time', () => endpoint.received.length === 4);
  expect(endpoint.received.slice(2).map(({ headers }) => headers['webhook-id'])).toEqual([
    deliveryIdOf(one.id, seq),
    deliveryIdOf(one.id, seq),
  ]);
  await until('all is on record', async () => {
    const row = (await callLog.deliveries()).find((delivery) => delivery.webhook_id === one.id);
    return row?.state === 'delivered' && row.attempts.length === 3;
  });
});
