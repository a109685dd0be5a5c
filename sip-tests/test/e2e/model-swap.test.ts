/** The model is changed, and another one tried beside it, while people call: a whole Earshot and the command as people type it. */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CallView, ModelStatus } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { generate, type GeneratedCall } from '../../src/generator.ts';
import { wordErrors } from '../../src/wer.ts';
import { callBySipId, spokenBy, transcriptOf } from './support.ts';

const MODEL_COMMAND = fileURLToPath(new URL('../../../asr/model.ts', import.meta.url));
const SHIPPED = fileURLToPath(new URL('../../../asr/model', import.meta.url));
/** A replay begins at another place of the model's chunks, which may tip a word or two of a dialogue's hundred. */
const REPLAY_MARGIN = 0.06;

let earshot: EarshotProcess;
let folder = '';
/** Long enough for two checks and a new engine on a machine that has much else to do; the dialogue is said again. */
const CALL_SECONDS = 75;
/** What each channel became in a call that nothing was done to. */
let undisturbed: readonly string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'es-swap-'));
  earshot = await EarshotProcess.start({ env: { ASR_ENGINES: '1', ASR_STANDBY: '0' } });
}, 180_000);
afterAll(async () => {
  await earshot?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

interface Ran {
  readonly code: number;
  readonly result: Record<string, unknown>;
}

/** `npm run model -- …` with this Earshot's DATA_DIR. */
async function model(...args: string[]): Promise<Ran> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', MODEL_COMMAND, ...args, '--json'],
    { env: { ...process.env, DATA_DIR: earshot.dataDir }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? -1)));
  return { code, result: JSON.parse(out) as Record<string, unknown> };
}

/** The shipped weights under another name. */
async function copyOfModel(name: string): Promise<string> {
  const path = join(folder, name);
  await cp(SHIPPED, path, { recursive: true });
  const settings = JSON.parse(await readFile(join(path, 'model.json'), 'utf8')) as object;
  await writeFile(join(path, 'model.json'), JSON.stringify({ ...settings, name }));
  return path;
}

const status = async (): Promise<ModelStatus> =>
  JSON.parse(await readFile(join(earshot.dataDir, 'model-status.json'), 'utf8')) as ModelStatus;

async function place(): Promise<GeneratedCall> {
  const report = await generate({
    server: earshot.sip,
    transport: 'udp',
    codec: 'pcmu',
    calls: 1,
    rampS: 0,
    seconds: CALL_SECONDS,
  });
  expect(report.perCall.map((call) => call.failure)).toEqual([null]);
  return report.perCall[0]!;
}

async function complete(call: GeneratedCall): Promise<CallView> {
  await expect
    .poll(() => callBySipId(earshot, call.callId), { timeout: 20_000, interval: 200 })
    .toMatchObject({ state: 'ended', complete: true });
  return (await callBySipId(earshot, call.callId))!;
}

async function spoken(view: CallView): Promise<string[]> {
  const transcript = await transcriptOf(earshot, view.id);
  expect(transcript.complete).toBe(true);
  for (const { index } of view.channels) {
    const segments = transcript.segments.filter(({ channel }) => channel === index);
    expect(new Set(segments.map(({ id }) => id)).size).toBe(segments.length);
    // Nothing was said twice: no segment begins before the one before it ended.
    for (const [i, segment] of segments.entries())
      expect(segment.startMs).toBeGreaterThanOrEqual(segments[i - 1]?.endMs ?? 0);
  }
  return view.channels.map(({ index }) => spokenBy(transcript, index));
}

test('a model that is its own shadow hears what it hears, and the live call knows nothing of it', async () => {
  const started = await model('shadow', 'shipped');
  expect(started).toMatchObject({ code: 0, result: { ok: true } });
  const view = await complete(await place());
  undisturbed = await spoken(view);
  const words = undisturbed.join(' ').split(' ').length;
  await expect
    .poll(async () => (await model('status')).result['shadows'], { timeout: 60_000, interval: 1000 })
    .toMatchObject([{ calls: 1, skipped: 0, failed: 0, words }]);
  const [shadow] = (await model('status')).result['shadows'] as { differenceRate: number; speed: number }[];
  expect(shadow!.differenceRate).toBeLessThanOrEqual(0.02);
  expect(shadow!.speed).toBeGreaterThan(1);
  // Host asks each process for them in turn.
  await expect
    .poll(() => earshot.get<string>('/metrics'), { timeout: 30_000, interval: 500 })
    .toMatch(/earshot_shadow_words_total\{[^}]*\} [1-9]/);
  const said = await readFile(
    join(earshot.dataDir, 'shadow', `${(await status()).shadow!.model}.jsonl`),
    'utf8',
  );
  expect(said).not.toContain(undisturbed[0]!.split(' ').slice(0, 3).join(' '));
  expect(await model('shadow', 'off')).toMatchObject({ code: 0, result: { ok: true } });
  expect((await status()).shadow).toBeNull();
}, 300_000);

test('another model takes over in the middle of a call, which loses and doubles no word', async () => {
  const [before] = await earshot.pidsOf('asr');
  expect((await model('add', await copyOfModel('second'), '--quick')).code).toBe(0);
  const placing = place();
  await expect
    .poll(() => earshot.get<{ items: CallView[] }>('/v1/calls?state=live'), { timeout: 20_000 })
    .toMatchObject({ items: [{ segmentCount: expect.toSatisfy((count: number) => count > 1) as number }] });
  const used = await model('use', 'second');
  expect(used).toMatchObject({ code: 0, result: { ok: true, state: 'serving' } });
  const call = await placing;
  const view = await complete(call);
  const sent = call.streams.map((stream) => stream.packetsSent);
  expect(view.channels.map((channel) => channel.packetsReceived)).toEqual(sent);
  const now = await spoken(view);
  // Every channel of the call did change engines in the middle of it.
  const moved = earshot.lines.filter((line) => line.includes('ENGINE_DRAINING') && line.includes(view.id));
  expect(new Set(moved.map((line) => (JSON.parse(line) as { channel: string }).channel)).size).toBe(
    now.length,
  );
  for (const [channel, words] of now.entries()) {
    const was = undisturbed[channel]!;
    expect(wordErrors(was, words).rate, `"${words}" was "${was}"`).toBeLessThanOrEqual(REPLAY_MARGIN);
  }
  const after = await status();
  expect(after).toMatchObject({ state: 'serving', chosenBy: 'choice', engines: [{ model: 'second' }] });
  expect(await earshot.pidsOf('asr')).toEqual([after.engines[0]!.pid]);
  expect(after.engines[0]!.pid).not.toBe(before);
  const listed = (await model('list')).result['models'] as { name: string; state: string[] }[];
  expect(listed.find(({ name }) => name === 'second')?.state).toContain('serving');
}, 300_000);

test('a model that cannot be used is refused with the reason, and the one before it goes on serving', async () => {
  const broken = await copyOfModel('broken');
  await writeFile(join(broken, 'model.onnx'), 'not a network');
  const [pid] = await earshot.pidsOf('asr');
  // The command looks before it asks Earshot.
  expect(await model('use', broken)).toMatchObject({
    code: 1,
    result: { ok: false, error: { code: 'MODEL_INVALID' } },
  });
  // Earshot looks itself: the folder may have been changed since.
  await writeFile(
    join(earshot.dataDir, 'model-choice.json'),
    JSON.stringify({ use: broken, shadow: null, changedAt: new Date().toISOString() }),
  );
  await expect.poll(status, { timeout: 60_000, interval: 200 }).toMatchObject({ state: 'refused' });
  expect((await status()).message).toContain('model.onnx');
  expect(await earshot.pidsOf('asr')).toEqual([pid]);
  expect((await status()).engines).toMatchObject([{ model: 'second' }]);
}, 120_000);
