import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Resampler } from '../../src/dsp/resample.ts';
import { G722Decoder } from '../../src/codec/g722-decoder.ts';
import {
  bytesOf,
  canSpeak,
  ffmpeg,
  hasFfmpeg,
  randomOf,
  rms,
  samplesOf,
  signalToNoise,
  sine,
  speak,
} from '../support/audio.ts';
import { bandPower, powerSpectrum } from '../support/spectrum.ts';

const decoded = (bytes: Uint8Array): Int16Array => {
  const out = new Int16Array(2 * bytes.length);
  expect(new G722Decoder(16_000).decode(bytes, 0, bytes.length, out)).toBe(out.length);
  return out;
};

const randomBytes = (seed: number, length: number): Uint8Array => {
  const random = randomOf(seed);
  return Uint8Array.from({ length }, () => Math.floor(256 * random()));
};

const asG722 = (pcm: Int16Array): Buffer =>
  ffmpeg(['-f', 's16le', '-ar', '16000', '-i', 'pipe:0', '-c:a', 'g722', '-f', 'g722'], bytesOf(pcm));
const byFfmpeg = (g722: Uint8Array): Int16Array =>
  samplesOf(ffmpeg(['-f', 'g722', '-i', 'pipe:0', '-f', 's16le'], g722));

describe('G.722 decoder', () => {
  it('decodes every code in every state to the samples that ffmpeg 5.1 gave', () => {
    // SHA-256 of what ffmpeg's decoder made of these 16,000 pseudo-random bytes, little-endian.
    const hash = createHash('sha256')
      .update(bytesOf(decoded(randomBytes(722, 16_000))))
      .digest('hex');
    expect(hash).toBe('b4e69e33463dc2a63de9df6434721e7424260bbecf292aedcfcaa3f5c2bede33');
  });

  it.skipIf(!hasFfmpeg)('agrees with ffmpeg to the sample on tones and noise (needs ffmpeg)', () => {
    const random = randomOf(9);
    const noise = Int16Array.from({ length: 32_000 }, () => 65_535 * (random() - 0.5));
    for (const pcm of [sine(440, 16_000, 32_000), sine(6500, 16_000, 32_000, 30_000), noise]) {
      const bytes = asG722(pcm);
      expect(decoded(bytes)).toEqual(byFfmpeg(bytes));
    }
  });

  it.skipIf(!hasFfmpeg || !canSpeak)(
    'gives speech back within the codec’s own error (needs ffmpeg, flite)',
    () => {
      const said = speak('slt', 'The quick brown fox jumps over the lazy dog.', 16_000);
      const bytes = asG722(said);
      expect(decoded(bytes)).toEqual(byFfmpeg(bytes));
      expect(signalToNoise(said, decoded(bytes), 40)).toBeGreaterThan(15);
    },
  );

  it('gives the same however the stream is cut into packets', () => {
    const bytes = randomBytes(1, 4000);
    const whole = decoded(bytes);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 480 }), { minLength: 1, maxLength: 6 }), (sizes) => {
        const decoder = new G722Decoder(16_000);
        const out = new Int16Array(960);
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const end = Math.min(bytes.length, at + sizes[turn % sizes.length]!);
          const n = decoder.decode(bytes, at, end, out);
          expect(out.subarray(0, n)).toEqual(whole.subarray(2 * at, 2 * end));
          at = end;
        }
      }),
      { numRuns: 50 },
    );
  });

  it.skipIf(!hasFfmpeg || !canSpeak)(
    'finds back to the stream within 100 ms of a loss (needs ffmpeg, flite)',
    () => {
      const bytes = asG722(speak('slt', 'Good morning, how may I help you today?', 16_000));
      const whole = decoded(bytes);
      const decoder = new G722Decoder(16_000);
      const heard = new Int16Array(whole.length);
      for (let packet = 0; packet * 160 < bytes.length; packet++) {
        const end = Math.min(bytes.length, 160 * packet + 160);
        if (packet !== 30) decoder.decode(bytes, 160 * packet, end, heard.subarray(320 * packet));
      }
      const from = 320 * 36;
      const error = whole.subarray(from).map((sample, i) => sample - heard[from + i]!);
      expect(rms(error)).toBeLessThan(0.02 * rms(whole.subarray(from)));
    },
  );

  it.skipIf(!hasFfmpeg || !canSpeak)(
    'decodes the telephone band alone as well as both bands brought down (needs ffmpeg, flite)',
    () => {
      const said = speak('slt', 'Good morning, how may I help you today?', 16_000);
      const bytes = asG722(said);
      const narrow = new Int16Array(bytes.length);
      expect(new G722Decoder(8000).decode(bytes, 0, bytes.length, narrow)).toBe(bytes.length);
      const down = new Int16Array(bytes.length);
      new Resampler(16_000, 8000).process(decoded(bytes), 2 * bytes.length, down);
      // They are delayed differently, not by whole samples: so their spectra are compared, up to the border of the bands.
      const power = (pcm: Int16Array, from: number, to: number): number => {
        let sum = 0;
        for (let at = 0; at + 512 <= pcm.length; at += 512)
          sum += bandPower(powerSpectrum(pcm, at, 512), 8000, from, to);
        return 10 * Math.log10(sum);
      };
      for (let hz = 100; hz < 3100; hz += 500) {
        expect(Math.abs(power(narrow, hz, hz + 500) - power(down, hz, hz + 500))).toBeLessThan(1);
      }
    },
  );

  it('forgets the stream at a reset', () => {
    const bytes = randomBytes(2, 320);
    const decoder = new G722Decoder(16_000);
    const first = new Int16Array(640);
    const second = new Int16Array(640);
    decoder.decode(bytes, 0, 320, first);
    decoder.reset();
    decoder.decode(bytes, 0, 320, second);
    expect(second).toEqual(first);
  });
});
