import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { canOpus } from '../../src/recording/native-opus.ts';
import { opusHead, parseOpusHead } from '../../src/recording/opus-headers.ts';
import { OpusFile } from '../../src/recording/opus-reader.ts';
import { OpusWriter } from '../../src/recording/opus-writer.ts';
import { plainPackets, plainPages } from './ogg.ts';

const folder = mkdtempSync(join(tmpdir(), 'er-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'call.opus');
/** -70 dBFS. */
const SILENT = 10;

/** A voice of sorts: its pitch and loudness move, and each channel has another. */
const soundOf = (channels: number, ticks: number): Int16Array =>
  Int16Array.from({ length: channels * ticks }, (_, at) => {
    const channel = at % channels;
    const s = Math.floor(at / channels) / 8000;
    const pitch = 2 * Math.PI * (150 + 90 * channel) * s;
    return 5000 * (1 + Math.sin(3 * s)) * (Math.sin(pitch) + 0.4 * Math.sin(3 * pitch)) * 0.5;
  });

function encoded(channels: number, sound: Int16Array, sizes: readonly number[] = [8000]): Buffer {
  const writer = new OpusWriter({ channels, serial: 7, comments: ['ENCODER=test'] });
  const pages: Buffer[] = [];
  let at = 0;
  for (let n = 0; at < sound.length; n++) {
    const end = Math.min(sound.length, at + channels * sizes[n % sizes.length]!);
    pages.push(...writer.write(sound.subarray(at, end)));
    at = end;
  }
  pages.push(...writer.finish());
  writer.close();
  return Buffer.concat(pages);
}

async function decoded(pieces: readonly number[] = [8000]): Promise<Int16Array[]> {
  const file = await OpusFile.open(path);
  const channels: Int16Array[] = [];
  for (let channel = 0; channel < file.channels; channel++) {
    const out = new Int16Array(file.samples);
    let at = 0;
    for (let n = 0; at < file.samples; n++) {
      const piece = await file.read(channel, at, pieces[n % pieces.length]!);
      out.set(piece, at);
      at += piece.length;
    }
    channels.push(out);
  }
  await file.close();
  return channels;
}

const decibels = (sound: Int16Array, channels: number, channel: number, heard: Int16Array): number => {
  let signal = 0;
  let noise = 0;
  for (const [i, sample] of heard.entries()) {
    const wanted = sound[i * channels + channel]!;
    signal += wanted ** 2;
    noise += (wanted - sample) ** 2;
  }
  return 10 * Math.log10(signal / noise);
};

test('heads say how channels lie in streams, and others than ours are told from them', () => {
  for (const channels of [1, 2, 3, 4, 5, 6, 8, 255]) {
    const head = opusHead({ channels, preSkip: 312 }, 8000);
    expect(parseOpusHead(head)).toEqual({ channels, preSkip: 312 });
    expect(head[18]).toBe(channels === 1 ? 0 : channels <= 5 ? 1 : 255);
  }
  const coupled = opusHead({ channels: 2, preSkip: 312 }, 8000);
  coupled[19] = 1;
  coupled[20] = 1;
  expect(parseOpusHead(coupled)).toBeNull();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      parseOpusHead(Buffer.concat([Buffer.from('OpusHead'), bytes]));
    }),
  );
});

describe.skipIf(!canOpus())('a recording in Opus', () => {
  test('has the length of what was written to the sample, whatever it was written in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.oneof(fc.integer({ min: 1, max: 30_000 }), fc.constantFrom(1, 107, 108, 109, 159, 160, 161, 8000)),
        fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 4 }),
        async (channels, ticks, sizes) => {
          const sound = soundOf(channels, ticks);
          const bytes = encoded(channels, sound, sizes);
          expect(bytes).toEqual(encoded(channels, sound));
          const pages = plainPages(bytes);
          const packets = plainPackets(pages);
          expect(packets[0]!.bytes.toString('latin1', 0, 8)).toBe('OpusHead');
          expect(packets[1]!.bytes.toString('latin1', 0, 8)).toBe('OpusTags');
          expect(pages[0]!.lacing).toHaveLength(1);
          expect([pages[0]!.granule, pages[1]!.granule]).toEqual([0n, 0n]);
          // The last packet is needed: less than it is cut off.
          const end = Number(pages.at(-1)!.granule);
          expect(end).toBe(312 + 6 * ticks);
          expect((packets.length - 2) * 960 - end).toBeGreaterThanOrEqual(0);
          expect((packets.length - 2) * 960 - end).toBeLessThan(960);
          // At most a second of packets on a page.
          const spans = pages.slice(2).map((page, n) => Number(page.granule - pages[n + 1]!.granule));
          expect(Math.max(...spans)).toBeLessThanOrEqual(48_000);
          writeFileSync(path, bytes);
          expect((await decoded()).map((one) => one.length)).toEqual(Array(channels).fill(ticks));
        },
      ),
      { numRuns: 25 },
    );
  });

  test('sounds as what was written, at its place, whatever pieces it is read in', async () => {
    const sound = soundOf(3, 80_000);
    writeFileSync(path, encoded(3, sound));
    const whole = await decoded([80_000]);
    for (const [channel, heard] of whole.entries())
      expect(decibels(sound, 3, channel, heard)).toBeGreaterThan(20);
    expect(await decoded([1, 7999, 16_000, 3])).toEqual(whole);
    const file = await OpusFile.open(path);
    expect(await file.read(1, 50_000, 100)).toEqual(whole[1]!.subarray(50_000, 50_100));
    expect(await file.read(1, 100, 100)).toEqual(whole[1]!.subarray(100, 200));
    expect(await file.read(1, 79_990, 100)).toHaveLength(10);
    expect(await file.read(1, 90_000, 100)).toHaveLength(0);
    await file.close();
  });

  test('a party is not heard on the other channel, and silence is silent', async () => {
    const sound = soundOf(2, 40_000).map((sample, at) => (at % 2 === 0 ? 0 : sample));
    sound.fill(0, 2 * 16_000, 2 * 32_000);
    writeFileSync(path, encoded(2, sound));
    const [silent, speaks] = await decoded();
    const loudest = (samples: Int16Array): number =>
      samples.reduce((max, one) => Math.max(max, Math.abs(one)), 0);
    expect(loudest(silent!)).toBeLessThanOrEqual(SILENT);
    expect(loudest(speaks!)).toBeGreaterThan(4000);
    // A quarter of a second later it has died away.
    expect(loudest(speaks!.subarray(18_000, 31_900))).toBeLessThanOrEqual(SILENT);
  });

  test('a damaged page is silence, and what follows keeps its place', async () => {
    const sound = soundOf(2, 80_000);
    const bytes = encoded(2, sound);
    writeFileSync(path, bytes);
    const whole = await decoded();
    const pages = plainPages(bytes);
    let offset = 0;
    for (const page of pages.slice(0, 5)) offset += 27 + page.lacing.length + page.body.length;
    bytes[offset + 400]! ^= 1;
    writeFileSync(path, bytes);
    // The fourth second, as the packets lie: 52 ticks earlier than its page's position says.
    for (const pieces of [[8000], [80_000], [500]]) {
      const broken = await decoded(pieces);
      for (const channel of [0, 1]) {
        expect(broken[channel]!.subarray(0, 23_900)).toEqual(whole[channel]!.subarray(0, 23_900));
        expect([...broken[channel]!.subarray(24_000, 31_900)].every((sample) => sample === 0)).toBe(true);
        const later = broken[channel]!.subarray(33_000);
        const there = new Int16Array(2 * later.length);
        for (const [i] of later.entries()) there[2 * i] = sound[2 * (33_000 + i) + channel]!;
        expect(decibels(there, 2, 0, later)).toBeGreaterThan(18);
      }
    }
  });

  test('a file that was cut off ends with its last whole page; what is none says so', async () => {
    const bytes = encoded(1, soundOf(1, 40_000));
    writeFileSync(path, bytes.subarray(0, bytes.length - 3000));
    const [cut] = await decoded();
    expect(cut!.length).toBeGreaterThan(16_000);
    expect(cut!.length).toBeLessThan(40_000);
    for (const text of ['', 'OggS', 'RIFF and so on']) {
      writeFileSync(path, text);
      await expect(OpusFile.open(path)).rejects.toThrow('not an Ogg file');
    }
    writeFileSync(path, bytes.subarray(0, 60));
    await expect(OpusFile.open(path)).rejects.toThrow('ends in its headers');
  });
});
