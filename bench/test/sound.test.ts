import { linearToUlaw } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resample } from '../src/speech/resample.ts';
import { levelled, throughMulaw, withNoise } from '../src/speech/sound.ts';
import { readWav } from '../src/speech/wav.ts';

const tone = (hz: number, rate: number, seconds: number): Int16Array =>
  Int16Array.from({ length: rate * seconds }, (_, i) =>
    Math.round(10_000 * Math.sin((2 * Math.PI * hz * i) / rate)),
  );
const power = (pcm: Int16Array, from: number, to: number): number =>
  pcm.subarray(from, to).reduce((sum, sample) => sum + sample * sample, 0) / (to - from);

/** A RIFF file with a chunk before the data that is to be passed over. */
function wav(
  code: number,
  channels: number,
  rate: number,
  bits: number,
  data: Uint8Array,
  dataSize = data.length,
) {
  const bytes = Buffer.alloc(12 + 24 + 12 + 8);
  bytes.write('RIFF', 0);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(code, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt16LE((channels * bits) / 8, 32);
  bytes.writeUInt16LE(bits, 34);
  bytes.write('LIST', 36);
  bytes.writeUInt32LE(3, 40); // odd: a byte of padding follows
  bytes.write('data', 48);
  bytes.writeUInt32LE(dataSize, 52);
  return new Uint8Array(Buffer.concat([bytes, data]));
}

describe('resampling', () => {
  test.each([
    [16_000, 8000],
    [22_050, 8000],
    [8000, 16_000],
  ])('from %i to %i Hz keeps a tone of 1 kHz as it is', (from, to) => {
    const out = resample(tone(1000, from, 1), from, to);
    const wanted = tone(1000, to, 1);
    expect(out.length).toBe(to);
    for (let i = 400; i < to - 400; i++) expect(Math.abs(out[i]! - wanted[i]!)).toBeLessThan(60);
  });

  test('to 8 kHz takes away what would come back as another tone', () => {
    const out = resample(tone(5000, 16_000, 1), 16_000, 8000);
    expect(power(out, 400, 7600)).toBeLessThan(power(tone(3000, 8000, 1), 400, 7600) * 1e-6);
  });
});

describe('a WAV file', () => {
  test('of 16-bit PCM is read past chunks that are not known, and channels are averaged', () => {
    const data = new Uint8Array(new Int16Array([100, 300, -200, -400]).buffer);
    expect(readWav(wav(1, 2, 16_000, 16, data))).toEqual({
      sampleRate: 16_000,
      pcm: Int16Array.of(200, -300),
    });
  });

  test('of mu-law is decoded', () => {
    const data = Uint8Array.from([0, 1000, -1000], linearToUlaw);
    const { pcm, sampleRate } = readWav(wav(7, 1, 8000, 8, data));
    expect(sampleRate).toBe(8000);
    expect([...pcm].map((sample) => Math.round(sample / 100))).toEqual([0, 10, -10]);
  });

  test('whose data have no known length goes to the end', () => {
    const data = new Uint8Array(new Int16Array([1, 2, 3]).buffer);
    expect(readWav(wav(1, 1, 8000, 16, data, 0xffffffff)).pcm).toEqual(Int16Array.of(1, 2, 3));
  });

  test('that is none, or of another format, is refused with the reason and nothing else happens', () => {
    expect(() => readWav(wav(3, 1, 8000, 32, new Uint8Array(8)))).toThrow('format 3 with 32 bits');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(() => readWav(bytes)).toThrow(Error);
      }),
    );
  });
});

describe('sounds', () => {
  test('are brought to one level', () => {
    const pcm = levelled(Int16Array.of(10, -100, 50));
    expect(Math.max(...pcm.map(Math.abs))).toBe(16_384);
  });

  test('get noise of the strength asked for', () => {
    const speech = tone(300, 8000, 2);
    const noisy = withNoise(speech, 15, 7);
    const noise = noisy.map((sample, i) => sample - speech[i]!);
    const snr = 10 * Math.log10(power(speech, 0, speech.length) / power(noise, 0, noise.length));
    expect(snr).toBeCloseTo(15, 1);
  });

  test('through mu-law stay within half a step of the code', () => {
    fc.assert(
      fc.property(fc.integer({ min: -32_000, max: 32_000 }), (sample) => {
        const [coded = NaN] = throughMulaw(Int16Array.of(sample));
        expect(Math.abs(coded - sample)).toBeLessThanOrEqual(Math.max(4, (Math.abs(sample) + 132) / 32));
      }),
    );
  });
});
