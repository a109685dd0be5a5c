import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REACH, upsample } from '../../src/features/upsample.ts';

const COUNT = 4000;
const tone = (hz: number, rate: number, count: number, from = 0): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => Math.sin((2 * Math.PI * hz * (i + from)) / rate));

/** The doubled signal of a tone, and the amplitude of one frequency in it. */
function amplitudes(hz: number, ...at: readonly number[]): number[] {
  const doubled = new Float64Array(2 * COUNT);
  upsample(tone(hz, 8000, COUNT + 2 * REACH, -REACH), REACH, COUNT, doubled);
  return at.map((f) => {
    let re = 0;
    let im = 0;
    for (let i = 0; i < doubled.length; i++) {
      re += doubled[i]! * Math.cos((2 * Math.PI * f * i) / 16000);
      im += doubled[i]! * Math.sin((2 * Math.PI * f * i) / 16000);
    }
    return (2 * Math.hypot(re, im)) / doubled.length;
  });
}
const decibels = (amplitude: number): number => 20 * Math.log10(amplitude);

describe('8 kHz made 16 kHz', () => {
  test.each([100, 500, 1000, 2000, 2500, 3000, 3100])('keeps a tone of %i Hz within 0.3 dB', (hz) => {
    expect(Math.abs(decibels(amplitudes(hz, hz)[0]!))).toBeLessThan(0.3);
  });

  test.each([
    [3400, -19],
    [3000, -45],
    [2000, -45],
    [1000, -45],
    [400, -45],
  ])('leaves of a tone of %i Hz an image of at most %i dB', (hz, most) => {
    expect(decibels(amplitudes(hz, 8000 - hz)[0]!)).toBeLessThan(most);
  });

  test('does not shift it in time', () => {
    const doubled = new Float64Array(2 * COUNT);
    upsample(tone(700, 8000, COUNT + 2 * REACH, -REACH), REACH, COUNT, doubled);
    const expected = tone(700, 16000, 2 * COUNT);
    doubled.forEach((sample, i) => expect(Math.abs(sample - expected[i]!)).toBeLessThan(0.02));
  });

  test('is the same however it is cut into pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -32768, max: 32767 }), { minLength: 40, maxLength: 120 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (samples, share) => {
          const input = Float64Array.from(samples);
          const count = input.length - 2 * REACH;
          const cut = Math.floor(share * count);
          const whole = new Float64Array(2 * count);
          const first = new Float64Array(2 * cut);
          const second = new Float64Array(2 * (count - cut));
          upsample(input, REACH, count, whole);
          upsample(input, REACH, cut, first);
          upsample(input, REACH + cut, count - cut, second);
          expect([...first, ...second]).toEqual([...whole]);
        },
      ),
    );
  });
});
