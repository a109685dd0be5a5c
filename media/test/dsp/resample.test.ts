import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Resampler } from '../../src/dsp/resample.ts';
import { decibels, rms, sine } from '../support/audio.ts';

interface Kernel {
  process(input: Int16Array, n: number, out: Int16Array): number;
}

/** How much of a tone comes out, in dB. */
function gain(kernel: Kernel, hz: number, rate: number): number {
  const tone = sine(hz, rate, rate / 5, 16000);
  const out = new Int16Array(2 * rate);
  const n = kernel.process(tone, tone.length, out);
  return decibels(rms(out, n >> 2, n) / rms(tone));
}

/** The same audio in pieces of the sizes given, over and over. */
function inPieces(kernel: Kernel, pcm: Int16Array, sizes: readonly number[], room: number): number[] {
  const all: number[] = [];
  const out = new Int16Array(room);
  for (let at = 0, turn = 0; at < pcm.length; turn++) {
    const size = Math.min(sizes[turn % sizes.length]!, pcm.length - at);
    const n = kernel.process(pcm.subarray(at, at + size), size, out);
    all.push(...out.subarray(0, n));
    at += size;
  }
  return all;
}

const pieces = fc.array(fc.integer({ min: 1, max: 1300 }), { minLength: 1, maxLength: 6 });

describe('resampler', () => {
  const downward = [22050, 24000, 32000, 44100, 48000];

  it.each(downward)('keeps the band up to 7 kHz of %i Hz within 0.1 dB', (rate) => {
    for (let hz = 100; hz <= 6900; hz += 400) {
      expect(Math.abs(gain(new Resampler(rate, 16000), hz, rate))).toBeLessThan(0.1);
    }
  });

  it.each(downward)('lets nothing above 8 kHz of %i Hz fold back: 60 dB down', (rate) => {
    for (let hz = 8100; hz < rate / 2; hz += 500) {
      expect(gain(new Resampler(rate, 16000), hz, rate)).toBeLessThan(-60);
    }
  });

  it('makes no images when 11025 Hz becomes 16000 Hz', () => {
    for (let hz = 100; hz <= 4700; hz += 400) {
      const tone = sine(hz, 11025, 11025, 16000);
      const out = new Int16Array(16000);
      expect(new Resampler(11025, 16000).process(tone, tone.length, out)).toBe(16000);
      // What is left when the tone itself is taken out.
      const residue = new Float64Array(8000);
      let cos = 0;
      let sin = 0;
      for (let i = 0; i < 8000; i++) {
        cos += out[4000 + i]! * Math.cos((2 * Math.PI * hz * i) / 16000) * (2 / 8000);
        sin += out[4000 + i]! * Math.sin((2 * Math.PI * hz * i) / 16000) * (2 / 8000);
      }
      for (let i = 0; i < 8000; i++) {
        const angle = (2 * Math.PI * hz * i) / 16000;
        residue[i] = out[4000 + i]! - cos * Math.cos(angle) - sin * Math.sin(angle);
      }
      expect(decibels(Math.hypot(cos, sin) / 16000)).toBeCloseTo(0, 0);
      expect(decibels(rms(residue) / 16000)).toBeLessThan(-60);
    }
  });

  it('writes as many samples as it said, over the stream exactly the ratio, and the same however the audio is cut', () => {
    const rates = fc.constantFrom(11025, 22050, 24000, 32000, 44100, 48000);
    fc.assert(
      fc.property(rates, pieces, fc.integer(), (rate, sizes, seed) => {
        const pcm = Int16Array.from({ length: 4000 }, (_, i) => ((i * 7919 + seed) % 20011) - 10000);
        const whole = new Resampler(rate, 16000);
        const said = whole.outputFor(pcm.length);
        const out = new Int16Array(said);
        expect(whole.process(pcm, pcm.length, out)).toBe(said);
        expect(said).toBe(Math.ceil((pcm.length * 16000) / rate));
        expect(inPieces(new Resampler(rate, 16000), pcm, sizes, 2000)).toEqual([...out]);
      }),
      { numRuns: 60 },
    );
  });

  it('delays by what it says', () => {
    const resampler = new Resampler(48000, 16000);
    const impulse = new Int16Array(4800);
    impulse[0] = 30000;
    const out = new Int16Array(1600);
    resampler.process(impulse, impulse.length, out);
    const peak = out.indexOf(Math.max(...out));
    expect(Math.abs(peak * 3 - resampler.delaySamples)).toBeLessThanOrEqual(2);
  });

  it('begins anew after a reset', () => {
    const resampler = new Resampler(44100, 16000);
    const tone = sine(440, 44100, 1000);
    const first = new Int16Array(400);
    const second = new Int16Array(400);
    resampler.process(tone, tone.length, first);
    resampler.reset();
    resampler.process(tone, tone.length, second);
    expect(second).toEqual(first);
  });
});
