import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SILENCE } from '../../src/features/fbank.ts';
import { FRAME_TICKS, FrontEnd, leadSamples } from '../../src/features/front-end.ts';
import { Random } from '../support/random.ts';

const BINS = 80;
const OPTIONS = { kind: 'kaldi', bins: BINS, maxChannels: 4 } as const;

/** All frames of a channel, each once: the whole first window, then what each step adds. */
function framesOf(
  front: FrontEnd,
  shift: number,
  window: number,
  channel: number,
  pcm: Int16Array,
): Float32Array {
  const chunk = shift * FRAME_TICKS;
  const steps = Math.floor(pcm.length / chunk);
  const tail = window - shift;
  const frames = new Float32Array((tail + steps * shift) * BINS);
  const output = new Float32Array(window * BINS);
  for (let step = 0; step < steps; step++) {
    front.step(channel, step === 0, pcm, step * chunk, output, 0);
    // What it shows again is what it showed before.
    if (step > 0) {
      const before = frames.subarray(step * shift * BINS, (step * shift + tail) * BINS);
      expect(output.subarray(0, tail * BINS)).toEqual(before);
    }
    frames.set(output, step * shift * BINS);
  }
  return frames;
}

const noise = (seed: number, count: number): Int16Array => {
  const random = new Random(seed);
  return Int16Array.from({ length: count }, () => Math.max(-32768, Math.min(32767, random.normal(3000))));
};

describe('the front end', () => {
  test('makes the same frames however many of them a step takes', () => {
    const pcm = noise(1, 64 * FRAME_TICKS);
    const whole = framesOf(new FrontEnd({ ...OPTIONS, shiftFrames: 64, windowFrames: 77 }), 64, 77, 0, pcm);
    for (const shiftFrames of [1, 2, 16, 32]) {
      const windowFrames = shiftFrames + 13;
      const front = new FrontEnd({ ...OPTIONS, shiftFrames, windowFrames });
      expect(framesOf(front, shiftFrames, windowFrames, 3, pcm)).toEqual(whole);
    }
  });

  test('begins a channel with silence for as long as it says, then its first sound', () => {
    const shiftFrames = 16;
    const windowFrames = 25;
    const front = new FrontEnd({ ...OPTIONS, kind: 'nemo', shiftFrames, windowFrames });
    const output = new Float32Array(windowFrames * BINS);
    const pcm = noise(2, shiftFrames * FRAME_TICKS);
    front.step(0, true, pcm, 0, output, 0);
    const leadFrames = leadSamples(windowFrames, shiftFrames) / FRAME_TICKS;
    const isSilent = (frame: number): boolean =>
      output.subarray(frame * BINS, (frame + 1) * BINS).every((value) => value === SILENCE);
    expect(leadFrames).toBe(10);
    for (let frame = 0; frame < leadFrames - 1; frame++) expect(isSilent(frame)).toBe(true);
    // The last silent frame's window of 25 ms sees the first sound.
    for (let frame = leadFrames - 1; frame < windowFrames; frame++) expect(isSilent(frame)).toBe(false);
  });

  test('keeps its channels apart, and forgets what a channel was when it begins anew', () => {
    const shiftFrames = 8;
    const options = { ...OPTIONS, shiftFrames, windowFrames: 15 };
    const chunk = shiftFrames * FRAME_TICKS;
    fc.assert(
      fc.property(
        fc.array(fc.record({ channel: fc.nat(3), fresh: fc.boolean() }), { minLength: 1, maxLength: 20 }),
        (steps) => {
          const together = new FrontEnd(options);
          const alone = new Map<number, FrontEnd>();
          const output = new Float32Array(15 * BINS);
          const expected = new Float32Array(15 * BINS);
          steps.forEach(({ channel, fresh }, i) => {
            const begins = fresh || !alone.has(channel);
            if (begins) alone.set(channel, new FrontEnd(options));
            const pcm = noise(i, chunk);
            together.step(channel, begins, pcm, 0, output, 0);
            alone.get(channel)!.step(0, begins, pcm, 0, expected, 0);
            expect(output).toEqual(expected);
          });
        },
      ),
      { numRuns: 30 },
    );
  });

  test('hears the same in a signal whatever constant lies under it, as Kaldi does', () => {
    const options = { ...OPTIONS, shiftFrames: 8, windowFrames: 15 };
    const pcm = noise(5, 8 * FRAME_TICKS);
    const [plain, raised] = [pcm, pcm.map((sample) => sample + 2000)].map((samples) => {
      const front = new FrontEnd(options);
      const output = new Float32Array(15 * BINS);
      front.step(0, true, samples, 0, output, 0);
      front.step(0, false, samples, 0, output, 0);
      return output;
    });
    // In steady state: the step at the beginning is a sound.
    for (let i = 12 * BINS; i < 15 * BINS; i++) expect(Math.abs(plain![i]! - raised![i]!)).toBeLessThan(0.05);
  });
});
