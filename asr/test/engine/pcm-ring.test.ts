import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PcmRing } from '../../src/engine/pcm-ring.ts';

const bytes = (samples: readonly number[], shift: number): Uint8Array => {
  const all = new Uint8Array(shift + 2 * samples.length);
  new Uint8Array(all.buffer, shift).set(new Uint8Array(Int16Array.from(samples).buffer));
  return all.subarray(shift);
};

test('gives out the samples that were put in, in order, wherever they lay in memory and however they were cut', () => {
  fc.assert(
    fc.property(
      fc.nat(2000),
      fc.array(fc.record({ put: fc.nat(9000), take: fc.nat(9000), shift: fc.nat(3) }), { maxLength: 20 }),
      (zeros, turns) => {
        const ring = new PcmRing(zeros);
        const expected: number[] = new Array<number>(zeros).fill(0);
        let value = 1;
        for (const { put, take, shift } of turns) {
          const samples = Array.from({ length: put }, () => (value = (value * 31 + 7) % 65536) - 32768);
          ring.write(bytes(samples, shift));
          expected.push(...samples);
          const count = Math.min(take, expected.length);
          const out = new Int16Array(count + 2);
          ring.take(out, 1, count);
          expect([...out]).toEqual([0, ...expected.splice(0, count), 0]);
          expect(ring.written - ring.read).toBe(expected.length);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('goes on beyond 2^32 samples, which are six days of a channel', () => {
  const ring = new PcmRing(0);
  const count = 8000;
  const body = new Uint8Array(2 * count);
  const samples = new Int16Array(body.buffer);
  const out = new Int16Array(count);
  let wrong = 0;
  for (let at = 0; at < 2 ** 32 + 10 * count; at += count) {
    // Not a divisor of the ring's size, so that it is cut anywhere; marked by its place.
    samples[0] = at % 32_003;
    samples[count - 1] = (at + 1) % 32_003;
    ring.write(body);
    ring.take(out, 0, count);
    if (out[0] !== samples[0] || out[count - 1] !== samples[count - 1]) wrong++;
  }
  expect(wrong).toBe(0);
  expect(ring.read).toBeGreaterThan(2 ** 32);
}, 60_000);
