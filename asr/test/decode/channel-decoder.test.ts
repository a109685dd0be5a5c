import { segmentIdOf } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alignmentSamples } from '../../src/decode/channel-decoder.ts';
import { widestGap } from '../../src/decode/cut.ts';
import { FRAMES, Harness, blanks, channel, expectSound, pieces, timing } from './harness.ts';

describe('segments', () => {
  test('a pause of 700 ms makes the words before it final', () => {
    const harness = new Harness().say([0, 4, 2, 0, 5, ...blanks(10)]);
    expect(harness.finals).toEqual([]);
    expect(harness.decoder.openSegment()?.words.map(({ text }) => text)).toEqual(['ca', 'do']);
    harness.say(blanks(5));
    expect(harness.texts).toEqual([['ca', 'do']]);
    expect(harness.decoder.openSegment()).toBeNull();
  });

  test('by the best tokens, tells of each token and of the end of the hold, and of nothing else', () => {
    const { decoder } = new Harness().say([4, 2, ...blanks(8)]);
    expect(decoder.openSegment()?.words).toHaveLength(1);
    expect(decoder.rev).toBe(3);
  });

  test('a gap makes the words before it final at once, and time goes on behind it', () => {
    const harness = new Harness().say([4, 2, 0, 0, 0]).gap(80_000).say([5, 0, 0, 0, 0]).gap(100_000);
    expect(harness.texts).toEqual([['ca'], ['do']]);
    expect(harness.finals[1]!.words[0]!.startTick).toBeGreaterThanOrEqual(80_000);
    expect(harness.finals[1]!.words[0]!.endTick).toBeLessThanOrEqual(82_400);
    expect([harness.decoder.decidedTick, harness.decoder.settledTick]).toEqual([100_000, 100_000]);
  });

  test('a word that comes out in the padding ends where the audio ended', () => {
    const harness = new Harness().say([4, 0, 0, 0, 0]);
    const late = Uint16Array.from([0, 5, 0, 4, 0]);
    harness.decoder.frames(0, late, new Float32Array(FRAMES), 0, FRAMES);
    harness.decoder.gap(16_000);
    expect(harness.texts).toEqual([['c', 'do', 'c']]);
    expect(harness.finals[0]!.words.at(-1)!.endTick).toBeLessThanOrEqual(2400);
    expectSound(harness.finals, 0);
  });

  test('after 15 s the segment is cut in its widest pause and the rest stays open', () => {
    // 250 frames are 15 s. A pause of eight blanks lies after the 100th, one of two blanks everywhere else.
    const speech = (words: number): number[] => Array.from({ length: words }, () => [4, 2, 0, 0]).flat();
    const harness = new Harness().say([...speech(25), ...blanks(6), ...speech(37)]);
    expect(harness.texts).toEqual([new Array<string>(25).fill('ca')]);
    const [final] = harness.finals;
    const open = harness.decoder.openSegment()!;
    expect(open.fromTick).toBe(final!.toTick);
    expect(open.segmentId).toBe(segmentIdOf(channel, final!.toTick));
    expect(final!.toTick).toBeLessThanOrEqual(open.words[0]!.startTick);
    expect(final!.toTick).toBeGreaterThan(final!.words.at(-1)!.endTick);
    expect(final!.toTick % timing.frameSamples).toBe(0);
  });

  test('one endless word is cut after 15 s too', () => {
    const harness = new Harness().say(Array.from({ length: 600 }, (_, i) => (i === 0 ? 4 : 2 + (i % 2))));
    expect(harness.finals.length).toBe(2);
    expectSound(harness.finals, 0);
  });

  test('settled time follows the silence at a distance, and stops where a segment opens', () => {
    const harness = new Harness().say(blanks(50));
    expect(harness.decoder.decidedTick).toBe(50 * 480);
    expect(harness.decoder.settledTick).toBe(43 * 480);
    harness.say([0, 4, 0, 0, 0, 0, 2, 0, 0, 0]);
    // The word's first token is in frame 51: seven frames before the end of it no word could come any more.
    expect(harness.decoder.settledTick).toBe(45 * 480);
    harness.say(blanks(5));
    expect(harness.decoder.openSegment()!.segmentId).toBe(segmentIdOf(channel, 45 * 480));
  });

  test('words whose middle lies before the output begins are kept back, and no segment begins before it', () => {
    const harness = new Harness({ fromTick: 0, outputFromTick: 9600 });
    harness.say([0, 4, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 2, ...blanks(18)]);
    expect(harness.texts).toEqual([['ca']]);
    expectSound(harness.finals, 9600);
  });

  test('confidence is the geometric mean of the tokens, each at its best frame', () => {
    const harness = new Harness();
    const best = Float32Array.from([Math.log(0.4), Math.log(0.9), Math.log(0.4), 0, 0]);
    harness.decoder.frames(2400, Uint16Array.from([4, 4, 2, 0, 0]), best, 0, FRAMES);
    harness.decoder.gap(10_000);
    expect(harness.finals[0]!.words[0]!.confidence).toBeCloseTo(0.6, 3);
  });

  test('every letter is reported once and in order, with times that only go forward', () => {
    const stretch = fc.record({
      ids: fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(pieces.length - 1)), {
        maxLength: 400,
      }),
      gap: fc.integer({ min: 1, max: 50_000 }),
    });
    fc.assert(
      fc.property(
        fc.array(stretch, { minLength: 1, maxLength: 4 }),
        fc.nat(100_000),
        (stretches, fromTick) => {
          const harness = new Harness({ fromTick });
          let letters = '';
          let settled = fromTick;
          for (const { ids, gap } of stretches) {
            harness.say(ids);
            expect(harness.decoder.settledTick).toBeGreaterThanOrEqual(settled);
            expect(harness.decoder.decidedTick).toBeGreaterThanOrEqual(harness.decoder.settledTick);
            settled = harness.decoder.settledTick;
            harness.gap(harness.decoder.decidedTick + gap);
            letters += ids
              .filter((id, i) => id !== 0 && ids[i - 1] !== id)
              .map((id) => pieces[id]!.replace('▁', ''))
              .join('');
          }
          expect(harness.texts.flat().join('')).toBe(letters);
          expectSound(harness.finals, fromTick);
        },
      ),
    );
  });

  test('pieces become words at the marks, as joining and splitting the whole text gives them', () => {
    const spoken = fc.array(fc.constantFrom([4], [5], [4, 0, 2], [5, 3], [4, 6], [1, 0, 2, 3]), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(spoken, (parts) => {
        const ids = parts.flatMap((part) => [...part, 0]);
        const harness = new Harness().say(ids).gap(1_000_000);
        const text = parts
          .flat()
          .filter((id) => id !== 0)
          .map((id) => pieces[id]!)
          .join('');
        expect(harness.texts.flat()).toEqual(text.split('▁').filter((word) => word !== ''));
      }),
    );
  });
});

describe('alignment', () => {
  test('puts the beginning of the output on a frame boundary with less than a frame of zeros', () => {
    fc.assert(
      fc.property(fc.nat(8000), fc.nat(1_000_000), (warmUp, fromTick) => {
        const zeros = alignmentSamples(fromTick, fromTick + warmUp, timing);
        expect(zeros).toBeLessThan(480);
        expect((warmUp + zeros) % 480).toBe(0);
      }),
    );
  });
});

describe('the widest gap', () => {
  test('is found as by sorting, the last of equals', () => {
    const word = fc.record({ pause: fc.nat(6), length: fc.integer({ min: 1, max: 5 }) });
    fc.assert(
      fc.property(fc.array(word), (list) => {
        let tick = 0;
        const words = list.map(({ pause, length }) => {
          const startTick = tick + pause;
          tick = startTick + length;
          return { startTick, endTick: tick };
        });
        const gaps = words
          .slice(1)
          .map((next, i) => ({ width: next.startTick - words[i]!.endTick, at: i + 1 }));
        gaps.sort((a, b) => b.width - a.width || b.at - a.at);
        expect(widestGap(words)).toBe(gaps[0]?.at ?? 0);
      }),
    );
  });
});
