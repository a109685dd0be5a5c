import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PowerSpectrum } from '../../src/features/fft.ts';

/** By the definition. */
function powerOf(frame: readonly number[]): number[] {
  const n = frame.length;
  return Array.from({ length: n / 2 + 1 }, (_, k) => {
    let re = 0;
    let im = 0;
    frame.forEach((value, i) => {
      re += value * Math.cos((2 * Math.PI * k * i) / n);
      im -= value * Math.sin((2 * Math.PI * k * i) / n);
    });
    return re * re + im * im;
  });
}

test('the power spectrum is that of the discrete Fourier transform', () => {
  fc.assert(
    fc.property(
      fc
        .constantFrom(4, 8, 64, 512)
        .chain((n) => fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: n, maxLength: n })),
      (frame) => {
        const power = new Float64Array(frame.length / 2 + 1);
        new PowerSpectrum(frame.length).compute(Float64Array.from(frame), power);
        const scale = frame.length ** 2;
        powerOf(frame).forEach((expected, k) =>
          expect(Math.abs(power[k]! - expected) / scale).toBeLessThan(1e-12),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test.each([0, 2, 3, 100, 131072])('a length of %i is refused', (length) => {
  expect(() => new PowerSpectrum(length)).toThrow(RangeError);
});
