import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type CallId,
  channelIdOf,
  RECORDING_FORMATS,
  type RecordingFormat,
  type RevisedSegment,
  type ToCommands,
} from '@earshot/contracts';
import { canSpeak, concatenate, silence, speak } from '../../asr/test/support/speech.ts';
import { stopServers, type TestDatabase, withPostgres } from '../../host/test/postgres.ts';
import { modelFolderOf } from '../src/processors/model-folder.ts';
import { OpusWriter } from '@earshot/platform/recording/opus-writer';
import { wavHeader } from '@earshot/platform/recording/wav-header';
import { CallLog, makeFolder, migrated, removeFolder, startService, testCallId, until } from './harness.ts';

const SHIPPED = join(import.meta.dirname, '../../asr/model');

// A recogniser is a process that starts, at low priority, beside whatever else runs.
vi.setConfig({ testTimeout: 180_000 });
afterAll(stopServers);

let database: TestDatabase;
let folder: string;
let callLog: CallLog;
let service: Awaited<ReturnType<typeof startService>> | null = null;

beforeEach(async () => {
  database = await withPostgres();
  folder = await makeFolder();
  callLog = new CallLog(await migrated(database.url));
  await callLog.listenCommands(folder);
  await mkdir(join(folder, 'recordings'));
});
afterEach(async () => {
  await service?.stop();
  service = null;
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
});

interface Row {
  state: string;
  error: { code: string; detail: string } | null;
  finished_at: Date | null;
}
const rowOf = async (id: string): Promise<Row> =>
  (
    await callLog.pool.query<Row>('select state, error, finished_at from retranscriptions where id = $1', [
      id,
    ])
  ).rows[0]!;

const wavOf = (...channels: Int16Array[]): Buffer => {
  const samples = Math.max(...channels.map((channel) => channel.length));
  const interleaved = new Int16Array(samples * channels.length);
  for (const [n, channel] of channels.entries())
    for (const [i, sample] of channel.entries()) interleaved[i * channels.length + n] = sample;
  const header = wavHeader({ channels: channels.length, sampleRate: 8000, samples });
  return Buffer.concat([header, Buffer.from(interleaved.buffer)]);
};

/** As Opus, what wavOf makes a WAV of. */
const opusOf = (...channels: Int16Array[]): Buffer => {
  const wav = wavOf(...channels);
  const samples = new Int16Array(new Uint8Array(wav.subarray(44)).buffer);
  const writer = new OpusWriter({ channels: channels.length, serial: 1, comments: [] });
  const bytes = Buffer.concat([...writer.write(samples), ...writer.finish()]);
  writer.close();
  return bytes;
};

/** A call that ended, with this recording. */
async function recordedCall(recording: Uint8Array | null, format: RecordingFormat = 'wav'): Promise<CallId> {
  const callId = testCallId();
  const formats = RECORDING_FORMATS.map((one) => ({
    ...{ format: one, file: `${callId}.${one}`, bytes: 1, sha256: '' },
  }));
  const first = { file: `${callId}.wav`, bytes: 1, sha256: '' };
  await callLog.addCall(callId);
  await callLog.pool.query(
    'update calls set ended_at = now(), complete = true, recording = $2 where id = $1',
    [callId, JSON.stringify({ ...first, durationMs: 1000, ...(format === 'wav' ? {} : { formats }) })],
  );
  if (recording !== null) await writeFile(join(folder, 'recordings', `${callId}.${format}`), recording);
  return callId;
}

/** As dashboard-api asks for it. */
async function ask(callId: CallId, model: string | null = null, vocabulary: string[] = []): Promise<string> {
  const id = `rt_${randomBytes(6).toString('hex')}`;
  await callLog.pool.query(
    'insert into retranscriptions (id, call_id, model, vocabulary) values ($1, $2, $3, $4)',
    [id, callId, model, JSON.stringify(vocabulary)],
  );
  await callLog.addOutbox({ kind: 'retranscription', callId, retranscription: id });
  return id;
}

const ended = (id: string, limitMs = 60_000): Promise<Row> =>
  until(
    `the end of ${id}`,
    async () => {
      const row = await rowOf(id);
      return row.finished_at === null ? null : row;
    },
    limitMs,
  );
const revisions = (): Extract<ToCommands, { type: 'transcript.revise' }>[] =>
  callLog.commands.flatMap((command) => (command.type === 'transcript.revise' ? [command] : []));
const textOf = (segments: readonly RevisedSegment[]): string =>
  segments.flatMap(({ words }) => words.map(({ text }) => text)).join(' ');

/** Recognisers of this process that are running now. */
async function recognisers(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('asr/transcribe.ts') && command.includes(folder)) found.push(pid);
  }
  return found;
}

describe.skipIf(!canSpeak)('with speech (needs flite)', () => {
  const sentence = 'thank you for calling how can i help you';

  test('a recording is recognised again and its words are sent to transcripts', async () => {
    const speech = concatenate(silence(1000), speak('slt', sentence));
    const callId = await recordedCall(wavOf(silence(2000), speech));
    await callLog.pool.query(
      `insert into vocabulary (name, phrases) values ('sales', '[{"text": "help you", "boost": 1}]')`,
    );
    const id = await ask(callId, null, ['sales', 'default']);
    service = await startService(database.url, folder);
    expect(await ended(id)).toMatchObject({ state: 'done', error: null });
    const { name } = JSON.parse(await readFile(join(SHIPPED, 'model.json'), 'utf8')) as { name: string };
    expect(revisions()).toMatchObject([
      { callId, retranscription: id, model: name, vocabulary: ['sales', 'default'], part: 0, parts: 1 },
    ]);
    const { segments } = revisions()[0]!;
    expect(new Set(segments.map(({ channel }) => channel))).toEqual(new Set([channelIdOf(callId, 1)]));
    expect(textOf(segments)).toMatch(/thank you for calling/);
    expect(segments[0]!.words[0]!.startTick).toBeGreaterThan(6000);
    const counted = (await service.metrics())
      .split('\n')
      .filter((line) => /^earshot_retranscriptions_total/.test(line));
    expect(counted).toEqual([expect.stringMatching(/outcome="done".* 1$/)]);
  });

  test('a recording whose WAV is gone is recognised from Opus, to the same words at the same time', async () => {
    const channels = [
      concatenate(silence(1000), speak('slt', sentence)),
      concatenate(silence(3000), speak('kal', sentence)),
    ];
    const asked = [
      await ask(await recordedCall(wavOf(...channels))),
      await ask(await recordedCall(opusOf(...channels), 'opus')),
    ];
    service = await startService(database.url, folder);
    for (const id of asked) expect(await ended(id)).toMatchObject({ state: 'done', error: null });
    const [fromWav, fromOpus] = asked.map(
      (id) => revisions().find(({ retranscription }) => retranscription === id)!.segments,
    );
    expect(textOf(fromOpus!)).toMatch(/thank you for calling/);
    for (const index of [0, 1]) {
      const firstTick = (segments: readonly RevisedSegment[]): number =>
        segments.find(({ channel }) => channel.endsWith(`:${index}`))!.words[0]!.startTick;
      expect(Math.abs(firstTick(fromOpus!) - firstTick(fromWav!))).toBeLessThanOrEqual(960);
    }
  });

  test('a model that was added is used by its name', async () => {
    const callId = await recordedCall(wavOf(speak('slt', sentence)));
    const models = join(folder, 'models');
    await mkdir(join(models, 'other'), { recursive: true });
    for (const name of await readdir(SHIPPED)) {
      if (name !== 'model.json') await symlink(join(SHIPPED, name), join(models, 'other', name));
    }
    const settings = JSON.parse(await readFile(join(SHIPPED, 'model.json'), 'utf8')) as object;
    await writeFile(join(models, 'other', 'model.json'), JSON.stringify({ ...settings, name: 'the-other' }));
    const id = await ask(callId, 'other');
    service = await startService(database.url, folder);
    expect(await ended(id)).toMatchObject({ state: 'done' });
    expect(revisions()[0]!.model).toBe('the-other');
    expect(textOf(revisions()[0]!.segments)).toMatch(/calling/);
  });

  test('a process that ends kills its recogniser, and the next one begins the job again', async () => {
    // Some minutes of speech: long enough to be caught at it.
    const speech = concatenate(speak('slt', sentence), silence(300));
    const long = new Int16Array(speech.length * 60);
    for (let i = 0; i < 60; i++) long.set(speech, i * speech.length);
    const callId = await recordedCall(wavOf(long));
    const id = await ask(callId);
    service = await startService(database.url, folder);
    await until('it is running', async () => (await recognisers()).length > 0);
    await service.stop();
    service = null;
    await until('the recogniser is gone', async () => (await recognisers()).length === 0);
    expect(await rowOf(id)).toMatchObject({ state: 'running', error: null });
    expect(revisions()).toEqual([]);
    service = await startService(database.url, folder);
    expect(await ended(id, 120_000)).toMatchObject({ state: 'done' });
    expect(revisions()).toHaveLength(1);
  });
});

test('what cannot be done has failed for good, and says why', async () => {
  const silent = wavOf(silence(500));
  const unrecorded = await recordedCall(null);
  await callLog.pool.query('update calls set recording = null where id = $1', [unrecorded]);
  const live = await recordedCall(silent);
  await callLog.pool.query('update calls set complete = false where id = $1', [live]);
  const cases = [
    [await ask(unrecorded), 'RECORDING_MISSING'],
    [await ask(await recordedCall(null)), 'RECORDING_MISSING'],
    [await ask(await recordedCall(Buffer.from('no wav'))), 'RECORDING_MISSING'],
    [await ask(await recordedCall(silent), 'nowhere'), 'MODEL_NOT_FOUND'],
    [await ask(live), 'CALL_NOT_COMPLETE'],
  ] as const;
  service = await startService(database.url, folder);
  for (const [id, code] of cases) {
    const { state, error } = await ended(id);
    expect([state, error?.code, error?.detail.length]).toEqual(['failed', code, expect.any(Number)]);
  }
  expect(revisions()).toEqual([]);
});

test('silence is recognised as no words, which is a transcript too', async () => {
  const id = await ask(await recordedCall(wavOf(silence(1000), silence(1000))));
  service = await startService(database.url, folder);
  expect(await ended(id)).toMatchObject({ state: 'done' });
  expect(revisions()).toMatchObject([{ segments: [], part: 0, parts: 1 }]);
});

test('while transcripts is not ready the parts are sent again, and nothing is recognised again', async () => {
  let refusals = 0;
  const callId = await recordedCall(wavOf(silence(500)));
  const path = join(folder, 'recordings', `${callId}.wav`);
  callLog.answer = ({ id }) => {
    // Whoever recognises it again finds nothing.
    rmSync(path, { force: true });
    return refusals++ < 2
      ? { type: 'refused', id, code: 'NOT_READY', message: 'parts are missing' }
      : { type: 'done', id };
  };
  const id = await ask(callId);
  service = await startService(database.url, folder);
  expect(await ended(id)).toMatchObject({ state: 'done', error: null });
  expect(revisions().map(({ part, parts, retranscription }) => [part, parts, retranscription])).toEqual(
    Array.from({ length: 3 }, () => [0, 1, id]),
  );
});

test('a process that ends while transcripts is not ready leaves the job to the next one', async () => {
  callLog.answer = ({ id }) => ({ type: 'refused', id, code: 'NOT_READY', message: 'parts are missing' });
  const id = await ask(await recordedCall(wavOf(silence(500))));
  service = await startService(database.url, folder);
  await until('they are sent again', () => revisions().length > 1, 60_000);
  await service.stop();
  service = null;
  expect(await rowOf(id)).toMatchObject({ state: 'running', error: null });
  callLog.answer = ({ id }) => ({ type: 'done', id });
  service = await startService(database.url, folder);
  expect(await ended(id)).toMatchObject({ state: 'done' });
});

test('one whose job was lost is taken up by the next process', async () => {
  const id = await ask(await recordedCall(wavOf(silence(500))));
  await callLog.pool.query('delete from outbox');
  service = await startService(database.url, folder);
  expect(await ended(id)).toMatchObject({ state: 'done' });
  expect(revisions()).toHaveLength(1);
});

test('one whose job was given up is taken up by the next process', async () => {
  callLog.answer = ({ id }) => ({ type: 'refused', id, code: 'DATABASE_UNREACHABLE', message: 'away' });
  const id = await ask(await recordedCall(wavOf(silence(500))));
  service = await startService(database.url, folder, { tries: 1 });
  const failed = service;
  await until(
    'its job is given up',
    async () => /earshot_jobs_total\{.*outcome="failed".*\} 1/.test(await failed.metrics()),
    60_000,
  );
  await service.stop();
  service = null;
  expect(await rowOf(id)).toMatchObject({ state: 'running', error: null });
  callLog.answer = ({ id: command }) => ({ type: 'done', id: command });
  service = await startService(database.url, folder);
  expect(await ended(id)).toMatchObject({ state: 'done' });
});

test('what transcripts refuses for good is not tried again, what it refuses for now is', async () => {
  let refusals = 0;
  callLog.answer = ({ id, type }) =>
    type === 'transcript.revise' && refusals++ === 0
      ? { type: 'refused', id, code: 'NOT_READY', message: 'parts are missing' }
      : { type: 'refused', id, code: 'CALL_NOT_COMPLETE', message: 'not complete' };
  const id = await ask(await recordedCall(wavOf(silence(500))));
  service = await startService(database.url, folder);
  expect(await ended(id)).toMatchObject({ state: 'failed', error: { code: 'CALL_NOT_COMPLETE' } });
  expect(revisions()).toHaveLength(2);
});

describe('the model', () => {
  const folderOf = async (asked: string | null, asrModel: string | null = null): Promise<string> => {
    const found = await modelFolderOf({ dataDir: folder, asrModel }, asked);
    return found.kind === 'folder' ? found.folder : `none: ${found.detail}`;
  };
  const status = (use: string | null): Promise<void> =>
    writeFile(join(folder, 'model-status.json'), JSON.stringify({ state: 'serving', use, engines: [] }));
  const install = async (path: string, name: string): Promise<void> => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'model.json'), JSON.stringify({ name }));
  };

  test('that serves is ASR_MODEL, else what was chosen, else the shipped one', async () => {
    expect(await folderOf(null)).toMatch(/asr\/model\/?$/);
    await status('models/chosen');
    expect(await folderOf(null)).toBe(join(folder, 'models/chosen'));
    expect(await folderOf(null, '/opt/fixed')).toBe('/opt/fixed');
    await status('ws://127.0.0.1:2700');
    expect(await folderOf(null)).toMatch(/^none: .*name a model/);
  });

  test('that is asked for by name is looked for among those added, then the serving and the shipped one', async () => {
    await install(join(folder, 'models', 'added'), 'its-own-name');
    await install(join(folder, 'fixed'), 'fixed-name');
    expect(await folderOf('added')).toBe(join(folder, 'models', 'added'));
    expect(await folderOf('fixed-name', join(folder, 'fixed'))).toBe(join(folder, 'fixed'));
    const { name } = JSON.parse(await readFile(join(SHIPPED, 'model.json'), 'utf8')) as { name: string };
    expect(await folderOf(name)).toMatch(/asr\/model\/?$/);
    // The name by which `npm run model -- list` has it, whatever serves.
    expect(await folderOf('shipped', join(folder, 'fixed'))).toMatch(/asr\/model\/?$/);
    expect(await folderOf('unheard-of')).toMatch(/^none: /);
    expect(await folderOf('../added')).toMatch(/^none: /);
  });

  test('without a model.json, as models are published, is called as its folder is', async () => {
    await mkdir(join(folder, 'models', 'published'), { recursive: true });
    await mkdir(join(folder, 'models', 'half-told'));
    await writeFile(join(folder, 'models', 'half-told', 'model.json'), '{"stateAtGap": "keep"}');
    await mkdir(join(folder, 'serving-one'));
    expect(await folderOf('published')).toBe(join(folder, 'models', 'published'));
    expect(await folderOf('half-told')).toBe(join(folder, 'models', 'half-told'));
    expect(await folderOf('serving-one', `${join(folder, 'serving-one')}/`)).toMatch(/serving-one\/$/);
    expect(await folderOf('serving-one')).toMatch(/^none: /);
    await writeFile(join(folder, 'models', 'a-file'), '');
    expect(await folderOf('a-file')).toMatch(/^none: /);
  });
});
