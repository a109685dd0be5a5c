import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { confidenceOf } from '../../src/decode/confidence.ts';

const evidence = fc
  .record({
    logs: fc.array(fc.double({ min: -8, max: 0, noNaN: true }), { minLength: 1, maxLength: 6 }),
    frames: fc.integer({ min: 1, max: 40 }),
  })
  .map(({ logs, frames }) => ({
    tokens: logs.length,
    logSum: logs.reduce((a, b) => a + b, 0),
    logMin: Math.min(...logs),
    frames,
  }));
const mapping = fc.record({
  bias: fc.double({ min: -5, max: 5, noNaN: true }),
  mean: fc.double({ min: 0, max: 5, noNaN: true }),
  min: fc.double({ min: 0, max: 5, noNaN: true }),
  letters: fc.double({ min: -2, max: 2, noNaN: true }),
  pace: fc.double({ min: -2, max: 2, noNaN: true }),
});

describe('confidence', () => {
  test('is a probability, calibrated or not', () => {
    fc.assert(
      fc.property(evidence, fc.option(mapping), fc.integer({ min: 0, max: 20 }), (of, by, letters) => {
        const confidence = confidenceOf(of, letters, by);
        expect(confidence).toBeGreaterThanOrEqual(0);
        expect(confidence).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('never falls when tokens become likelier', () => {
    fc.assert(
      fc.property(
        evidence,
        fc.option(mapping),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (of, by, share) => {
          const better = { ...of, logSum: of.logSum * share, logMin: of.logMin * share };
          expect(confidenceOf(better, 4, by)).toBeGreaterThanOrEqual(confidenceOf(of, 4, by) - 1e-12);
        },
      ),
    );
  });

  test('without a calibration is the geometric mean of the tokens’ probabilities', () => {
    const logs = [Math.log(0.9), Math.log(0.4)];
    const of = { tokens: 2, logSum: logs[0]! + logs[1]!, logMin: logs[1]!, frames: 3 };
    expect(confidenceOf(of, 2, null)).toBeCloseTo(0.6, 6);
  });
});
