import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CallId } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { type Harness, jsonRequest, startHarness, until } from './harness.ts';

let h: Harness;
let ended: CallId;
const sound = randomBytes(5000);

beforeAll(async () => {
  h = await startHarness();
  writeFileSync(join(h.dataDir, 'recordings', 'one.wav'), sound);
  ended = await h.writer.startCall({ agent: 'Ann', externalIds: { ucid: '00042' } });
  await h.writer.final(ended, { channel: 0, startMs: 1000, text: 'Good morning' });
  await h.writer.final(ended, { channel: 1, startMs: 500, text: 'Hello' });
  await h.writer.endCall(ended, {
    recording: { file: 'one.wav', bytes: sound.length, sha256: 'ab', durationMs: 4000 },
  });
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

test('every wrong field is named at once', async () => {
  const response = await h.send('/v1/webhooks', 'POST', { url: 'nonsense', events: ['no.such'], extra: 1 });
  const body = (await response.json()) as { errors: { path: string }[]; requestId: string };
  expect(body.errors.map((error) => error.path).sort()).toEqual(['body/events/0', 'body/extra', 'body/url']);
  expect(response.headers.get('x-request-id')).toBe(body.requestId);
});

test('what is not JSON, or too large, or on no path, is a problem too', async () => {
  const broken = await h.request('/v1/webhooks', { ...jsonRequest({}), body: '{"url":' });
  expect(await broken.json()).toMatchObject({ code: 'REQUEST_INVALID', status: 400 });
  const large = await h.send('/v1/webhooks', 'POST', { url: 'x'.repeat(100_000) });
  expect(await large.json()).toMatchObject({ code: 'REQUEST_INVALID', status: 413 });
  const unknown = await h.request('/v1/nothing/here');
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({ code: 'NOT_FOUND', status: 404, title: 'Not found' });
});

test('a call shows its totals once it has ended, and no file name', async () => {
  const call = await h.json<Record<string, unknown>>(`/v1/calls/${ended}`);
  expect(call).toMatchObject({
    state: 'ended',
    endReason: 'bye',
    externalIds: { ucid: '00042' },
    segmentCount: 2,
    wordCount: 3,
    complete: true,
    channels: [
      { role: 'agent', packetsReceived: 500, packetsLost: 0 },
      { role: 'customer', packetsReceived: 501, packetsLost: 1 },
    ],
    recording: {
      ...{ bytes: 5000, sha256: 'ab', durationMs: 4000 },
      formats: [{ format: 'wav', bytes: 5000, sha256: 'ab' }],
    },
  });
  expect(JSON.stringify(call)).not.toContain('one.wav');
});

test('a transcript is in call order, and a text form can be asked for by Accept', async () => {
  const transcript = await h.json<{ segments: { text: string }[] }>(`/v1/calls/${ended}/transcript`);
  expect(transcript.segments.map((segment) => segment.text)).toEqual(['Hello', 'Good morning']);
  const text = await h.request(`/v1/calls/${ended}/transcript`, { headers: { accept: 'text/plain' } });
  expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(await text.text()).toBe('[00:00] customer: Hello\n[00:01] agent: Good morning\n');
});

test('a part of a recording is answered as a part', async () => {
  const part = await h.request(`/v1/calls/${ended}/recording.wav`, { headers: { range: 'bytes=100-199' } });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe('bytes 100-199/5000');
  expect(part.headers.get('content-type')).toContain('audio/wav');
  expect(Buffer.from(await part.arrayBuffer())).toEqual(sound.subarray(100, 200));
  const beyond = await h.request(`/v1/calls/${ended}/recording.wav`, { headers: { range: 'bytes=9000-' } });
  expect(beyond.status).toBe(416);
});

test('a recording outside its folder is never sent', async () => {
  writeFileSync(join(h.dataDir, 'outside.wav'), 'secret');
  const call = await h.writer.startCall({
    endedAtMs: Date.now(),
    recording: { file: '../outside.wav', bytes: 6, sha256: 'x', durationMs: 1 },
  });
  const response = await h.request(`/v1/calls/${call}/recording.wav`);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: 'RECORDING_NOT_READY' });
});

test('readiness names what is missing', async () => {
  h.writer.close();
  const body = await until('the bus to be missed', async () => {
    const response = await h.request('/readyz');
    return response.status === 503 ? ((await response.json()) as { detail: string; code: string }) : null;
  });
  expect(body.code).toBe('NOT_READY');
  expect(body.detail).toContain('transcripts');
  expect((await h.request('/healthz')).status).toBe(200);
});
