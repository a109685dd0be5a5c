/** Recordings in Opus, held against Debian's opus-tools, which are libopus' own. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BLOCK_TICKS, type CallId, type RecordingFormat, spoolFileName } from '@earshot/contracts';
import { assembleRecording } from '../src/processors/assemble.ts';
import { makeFolder, removeFolder } from './harness.ts';
import { readWav, samplesOf, type Stretch, writeSpool } from './spool.ts';

const hasOpusTools = existsSync('/usr/bin/opusinfo') && existsSync('/usr/bin/opusdec');
const hasFfmpeg = existsSync('/usr/bin/ffmpeg');
const run = promisify(execFile);
// Programs that start, beside whatever else runs.
vi.setConfig({ testTimeout: 120_000 });

let folder: string;
beforeEach(async () => void (folder = await makeFolder()));
afterEach(() => removeFolder(folder));

const spool = (): string => join(folder, 'spool');
const fileOf = (format: RecordingFormat): string => join(folder, 'recordings', `call.${format}`);

function assemble(
  channels: number,
  formats: readonly RecordingFormat[] = ['wav', 'opus'],
  endTick = 0,
  onDamage: () => void = () => undefined,
) {
  return assembleRecording({
    callId: 'call' as CallId,
    spoolFolder: spool(),
    recordingsFolder: join(folder, 'recordings'),
    formats,
    channels,
    endTick,
    onDamage,
  });
}

/** A rising tone in mu-law, of another pitch in each channel. */
const toneCodes = (channel: number, ticks: number): Uint8Array =>
  Uint8Array.from({ length: ticks }, (_, tick) => {
    const s = tick / 8000;
    const value = 6000 * Math.sin(2 * Math.PI * (200 + 150 * channel + 200 * s) * s);
    const biased = Math.min(32_635, Math.abs(value)) + 132;
    const segment = 24 - Math.clz32(biased);
    return ~((value < 0 ? 0x80 : 0) | (segment << 4) | ((biased >> (segment + 3)) & 15)) & 0xff;
  });

async function writeTone(channel: number, startTick: number, ticks: number): Promise<void> {
  const stretches: Stretch[] = [];
  for (let at = 0; at < ticks; at += BLOCK_TICKS) {
    const codes = toneCodes(channel, Math.min(ticks, at + BLOCK_TICKS)).subarray(at);
    stretches.push({ startTick: startTick + at, codes });
  }
  await writeSpool(spool(), channel, 'PCMU', stretches);
}

/** What opusinfo says, without the file's name. @throws Error when it finds a fault */
async function opusinfo(): Promise<string> {
  const { stdout, stderr } = await run('opusinfo', [fileOf('opus')]);
  expect(stderr).toBe('');
  expect(stdout.toLowerCase()).not.toMatch(/warning|error|invalid|negative|hole|corrupt|illegal/);
  return stdout;
}

async function opusdec(rate: 8000 | 48_000): Promise<Int16Array[]> {
  const path = join(folder, 'decoded.wav');
  await run('opusdec', ['--quiet', '--no-dither', '--rate', String(rate), fileOf('opus'), path]);
  // For more than two channels it writes WAVE_FORMAT_EXTENSIBLE, which is PCM all the same.
  const bytes = await readFile(path);
  if (bytes.readUInt16LE(20) === 0xfffe) bytes.writeUInt16LE(1, 20);
  return readWav(bytes).samples;
}

/** How many ticks later `heard` has what `wanted` has in from..to: the best of -200..200. */
function lagOf(wanted: Int16Array, heard: Int16Array, from: number, to: number): number {
  let best = { lag: 0, sum: -Infinity };
  for (let lag = -200; lag <= 200; lag++) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += wanted[i]! * (heard[i + lag] ?? 0);
    if (sum > best.sum) best = { lag, sum };
  }
  return best.lag;
}

/** Correlation: 1 where one is the other, only louder. */
function likeness(a: Int16Array, b: Int16Array): number {
  const product = (x: Int16Array, y: Int16Array): number =>
    x.reduce((sum, one, i) => sum + one * (y[i] ?? 0), 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}

/** -70 dBFS. */
const SILENT = 10;
const loudest = (samples: Int16Array): number =>
  samples.reduce((max, sample) => Math.max(max, Math.abs(sample)), 0);

describe.skipIf(!hasOpusTools)('a recording in Opus (needs opus-tools)', () => {
  test.each([
    [1, 1],
    [1, 108],
    [2, 160],
    [2, 8001],
    [2, 36_000],
    [3, 12_345],
    [5, 20_000],
  ])(
    'of %i channels and %i ticks has no fault, and the length of the WAV to the sample',
    async (channels, ticks) => {
      for (let channel = 0; channel < channels; channel++) await writeTone(channel, 0, ticks);
      const made = await assemble(channels);
      const said = await opusinfo();
      expect(said).toContain(`Channels: ${channels}`);
      if (channels > 1) expect(said).toContain(`Streams: ${channels}, Coupled: 0`);
      expect(said).toContain('ENCODER=Earshot');
      expect(said).toContain('EARSHOT_CALL=call');
      const wav = readWav(await readFile(fileOf('wav'))).samples;
      const decoded = await opusdec(48_000);
      expect(decoded.map((samples) => samples.length)).toEqual(wav.map((samples) => 6 * samples.length));
      expect(wav[0]).toHaveLength(ticks);
      // In the order of the call, whatever order Opus has its channels in.
      const at8k = await opusdec(8000);
      for (const [channel, samples] of at8k.entries()) {
        if (ticks > 8000) expect(likeness(wav[channel]!, samples), String(channel)).toBeGreaterThan(0.7);
      }
      const opus = await readFile(fileOf('opus'));
      const sha256 = createHash('sha256').update(opus).digest('hex');
      expect(made!.formats![1]).toEqual({ format: 'opus', file: 'call.opus', bytes: opus.length, sha256 });
    },
  );

  test('has each channel where the WAV has it', async () => {
    await writeTone(0, 4000, 8000);
    await writeTone(1, 20_000, 8000);
    await assemble(2, ['wav', 'opus'], 40_000);
    const wav = readWav(await readFile(fileOf('wav'))).samples;
    const decoded = await opusdec(8000);
    for (const channel of [0, 1]) {
      const from = channel === 0 ? 3900 : 19_900;
      expect(Math.abs(lagOf(wav[channel]!, decoded[channel]!, from, from + 8200))).toBeLessThanOrEqual(1);
    }
    // While one speaks, the other is silent: before, between and after.
    expect(loudest(decoded[1]!.subarray(0, 19_900))).toBeLessThanOrEqual(SILENT);
    expect(loudest(decoded[0]!.subarray(14_500, 40_000))).toBeLessThanOrEqual(SILENT);
  });

  test.skipIf(!hasFfmpeg)('after three hours is where the timeline says, within 20 ms', async () => {
    const hour = 3600 * 8000;
    const clicks = [800, hour, 2 * hour + 12_345, 3 * hour - 4000];
    await writeSpool(
      spool(),
      0,
      'PCMU',
      clicks.map((startTick) => ({ startTick, codes: toneCodes(0, 80) })),
    );
    const made = await assemble(1, ['opus'], 3 * hour);
    expect(made!.durationMs).toBe(3 * 3_600_000);
    expect(await opusinfo()).toMatch(/Playback length: 180m:00/);
    // As a player seeks: half a second from a quarter of a second before each.
    for (const click of clicks) {
      const from = Math.max(0, click - 2000);
      const place = ['-ss', String(from / 8000), '-i', fileOf('opus'), '-t', '0.5'];
      const { stdout } = await run('ffmpeg', ['-v', 'error', ...place, '-ar', '8000', '-f', 's16le', '-'], {
        encoding: 'buffer',
      });
      const heard = new Int16Array(new Uint8Array(stdout).buffer);
      const wanted = new Int16Array(heard.length);
      wanted.set(samplesOf('PCMU', [{ startTick: 0, codes: toneCodes(0, 80) }], 80), click - from);
      expect(Math.abs(lagOf(wanted, heard, 0, wanted.length)), String(click)).toBeLessThanOrEqual(8);
    }
  });

  test('a stretch that was paused, and a block that is damaged, are silence at their place', async () => {
    await writeTone(0, 0, 2 * BLOCK_TICKS);
    await writeTone(0, 10 * BLOCK_TICKS, 4 * BLOCK_TICKS);
    const path = join(spool(), spoolFileName(0, 0));
    const bytes = await readFile(path);
    // The fourth block: after the pause and one of tone.
    bytes[3 * (64 + BLOCK_TICKS) + 64 + 100]! ^= 1;
    await writeFile(path, bytes);
    let damaged = 0;
    await assemble(1, ['wav', 'opus'], 0, () => damaged++);
    expect(damaged).toBe(1);
    await opusinfo();
    const [wav] = readWav(await readFile(fileOf('wav'))).samples;
    const [heard] = await opusdec(8000);
    const silent = (from: number, to: number): void => {
      expect(loudest(wav!.subarray(from, to))).toBe(0);
      // A quarter of a second after sound it has died away.
      expect(loudest(heard!.subarray(from + 2000, to - 60))).toBeLessThanOrEqual(SILENT);
    };
    silent(2 * BLOCK_TICKS, 10 * BLOCK_TICKS);
    silent(11 * BLOCK_TICKS, 12 * BLOCK_TICKS);
    for (const from of [0, 10 * BLOCK_TICKS, 12 * BLOCK_TICKS])
      expect(loudest(heard!.subarray(from + 400, from + BLOCK_TICKS - 400))).toBeGreaterThan(5000);
  });
});

test('a job that is run again makes the same files, over what a killed one left', async () => {
  await writeTone(0, 0, 12_000);
  const first = await assemble(2);
  const bytes = await readFile(fileOf('opus'));
  await writeFile(`${fileOf('opus')}.partial`, 'half of it');
  expect(await assemble(2)).toEqual(first);
  expect(await readFile(fileOf('opus'))).toEqual(bytes);
  expect((await readdir(join(folder, 'recordings'))).sort()).toEqual([
    'call.opus',
    'call.speech.json',
    'call.wav',
  ]);
  // Told of another format meanwhile.
  await writeFile(`${fileOf('wav')}.partial`, 'half of it');
  const second = await assemble(2, ['opus']);
  expect(second).toMatchObject({ file: 'call.opus', bytes: bytes.length, formats: [{ format: 'opus' }] });
  expect((await readdir(join(folder, 'recordings'))).sort()).toEqual(['call.opus', 'call.speech.json']);
});

test('without any audio there is no file in any format', async () => {
  expect(await assemble(2, ['opus'], 8000)).toBeNull();
  expect(existsSync(join(folder, 'recordings'))).toBe(false);
});
