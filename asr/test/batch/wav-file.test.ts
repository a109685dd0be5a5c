import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { WavError, WavFile } from '../../src/batch/wav-file.ts';
import { wavOf } from '../support/wav.ts';

const folder = mkdtempSync(join(tmpdir(), 'es-wav-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'a.wav');
const opened = async (bytes: Uint8Array): Promise<WavFile> => {
  writeFileSync(path, bytes);
  return WavFile.open(path);
};

const left = Int16Array.from({ length: 1000 }, (_, i) => i * 7 - 3000);
const right = Int16Array.from({ length: 1000 }, (_, i) => -i);

test('channels are read apart, from anywhere, and no further than the end', async () => {
  const wav = await opened(wavOf([left, right]));
  expect([wav.channels, wav.samples]).toEqual([2, 1000]);
  expect(await wav.read(0, 0, 1000)).toEqual(left);
  expect(await wav.read(1, 990, 100)).toEqual(right.subarray(990));
  expect(await wav.read(1, 1000, 1)).toEqual(new Int16Array(0));
  await wav.close();
});

test('chunks that are not known are passed over, odd ones with their padding', async () => {
  const plain = wavOf([left]);
  const odd = Buffer.from('LIST\x03\0\0\0abc\0', 'latin1');
  const wav = await opened(Buffer.concat([plain.subarray(0, 12), odd, plain.subarray(12)]));
  expect(await wav.read(0, 0, 1000)).toEqual(left);
  await wav.close();
});

test('the sizes of an RF64 file are those of its ds64 chunk', async () => {
  const plain = wavOf([left]);
  plain.write('RF64', 0, 'latin1');
  const ds64 = Buffer.alloc(36);
  ds64.write('ds64', 0, 'latin1');
  ds64.writeUInt32LE(28, 4);
  ds64.writeBigUInt64LE(2000n, 16);
  plain.writeUInt32LE(0xffffffff, 40);
  const more = Buffer.alloc(500, 1);
  const wav = await opened(Buffer.concat([plain.subarray(0, 12), ds64, plain.subarray(12), more]));
  expect(wav.samples).toBe(1000);
  await wav.close();
});

test('a file that was cut short has what is there', async () => {
  const bytes = wavOf([left, right]);
  const wav = await opened(bytes.subarray(0, bytes.length - 402));
  expect(wav.samples).toBe(899);
  expect(await wav.read(0, 0, 2000)).toEqual(left.subarray(0, 899));
  await wav.close();
});

test('what is not 16-bit PCM at 8 kHz is refused with the reason', async () => {
  const at16k = wavOf([left]);
  at16k.writeUInt32LE(16_000, 24);
  await expect(opened(at16k)).rejects.toThrow(/16000 Hz/);
  const float = wavOf([left]);
  float.writeUInt16LE(3, 20);
  await expect(opened(float)).rejects.toThrow(/16-bit PCM/);
  await expect(opened(wavOf([left]).subarray(0, 40))).rejects.toThrow(/no data chunk/);
  await expect(opened(Buffer.from('hello'))).rejects.toThrow(/not a WAV file/);
});

test('any bytes are a WAV file or a WavError', async () => {
  const header = wavOf([left]).subarray(0, 44);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(43), fc.nat(255)), { maxLength: 6 }),
      fc.uint8Array({ maxLength: 60 }),
      async (changes, tail) => {
        const bytes = Buffer.concat([header, tail]);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const wav = await opened(bytes);
          expect((await wav.read(0, 0, 100)).length).toBe(Math.min(100, wav.samples));
          await wav.close();
        } catch (error) {
          expect(error).toBeInstanceOf(WavError);
        }
      },
    ),
    { numRuns: 150 },
  );
});
