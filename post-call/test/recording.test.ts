import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  BLOCK_TICKS,
  type CallId,
  encodeBlock,
  parseSpeechMarks,
  spoolFileName,
  TICKS_PER_FILE,
} from '@earshot/contracts';
import { assembleRecording } from '../src/processors/assemble.ts';
import { blocksOf, spoolFilesOf } from '../src/processors/spool-reader.ts';
import { wavHeader } from '@earshot/platform/recording/wav-header';
import { makeFolder, removeFolder } from './harness.ts';
import { blockOf, readWav, samplesOf, type Stretch, writeSpool } from './spool.ts';

let folder: string;
beforeEach(async () => void (folder = await makeFolder()));
afterEach(() => removeFolder(folder));

const nothing = (): void => undefined;
const assemble = (channels: number, onDamage: () => void = nothing, endTick = 0) =>
  assembleRecording({
    callId: 'call' as CallId,
    spoolFolder: join(folder, 'spool'),
    recordingsFolder: join(folder, 'recordings'),
    formats: ['wav'],
    channels,
    endTick,
    onDamage,
  });
const wav = async () => readWav(await readFile(join(folder, 'recordings', 'call.wav')));

/** Codes that differ from tick to tick. */
const codesFrom = (seed: number, ticks: number): Uint8Array =>
  Uint8Array.from({ length: ticks }, (_, i) => (seed * 31 + i * 7 + (i >> 8)) & 0xff);

test('silence fills the time from the last audio to the end of the call', async () => {
  const said: Stretch[] = [{ startTick: 0, codes: codesFrom(1, 160) }];
  await writeSpool(join(folder, 'spool'), 0, 'PCMU', said);
  const made = await assemble(1, nothing, 8000);
  expect(made?.durationMs).toBe(1000);
  const { samples } = await wav();
  expect(samples[0]).toHaveLength(8000);
  expect(samples[0]!.subarray(160).every((sample) => sample === 0)).toBe(true);
});

test('16-bit blocks, as of G.722 and Opus, come out as they were put in, sign and all', async () => {
  const said = Int16Array.from({ length: 3 * BLOCK_TICKS }, (_, i) => ((i * 7919) & 0xffff) - 32_768);
  await mkdir(join(folder, 'spool'), { recursive: true });
  for (let startTick = 0; startTick < said.length; startTick += BLOCK_TICKS) {
    const payload = Buffer.alloc(2 * BLOCK_TICKS);
    for (let i = 0; i < BLOCK_TICKS; i++) payload.writeInt16LE(said[startTick + i]!, 2 * i);
    const block = encodeBlock({
      encoding: 'L16',
      channelIndex: 0,
      startTick,
      ticks: BLOCK_TICKS,
      ssrc: 1,
      extendedSequence: 1,
      rtpTimestampAtEnd: 1,
      srtpRollover: 0,
      packetsReceived: 1,
      packetsLost: 0,
      packetsLate: 0,
      vad: 0,
      payload,
    });
    await appendFile(join(folder, 'spool', spoolFileName(0, startTick)), block);
  }
  expect((await assemble(1))?.durationMs).toBe(1500);
  const { samples } = await wav();
  expect([...samples[0]!]).toEqual([...said]);
});

test('two channels with gaps, over a file boundary, equal the source sample for sample', async () => {
  const agent: Stretch[] = [
    { startTick: 800, codes: codesFrom(1, BLOCK_TICKS) },
    { startTick: 4800, codes: codesFrom(2, BLOCK_TICKS) },
    { startTick: 100_000, codes: codesFrom(3, 160) },
    { startTick: TICKS_PER_FILE - 160, codes: codesFrom(4, 160) },
    { startTick: TICKS_PER_FILE, codes: codesFrom(5, BLOCK_TICKS) },
  ];
  const customer: Stretch[] = [
    { startTick: 0, codes: codesFrom(6, 1) },
    { startTick: 31_999, codes: codesFrom(7, 3) },
    { startTick: TICKS_PER_FILE + 10, codes: codesFrom(8, 1000) },
  ];
  await writeSpool(join(folder, 'spool'), 0, 'PCMU', agent);
  await writeSpool(join(folder, 'spool'), 1, 'PCMA', customer);
  const made = await assemble(2);
  const ticks = TICKS_PER_FILE + BLOCK_TICKS;
  const { channels, sampleRate, bits, samples } = await wav();
  expect({ channels, sampleRate, bits }).toEqual({ channels: 2, sampleRate: 8000, bits: 16 });
  expect(Buffer.from(samples[0]!.buffer).equals(Buffer.from(samplesOf('PCMU', agent, ticks).buffer))).toBe(
    true,
  );
  expect(Buffer.from(samples[1]!.buffer).equals(Buffer.from(samplesOf('PCMA', customer, ticks).buffer))).toBe(
    true,
  );
  const bytes = await readFile(join(folder, 'recordings', 'call.wav'));
  const file = {
    file: 'call.wav',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  expect(made).toEqual({ ...file, durationMs: ticks / 8, formats: [{ format: 'wav', ...file }] });
  expect((await readdir(join(folder, 'recordings'))).sort()).toEqual(['call.speech.json', 'call.wav']);
  const marks = parseSpeechMarks(await readFile(join(folder, 'recordings', 'call.speech.json'), 'utf8'));
  expect(marks?.channels.map((blocks) => blocks.map(([startTick, length]) => [startTick, length]))).toEqual(
    [agent, customer].map((parts) => parts.map(({ startTick, codes }) => [startTick, codes.length])),
  );
});

test('any number of channels with any gaps equals its source', async () => {
  const stretches = fc
    .array(fc.record({ gap: fc.nat(9000), ticks: fc.integer({ min: 1, max: BLOCK_TICKS }) }), {
      maxLength: 12,
    })
    .map((parts) => {
      let tick = 0;
      return parts.map(({ gap, ticks }, i): Stretch => {
        const startTick = tick + gap;
        tick = startTick + ticks;
        return { startTick, codes: codesFrom(i, ticks) };
      });
    });
  await fc.assert(
    fc.asyncProperty(fc.array(stretches, { minLength: 1, maxLength: 4 }), async (channels) => {
      await removeFolder(join(folder, 'spool'));
      await mkdir(join(folder, 'spool'));
      for (const [index, parts] of channels.entries()) {
        await writeSpool(join(folder, 'spool'), index, 'PCMU', parts);
      }
      const made = await assemble(channels.length);
      const ticks = Math.max(...channels.flat().map((one) => one.startTick + one.codes.length), 0);
      if (ticks === 0) {
        expect(made).toBeNull();
        return;
      }
      const { samples } = await wav();
      expect(samples).toHaveLength(channels.length);
      for (const [index, parts] of channels.entries()) {
        expect(Buffer.from(samples[index]!.buffer)).toEqual(
          Buffer.from(samplesOf('PCMU', parts, ticks).buffer),
        );
      }
    }),
    { numRuns: 25 },
  );
});

test('a damaged block becomes silence, and what follows it keeps its place', async () => {
  const parts: Stretch[] = [0, 1, 2].map((i) => ({
    startTick: i * BLOCK_TICKS,
    codes: codesFrom(i, BLOCK_TICKS),
  }));
  await writeSpool(join(folder, 'spool'), 0, 'PCMU', parts);
  const file = join(folder, 'spool', spoolFileName(0, 0));
  const bytes = await readFile(file);
  bytes[64 + BLOCK_TICKS + 64 + 100]! ^= 1;
  await writeFile(file, bytes);
  let damaged = 0;
  await assemble(1, () => damaged++);
  const { samples } = await wav();
  expect(damaged).toBe(1);
  expect(Buffer.from(samples[0]!.buffer)).toEqual(
    Buffer.from(samplesOf('PCMU', [parts[0]!, parts[2]!], 3 * BLOCK_TICKS).buffer),
  );
});

test('the tail of a writer that died hides no block that its successor wrote after it', async () => {
  const spool = join(folder, 'spool');
  const first = { startTick: 0, codes: codesFrom(1, BLOCK_TICKS) };
  const torn = { startTick: BLOCK_TICKS, codes: codesFrom(2, BLOCK_TICKS) };
  const after = { startTick: BLOCK_TICKS, codes: codesFrom(3, BLOCK_TICKS) };
  await writeSpool(spool, 0, 'PCMU', [first]);
  await appendFile(join(spool, spoolFileName(0, 0)), blockOf(0, 'PCMU', torn).subarray(0, 1234));
  await writeSpool(spool, 0, 'PCMU', [after]);
  await appendFile(join(spool, spoolFileName(0, 0)), blockOf(0, 'PCMU', torn).subarray(0, 40));
  await assemble(1);
  const { samples } = await wav();
  expect(Buffer.from(samples[0]!.buffer)).toEqual(
    Buffer.from(samplesOf('PCMU', [first, after], 2 * BLOCK_TICKS).buffer),
  );
});

test('whatever rubbish lies between blocks, every whole block is read and nothing throws', async () => {
  const part = fc.oneof(
    fc.record({ kind: fc.constant('block' as const), ticks: fc.integer({ min: 1, max: 400 }) }),
    fc.record({ kind: fc.constant('rubbish' as const), bytes: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({ kind: fc.constant('magic' as const), bytes: fc.uint8Array({ maxLength: 100 }) }),
  );
  await mkdir(join(folder, 'spool'));
  const file = join(folder, 'spool', spoolFileName(0, 0));
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 20 }), async (parts) => {
      let tick = 0;
      const expected: number[] = [];
      const bytes = parts.map((one) => {
        if (one.kind === 'rubbish') return Buffer.from(one.bytes);
        if (one.kind === 'magic') return Buffer.concat([Buffer.from('ESB1'), one.bytes]);
        expected.push(tick);
        const block = blockOf(0, 'PCMU', { startTick: tick, codes: codesFrom(tick, one.ticks) });
        tick += one.ticks;
        return block;
      });
      await writeFile(file, Buffer.concat(bytes));
      const [spoolFile] = await spoolFilesOf(join(folder, 'spool'));
      const read: number[] = [];
      for await (const block of blocksOf(spoolFile!, nothing)) read.push(block.startTick);
      expect(read).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('a block whose tick belongs to another file does not stretch the recording', async () => {
  await writeSpool(join(folder, 'spool'), 0, 'PCMU', [{ startTick: 0, codes: codesFrom(1, 100) }]);
  const stray = blockOf(0, 'PCMU', { startTick: TICKS_PER_FILE * 1000, codes: codesFrom(1, 100) });
  await appendFile(join(folder, 'spool', spoolFileName(0, 0)), stray);
  expect(await assemble(1)).toMatchObject({ bytes: 44 + 200 });
});

test('without any audio there is no file', async () => {
  expect(await assemble(2)).toBeNull();
  await expect(stat(join(folder, 'recordings'))).rejects.toThrow('ENOENT');
});

test('a recording that a RIFF header cannot say is RF64 with its sizes in ds64', () => {
  const most = Math.floor((0xffffffff - 1 - 36) / 4);
  expect(wavHeader({ channels: 2, sampleRate: 8000, samples: most }).toString('latin1', 0, 4)).toBe('RIFF');
  const samples = 100 * 86_400 * 8000;
  const header = wavHeader({ channels: 2, sampleRate: 8000, samples });
  const text = (at: number): string => header.toString('latin1', at, at + 4);
  expect([text(0), text(8), text(12), text(48), text(72)]).toEqual(['RF64', 'WAVE', 'ds64', 'fmt ', 'data']);
  expect(header.length).toBe(80);
  expect(header.readUInt32LE(4)).toBe(0xffffffff);
  expect(header.readUInt32LE(76)).toBe(0xffffffff);
  expect(header.readBigUInt64LE(20)).toBe(BigInt(samples) * 4n + 72n);
  expect(header.readBigUInt64LE(28)).toBe(BigInt(samples) * 4n);
  expect(header.readBigUInt64LE(36)).toBe(BigInt(samples));
});
