import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { CallId } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { openapiDocument } from '../src/openapi-document.ts';
import { type Harness, jsonRequest as json, startHarness } from './harness.ts';

interface Operation {
  readonly operationId?: string;
  readonly security?: readonly unknown[];
  readonly responses: Record<string, { content?: Record<string, { schema?: object }> }>;
  readonly parameters?: readonly { name: string; in: string }[];
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
}

let h: Harness;
let document: Document;
let ended: CallId;
let live: CallId;
let webhookId: string;
const sound = randomBytes(5000);

beforeAll(async () => {
  h = await startHarness();
  document = await h.json<Document>('/openapi.json');
  for (const name of ['one.wav', 'one.opus']) writeFileSync(join(h.dataDir, 'recordings', name), sound);
  ended = await h.writer.startCall({ agent: 'Ann', externalIds: { ucid: '00042' } });
  await h.writer.final(ended, { channel: 0, startMs: 1000, text: 'Good morning' });
  await h.writer.final(ended, { channel: 1, startMs: 500, text: 'Hello' });
  await h.writer.endCall(ended, {
    recording: {
      ...{ file: 'one.wav', bytes: sound.length, sha256: 'ab', durationMs: 4000 },
      formats: [
        { format: 'wav', file: 'one.wav', bytes: sound.length, sha256: 'ab' },
        { format: 'opus', file: 'one.opus', bytes: sound.length, sha256: 'ab' },
      ],
    },
  });
  await h.pool.query(
    `insert into channels (channel, call_id, idx, end_tick) values ($1 || ':0', $1, 0, 80000)`,
    [ended],
  );
  live = await h.writer.startCall();
  await h.writer.ledger(
    live,
    0,
    0,
    [
      ['absent', 1000],
      ['received', 5000],
    ],
    { notes: [{ tick: 8000, kind: 'ssrc', value: 1 }] },
  );
  await h.writer.trace(live, [['in', 0, 'INVITE sip:srs@example.test SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n']]);
  await h.pool.query(
    `insert into retranscriptions (id, call_id, model, vocabulary, state, error)
     values ('rt_test', $1, 'big', '["default"]', 'failed', '{"code": "MODEL_NOT_FOUND", "detail": "none"}')`,
    [ended],
  );
  const created = await h.json<{ id: string }>('/v1/webhooks', json({ url: 'https://example.com/hook' }));
  webhookId = created.id;
  await h.pool.query(
    `insert into deliveries (id, webhook_id, seq, event, call_id, state, attempts) values ('msg_1', $1, 1, 'call.ended', $2,
     'failed', '[{"at":"2026-01-01T00:00:00.000Z","status":500,"error":null,"durationMs":12}]')`,
    [webhookId, ended],
  );
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

/** The response's body is what the document promises for its status and type. */
async function check(
  method: string,
  template: string,
  response: Response,
): Promise<{ status: number; body: unknown }> {
  const operation = document.paths[template]?.[method.toLowerCase()];
  const promised = operation?.responses[String(response.status)];
  expect(promised, `${method} ${template} may answer ${response.status}`).toBeDefined();
  const type = (response.headers.get('content-type') ?? '').split(';')[0]!;
  const text = await response.text();
  if (text === '') return { status: response.status, body: null };
  const content = promised?.content?.[type];
  expect(content, `${method} ${template} ${response.status} may be ${type}`).toBeDefined();
  const body: unknown = type.endsWith('json') ? JSON.parse(text) : text;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const validate = ajv.compile({ ...content?.schema, components: document.components });
  expect(validate(body), `${method} ${template}: ${ajv.errorsText(validate.errors)}\n${text}`).toBe(true);
  return { status: response.status, body };
}

test('the document is OpenAPI 3.1 with a scheme for keys and one for sessions', () => {
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(Object.keys(document.components.securitySchemes).sort()).toEqual(['apiKey', 'session']);
  expect(Object.keys(document.components.schemas)).toEqual(
    expect.arrayContaining(['Call', 'Transcript', 'Event', 'Webhook', 'Delivery', 'Problem']),
  );
});

test('the document can be had without a server', async () => {
  expect(await openapiDocument()).toEqual(document);
});

test('each operation has a name of its own, its path parameters, and problems for its errors', () => {
  const names = new Set<string>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const where = `${method} ${path}`;
      expect(operation.operationId, where).toBeTruthy();
      expect(names.has(operation.operationId!), `${where}: ${operation.operationId} is used twice`).toBe(
        false,
      );
      names.add(operation.operationId!);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect(declared, where).toEqual(inPath);
      expect(operation.responses['500']?.content, where).toHaveProperty(['application/problem+json']);
      if (path.startsWith('/v1/')) expect(operation.responses, where).toHaveProperty('401');
    }
  }
});

test('every reference in the document leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(10);
  for (const reference of references) {
    expect(reference).toMatch(/^#\/components\/schemas\//);
    expect(document.components.schemas).toHaveProperty(reference.split('/').at(-1)!);
  }
});

describe('each route answers as the document says', () => {
  const CALL = '/v1/calls/{id}';
  const LIST = '/v1/vocabulary/{name}';
  const call = (suffix = ''): string => `/v1/calls/${ended}${suffix}`;
  const nowhere = '01890000-0000-7000-8000-000000000000';
  const cases: [
    name: string,
    method: string,
    template: string,
    path: () => string,
    status: number,
    init?: RequestInit,
  ][] = [
    ['calls', 'GET', '/v1/calls', () => '/v1/calls', 200],
    ['calls, wrong query', 'GET', '/v1/calls', () => '/v1/calls?limit=0&state=dead', 400],
    ['calls, wrong cursor', 'GET', '/v1/calls', () => '/v1/calls?cursor=AAAA', 400],
    ['a call', 'GET', '/v1/calls/{id}', () => call(), 200],
    ['no call', 'GET', '/v1/calls/{id}', () => `/v1/calls/${nowhere}`, 404],
    ['a transcript', 'GET', '/v1/calls/{id}/transcript', () => call('/transcript'), 200],
    ['text', 'GET', '/v1/calls/{id}/transcript.txt', () => call('/transcript.txt'), 200],
    ['vtt', 'GET', '/v1/calls/{id}/transcript.vtt', () => call('/transcript.vtt'), 200],
    ['srt', 'GET', '/v1/calls/{id}/transcript.srt', () => call('/transcript.srt'), 200],
    [
      'no transcript',
      'GET',
      '/v1/calls/{id}/transcript.srt',
      () => `/v1/calls/${nowhere}/transcript.srt`,
      404,
    ],
    ['a ledger', 'GET', '/v1/calls/{id}/ledger', () => `/v1/calls/${live}/ledger?limit=1`, 200],
    ['no ledger', 'GET', '/v1/calls/{id}/ledger', () => call('/ledger'), 404],
    ['a ledger, wrong query', 'GET', '/v1/calls/{id}/ledger', () => call('/ledger?from=-1'), 400],
    ['a trace', 'GET', '/v1/calls/{id}/trace', () => `/v1/calls/${live}/trace`, 200],
    ['no trace', 'GET', '/v1/calls/{id}/trace', () => `/v1/calls/${nowhere}/trace`, 404],
    ['a trace as text', 'GET', '/v1/calls/{id}/trace.txt', () => `/v1/calls/${live}/trace.txt`, 200],
    ['a diagnosis', 'GET', '/v1/calls/{id}/diagnosis', () => `/v1/calls/${live}/diagnosis`, 200],
    ['no diagnosis', 'GET', '/v1/calls/{id}/diagnosis', () => `/v1/calls/${nowhere}/diagnosis`, 404],
    [
      'a correction',
      'POST',
      '/v1/calls/{id}/channels/{index}',
      () => `/v1/calls/${live}/channels/0`,
      200,
      json({ role: 'customer', participant: { name: 'Ann' } }),
    ],
    [
      'a correction of no channel',
      'POST',
      '/v1/calls/{id}/channels/{index}',
      () => `/v1/calls/${live}/channels/9`,
      404,
      json({ role: 'customer' }),
    ],
    [
      'a correction, no role',
      'POST',
      '/v1/calls/{id}/channels/{index}',
      () => `/v1/calls/${live}/channels/0`,
      400,
      json({ role: 'boss' }),
    ],
    ['a recording', 'GET', '/v1/calls/{id}/recording.wav', () => call('/recording.wav'), 200],
    ['a recording as Opus', 'GET', '/v1/calls/{id}/recording.opus', () => call('/recording.opus'), 200],
    [
      'no recording as Opus',
      'GET',
      '/v1/calls/{id}/recording.opus',
      () => `/v1/calls/${nowhere}/recording.opus`,
      404,
    ],
    ['no recording', 'GET', '/v1/calls/{id}/recording.wav', () => `/v1/calls/${nowhere}/recording.wav`, 404],
    ['events', 'GET', '/v1/events', () => '/v1/events?after=1&limit=2', 200],
    ['events, wrong query', 'GET', '/v1/events', () => '/v1/events?after=-1', 400],
    ['live without an upgrade', 'GET', '/v1/live', () => '/v1/live', 426],
    ['webhooks', 'GET', '/v1/webhooks', () => '/v1/webhooks', 200],
    [
      'a webhook made',
      'POST',
      '/v1/webhooks',
      () => '/v1/webhooks',
      201,
      json({ url: 'https://example.com/a' }),
    ],
    [
      'a webhook refused',
      'POST',
      '/v1/webhooks',
      () => '/v1/webhooks',
      400,
      json({ url: 'https://10.0.0.1/' }),
    ],
    ['a webhook', 'GET', '/v1/webhooks/{id}', () => `/v1/webhooks/${webhookId}`, 200],
    ['no webhook', 'GET', '/v1/webhooks/{id}', () => '/v1/webhooks/wh_none', 404],
    [
      'a webhook changed',
      'PATCH',
      '/v1/webhooks/{id}',
      () => `/v1/webhooks/${webhookId}`,
      200,
      json({ active: false }, 'PATCH'),
    ],
    [
      'no webhook changed',
      'PATCH',
      '/v1/webhooks/{id}',
      () => '/v1/webhooks/wh_none',
      404,
      json({}, 'PATCH'),
    ],
    [
      'a test',
      'POST',
      '/v1/webhooks/{id}/test',
      () => `/v1/webhooks/${webhookId}/test`,
      202,
      { method: 'POST' },
    ],
    ['deliveries', 'GET', '/v1/webhooks/{id}/deliveries', () => `/v1/webhooks/${webhookId}/deliveries`, 200],
    [
      'a replay',
      'POST',
      '/v1/webhooks/{id}/replay',
      () => `/v1/webhooks/${webhookId}/replay`,
      202,
      json({ after: 0 }),
    ],
    [
      'a replay of nothing',
      'POST',
      '/v1/webhooks/{id}/replay',
      () => `/v1/webhooks/${webhookId}/replay`,
      400,
      json({}),
    ],
    ['a list put', 'PUT', LIST, () => '/v1/vocabulary/a', 200, json({ phrases: [{ text: 'A b' }] }, 'PUT')],
    ['a list refused', 'PUT', LIST, () => '/v1/vocabulary/a', 400, json({ phrases: [{ text: '1' }] }, 'PUT')],
    ['lists', 'GET', '/v1/vocabulary', () => '/v1/vocabulary', 200],
    ['a list', 'GET', LIST, () => '/v1/vocabulary/a', 200],
    ['a list deleted', 'DELETE', LIST, () => '/v1/vocabulary/a', 204, { method: 'DELETE' }],
    ['no list to delete', 'DELETE', LIST, () => '/v1/vocabulary/a', 404, { method: 'DELETE' }],
    [
      'no finals of an ended call',
      'POST',
      `${CALL}/finalize`,
      () => call('/finalize'),
      409,
      { method: 'POST' },
    ],
    ['finals', 'POST', `${CALL}/finalize`, () => `/v1/calls/${live}/finalize`, 202, { method: 'POST' }],
    ['a pause', 'POST', `${CALL}/pause`, () => `/v1/calls/${live}/pause`, 200, { method: 'POST' }],
    ['no pause of an ended call', 'POST', `${CALL}/pause`, () => call('/pause'), 409, { method: 'POST' }],
    ['going on', 'POST', `${CALL}/resume`, () => `/v1/calls/${live}/resume`, 200, { method: 'POST' }],
    [
      'no call to go on',
      'POST',
      `${CALL}/resume`,
      () => `/v1/calls/${nowhere}/resume`,
      404,
      { method: 'POST' },
    ],
    ['a retranscription', 'POST', `${CALL}/retranscribe`, () => call('/retranscribe'), 202, json({})],
    [
      'none of a live call',
      'POST',
      `${CALL}/retranscribe`,
      () => `/v1/calls/${live}/retranscribe`,
      409,
      json({}),
    ],
    ['retranscriptions', 'GET', `${CALL}/retranscriptions`, () => call('/retranscriptions'), 200],
    [
      'how far one is',
      'GET',
      `${CALL}/retranscriptions/{retranscription}`,
      () => call('/retranscriptions/rt_test'),
      200,
    ],
    ['capacity', 'GET', '/v1/capacity', () => '/v1/capacity', 200],
    ['no drain', 'GET', '/v1/drain', () => '/v1/drain', 200],
    ['a drain', 'POST', '/v1/drain', () => '/v1/drain', 200, json({ on: true })],
    ['the end of a drain', 'POST', '/v1/drain', () => '/v1/drain', 200, json({ on: false })],
    ['a drain refused', 'POST', '/v1/drain', () => '/v1/drain', 400, json({ on: 'yes' })],
    ['a link', 'POST', '/v1/signin-links', () => '/v1/signin-links', 201, { method: 'POST' }],
    ['alive', 'GET', '/healthz', () => '/healthz', 200],
    ['ready', 'GET', '/readyz', () => '/readyz', 200],
    ['metrics', 'GET', '/metrics', () => '/metrics', 200],
    ['a bad link', 'GET', '/signin', () => '/signin?token=no', 401],
    [
      'no webhook to delete',
      'DELETE',
      '/v1/webhooks/{id}',
      () => '/v1/webhooks/wh_none',
      404,
      { method: 'DELETE' },
    ],
    [
      'a webhook deleted',
      'DELETE',
      '/v1/webhooks/{id}',
      () => `/v1/webhooks/${webhookId}`,
      204,
      { method: 'DELETE' },
    ],
  ];
  test.each(cases)('%s: %s %s', async (_name, method, template, path, status, init = {}) => {
    const response = await h.request(path(), { redirect: 'manual', ...init });
    const checked = await check(method, template, response);
    expect(checked.status, JSON.stringify(checked.body)).toBe(status);
  });

  test('no operation of the document is left out above', () => {
    const covered = new Set(cases.map(([, method, template]) => `${method.toLowerCase()} ${template}`));
    const all = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    );
    const elsewhere = ['post /signin', 'post /signout'];
    expect(all.filter((operation) => !covered.has(operation)).sort()).toEqual(elsewhere);
  });
});
