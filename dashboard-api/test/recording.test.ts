import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CallId, CallView, RecordingFormat } from '@earshot/contracts';
import { OpusWriter } from '@earshot/platform/recording/opus-writer';
import { wavHeader } from '@earshot/platform/recording/wav-header';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { type Harness, startHarness, until } from './harness.ts';

const SECONDS = 600;
const SAMPLES = SECONDS * 8000;

let h: Harness;
let both: CallId;
let opusOnly: CallId;
let wavOnly: CallId;
let opus: Buffer;
let wav: Buffer;
/** Each channel has a tone of its own, but the first nine minutes. */
const sound = new Int16Array(2 * SAMPLES);
for (let i = 540 * 8000; i < SAMPLES; i++) {
  sound[2 * i] = 5000 * Math.sin(i / 5);
  sound[2 * i + 1] = 3000 * Math.sin(i / 9);
}

async function callWith(name: string, formats: readonly RecordingFormat[] | null): Promise<CallId> {
  const files = (formats ?? ['wav']).map((format) => {
    const bytes = format === 'wav' ? wav : opus;
    writeFileSync(join(h.dataDir, 'recordings', `${name}.${format}`), bytes);
    return { format, file: `${name}.${format}`, bytes: bytes.length, sha256: format };
  });
  const { file, bytes, sha256 } = files[0]!;
  return h.writer.startCall({
    endedAtMs: Date.now(),
    recording: {
      ...{ file, bytes, sha256, durationMs: SECONDS * 1000 },
      ...(formats === null ? {} : { formats: files }),
    },
  });
}

beforeAll(async () => {
  h = await startHarness();
  const writer = new OpusWriter({ channels: 2, serial: 1, comments: [] });
  opus = Buffer.concat([...writer.write(sound), ...writer.finish()]);
  writer.close();
  const header = wavHeader({ channels: 2, sampleRate: 8000, samples: SAMPLES });
  wav = Buffer.concat([header, Buffer.from(sound.buffer)]);
  both = await callWith('both', ['wav', 'opus']);
  opusOnly = await callWith('small', ['opus']);
  wavOnly = await callWith('old', null);
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

const get = (call: CallId, format: RecordingFormat, init: RequestInit = {}): Promise<Response> =>
  h.request(`/v1/calls/${call}/recording.${format}`, init);
const bodyOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

test('a call says in what formats its recording is, and names no file', async () => {
  const recordingOf = async (call: CallId): Promise<CallView['recording']> =>
    (await h.json<CallView>(`/v1/calls/${call}`)).recording;
  expect(await recordingOf(both)).toEqual({
    ...{ bytes: wav.length, sha256: 'wav', durationMs: SECONDS * 1000 },
    formats: [
      { format: 'wav', bytes: wav.length, sha256: 'wav' },
      { format: 'opus', bytes: opus.length, sha256: 'opus' },
    ],
  });
  expect((await recordingOf(opusOnly))?.formats).toEqual([
    { format: 'opus', bytes: opus.length, sha256: 'opus' },
  ]);
  // Of a version that knew WAV only.
  expect((await recordingOf(wavOnly))?.formats).toEqual([
    { format: 'wav', bytes: wav.length, sha256: 'wav' },
  ]);
});

describe('as Opus', () => {
  test('it is sent as it lies there, whole or in parts', async () => {
    const whole = await get(both, 'opus');
    expect(whole.headers.get('content-type')).toBe('audio/ogg; codecs=opus');
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
    expect(await bodyOf(whole)).toEqual(opus);
    const etag = whole.headers.get('etag')!;
    // Without a word of its own on caching, fetch asks for a fresh one.
    const known = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
    expect((await get(both, 'opus', { headers: known })).status).toBe(304);
    const part = await get(both, 'opus', { headers: { range: 'bytes=100-199' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 100-199/${opus.length}`]);
    expect(await bodyOf(part)).toEqual(opus.subarray(100, 200));
    const head = await get(both, 'opus', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(opus.length)]);
    expect(head.headers.get('etag')).toBe(etag);
  });

  test('a call that has none says what there is', async () => {
    const response = await get(wavOnly, 'opus');
    expect(response.status).toBe(404);
    const body = (await response.json()) as { code: string; detail: string };
    expect(body.code).toBe('RECORDING_NOT_READY');
    expect(body.detail).toContain('recording.wav');
  });
});

describe('as WAV', () => {
  test('the file is sent where there is one', async () => {
    const response = await get(both, 'wav');
    expect(response.headers.get('accept-ranges')).toBe('bytes');
    expect((await bodyOf(response)).equals(wav)).toBe(true);
  });

  test('it is decoded while it is sent where only Opus is kept, with its length and the sound in its place', async () => {
    const response = await get(opusOnly, 'wav', { headers: { range: 'bytes=0-99' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('audio/wav');
    expect(response.headers.get('accept-ranges')).toBe('none');
    expect(response.headers.get('content-length')).toBe(String(wav.length));
    const body = await bodyOf(response);
    expect(body.length).toBe(wav.length);
    expect(body.subarray(0, 44)).toEqual(wav.subarray(0, 44));
    const heard = new Int16Array(new Uint8Array(body.subarray(44)).buffer);
    let signal = 0;
    let noise = 0;
    for (const [i, sample] of sound.entries()) {
      signal += sample ** 2;
      noise += (sample - heard[i]!) ** 2;
    }
    expect(10 * Math.log10(signal / noise)).toBeGreaterThan(15);
  });

  test('HEAD tells its length and decodes nothing', async () => {
    const head = await get(opusOnly, 'wav', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(wav.length)]);
    expect(await bodyOf(head)).toHaveLength(0);
    await until('the file to be closed', () => openFiles('small.opus') === 0);
  });

  test('a client that goes away in the middle leaves no file open', async () => {
    const controller = new AbortController();
    const response = await get(opusOnly, 'wav', { signal: controller.signal });
    const reader = response.body!.getReader();
    await reader.read();
    expect(openFiles('small.opus')).toBe(1);
    controller.abort();
    await until('the file to be closed', () => openFiles('small.opus') === 0);
    await expect(reader.read()).rejects.toThrow();
  });

  test('an Opus file that is none is a fault of ours, and says so', async () => {
    writeFileSync(join(h.dataDir, 'recordings', 'small.opus'), 'no Ogg');
    expect((await get(opusOnly, 'wav')).status).toBe(500);
  });
});

/** How many times this process has a file of that name open. */
function openFiles(name: string): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch (_closedMeanwhile) {
      return '';
    }
  });
  return targets.filter((target) => target.endsWith(`/${name}`)).length;
}
