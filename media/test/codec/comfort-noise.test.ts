import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ComfortNoise } from '../../src/codec/comfort-noise.ts';
import { decibels, ffmpeg, hasFfmpeg, rms } from '../support/audio.ts';
import { bandPower, powerSpectrum } from '../support/spectrum.ts';

function noiseOf(payload: readonly number[]): Int16Array {
  const noise = new ComfortNoise();
  expect(noise.parse(Uint8Array.from(payload), 0, payload.length)).toBe(true);
  const out = new Int16Array(16_000);
  noise.generate(out, out.length);
  return out.subarray(4000);
}

/** Power of the lower half of the band over that of the upper half, in dB. */
function tilt(pcm: Int16Array): number {
  let low = 0;
  let high = 0;
  for (let at = 0; at + 256 <= pcm.length; at += 256) {
    const spectrum = powerSpectrum(pcm, at, 256);
    low += bandPower(spectrum, 8000, 0, 2000);
    high += bandPower(spectrum, 8000, 2000, 4000);
  }
  return 10 * Math.log10(low / high);
}

describe('comfort noise', () => {
  it.each([20, 40, 60, 80])('has the level that was sent, -%i dBov, with and without a spectrum', (level) => {
    const tolerance = level > 70 ? 3 : 0.7; // a quarter of a step of 16-bit PCM is lost in rounding
    for (const shape of [[], [20], [20, 200, 90], [230, 127, 30]]) {
      const heard = decibels(rms(noiseOf([level, ...shape])) / 32767);
      expect(Math.abs(heard + level)).toBeLessThan(tolerance);
    }
  });

  it('is shaped as RFC 3389 says: a negative first reflection is low noise, a positive one is high', () => {
    expect(tilt(noiseOf([30, 20]))).toBeGreaterThan(10);
    expect(Math.abs(tilt(noiseOf([30])))).toBeLessThan(1);
    expect(tilt(noiseOf([30, 234]))).toBeLessThan(-10);
  });

  it.skipIf(!hasFfmpeg)('sounds like the noise that ffmpeg described in a payload (needs ffmpeg)', () => {
    for (const [filter, low] of [
      ['lowpass=f=800', true],
      ['highpass=f=3000', false],
    ] as const) {
      const source = ['-f', 'lavfi', '-i', `anoisesrc=r=8000:a=0.1:d=1:seed=3,${filter}`, '-map', '0:a'];
      const said = ffmpeg([...source, '-f', 's16le']);
      const pcm = new Int16Array(said.buffer.slice(said.byteOffset, said.byteOffset + said.length));
      const payloads = ffmpeg([...source, '-c:a', 'comfortnoise', '-f', 'data']);
      const heard = noiseOf([...payloads.subarray(0, 11)]);
      expect(Math.abs(decibels(rms(heard) / rms(pcm)))).toBeLessThan(3);
      expect(tilt(heard) > 6).toBe(low);
      expect(tilt(heard) < -6).toBe(!low);
    }
  });

  it('is silent before the first payload and after a reset, and the same each time', () => {
    const noise = new ComfortNoise();
    const run = (): Int16Array => {
      const out = new Int16Array(400);
      noise.generate(out, 100);
      expect(rms(out)).toBe(0);
      noise.parse(Uint8Array.of(25, 40, 140), 0, 3);
      noise.generate(out, 400);
      return out;
    };
    const first = run();
    expect(rms(first)).toBeGreaterThan(100);
    noise.reset();
    expect(noise.levelDbov).toBe(-Infinity);
    expect(run()).toEqual(first);
  });

  it('refuses payloads without a level, and leaves out reserved coefficients', () => {
    const noise = new ComfortNoise();
    expect(noise.parse(new Uint8Array(), 0, 0)).toBe(false);
    expect(noise.parse(Uint8Array.of(128), 0, 1)).toBe(false);
    expect(noise.levelDbov).toBe(-Infinity);
    expect(noise.parse(Uint8Array.of(0), 0, 1)).toBe(true);
    expect(noise.levelDbov).toBe(0);
    expect(noiseOf([30, 20, 255, 9])).toEqual(noiseOf([30, 20]));
  });

  it('stays bounded for any sequence of payloads', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }), (payloads) => {
        const noise = new ComfortNoise();
        const out = new Int16Array(320);
        for (const payload of payloads) {
          const known = noise.levelDbov;
          if (!noise.parse(payload, 0, payload.length)) expect(noise.levelDbov).toBe(known);
          noise.generate(out, out.length);
        }
        // Whatever rang before, it comes to its level: within 20 dB, since a sharp resonance wavers within a second.
        const settled = new Int16Array(16_000);
        noise.generate(settled, settled.length);
        expect(decibels(rms(settled) / 32767)).toBeLessThan(Math.max(-60, noise.levelDbov + 20));
      }),
      { numRuns: 200 },
    );
  });
});
