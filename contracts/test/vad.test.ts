import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EnergyJudge, ModelJudge, type SpeechJudge, VAD_FRAME_TICKS } from '../src/index.ts';
import { BANDS, VadFeatures } from '../src/vad-features.ts';
import { VAD_WEIGHTS } from '../src/vad-weights.ts';

const bitsOf = (judge: SpeechJudge, pcm: Int16Array): boolean[] =>
  Array.from({ length: Math.floor(pcm.length / VAD_FRAME_TICKS) }, (_, i) =>
    judge.frame(pcm, i * VAD_FRAME_TICKS, (i + 1) * VAD_FRAME_TICKS),
  );
const share = (bits: readonly boolean[]): number => bits.filter(Boolean).length / bits.length;

/** Whole seconds of a chord that changes every half second, as hold music does. */
function chords(seconds: number): Int16Array {
  const roots = [262, 220, 175, 196];
  return Int16Array.from({ length: 8000 * seconds }, (_, i) => {
    const root = roots[Math.floor(i / 4000) % 4]!;
    const t = i / 8000;
    return [1, 1.26, 1.5, 2].reduce((sum, k) => sum + 900 * Math.sin(2 * Math.PI * root * k * t), 0);
  });
}

const noise = fc
  .record({
    seed: fc.integer({ min: 1, max: 1e9 }),
    frames: fc.integer({ min: 1, max: 80 }),
    level: fc.integer({ min: 0, max: 15 }),
  })
  .map(({ seed, frames, level }) => {
    let state = seed;
    return Int16Array.from({ length: frames * VAD_FRAME_TICKS }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return state >> (31 - level);
    });
  });

describe('the speech detector by its model', () => {
  test('never hears speech in silence or where energy hears none', () => {
    expect(bitsOf(new ModelJudge(), new Int16Array(16_000))).not.toContain(true);
    fc.assert(
      fc.property(noise, (pcm) => {
        const energy = bitsOf(new EnergyJudge(), pcm);
        for (const [i, bit] of bitsOf(new ModelJudge(), pcm).entries()) expect(bit && !energy[i]).toBe(false);
      }),
    );
  });

  test('holds music back that energy lets pass', () => {
    const music = chords(20);
    expect(share(bitsOf(new EnergyJudge(), music))).toBe(1);
    expect(share(bitsOf(new ModelJudge(), music).slice(50))).toBeLessThan(0.1);
  });

  test('gives each channel the same bits, whatever other channels do between its frames', () => {
    fc.assert(
      fc.property(fc.array(noise, { minLength: 2, maxLength: 4 }), (channels) => {
        const alone = channels.map((pcm) => bitsOf(new ModelJudge(), pcm));
        const judges = channels.map(() => new ModelJudge());
        const together = channels.map((): boolean[] => []);
        for (let from = 0; channels.some((pcm) => from < pcm.length); from += VAD_FRAME_TICKS) {
          for (const [i, pcm] of channels.entries())
            if (from < pcm.length) together[i]!.push(judges[i]!.frame(pcm, from, from + VAD_FRAME_TICKS));
        }
        expect(together).toEqual(alone);
      }),
      { numRuns: 30 },
    );
  });

  test('takes a piece of a frame by its energy', () => {
    const judge = new ModelJudge();
    expect(judge.frame(chords(1), 0, 40)).toBe(true);
    expect(judge.frame(new Int16Array(40), 0, 40)).toBe(false);
  });

  test('has weights for every input and unit', () => {
    const [first, second] = VAD_WEIGHTS.widths as [number, number];
    const count = 2 * first * (VAD_WEIGHTS.inputs + 1) + 2 * second * (first + 1) + second + 1;
    expect(atob(VAD_WEIGHTS.values).length).toBe(2 * count);
  });
});

describe('what the model sees', () => {
  test('are the powers of bands as a plain Fourier transform has them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -32768, max: 32767 }), { minLength: 160, maxLength: 160 }),
        (samples) => {
          const features = new VadFeatures();
          features.see(Int16Array.from(samples), 0, 10);
          const levels = plainLevels(samples);
          const mean = levels.reduce((sum, level) => sum + level, 0) / BANDS;
          // Its logarithm is right within 0.01.
          for (const [band, level] of levels.entries())
            expect(
              Math.abs(features.values[band]! * 4 - Math.max(-12, Math.min(12, level - mean))),
            ).toBeLessThan(0.03);
        },
      ),
      { numRuns: 50 },
    );
  });
});

/** Of a frame with silence before it. */
function plainLevels(samples: readonly number[]): number[] {
  const edges = [4, 6, 8, 10, 12, 15, 18, 21, 25, 29, 34, 40, 46, 53, 62, 72, 84, 98, 114];
  const power = (k: number): number => {
    let re = 0;
    let im = 0;
    for (const [i, sample] of samples.entries()) {
      const at = i + 96;
      const x = (sample / 32768) * (0.5 - 0.5 * Math.cos((2 * Math.PI * at) / 256));
      re += x * Math.cos((2 * Math.PI * k * at) / 256);
      im -= x * Math.sin((2 * Math.PI * k * at) / 256);
    }
    return (re * re + im * im) / 64;
  };
  return edges.slice(1).map((high, band) => {
    const low = edges[band]!;
    let sum = 0;
    for (let k = low; k < high; k++) sum += power(k);
    return Math.log2(sum / (high - low) + 1e-8);
  });
}
