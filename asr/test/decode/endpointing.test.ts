import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Harness, blanks, expectSound, play, replay, talk, timing } from './harness.ts';

const delays = fc.option(fc.integer({ min: 300 * 8, max: 6000 * 8 }));
const tails = fc.integer({ min: -100 * 8, max: 100 * 8 });

describe('why a segment ended', () => {
  test('a pause, a gap, the channel’s end and the longest length are told apart', () => {
    const harness = new Harness().say([4, 2, ...blanks(18)]).say([5, 0, 0, 0, 0]);
    harness.gap(100_000).say([5, 0, 0, 0, 0]).gap(200_000, 'end');
    expect(harness.finals.map(({ endpoint }) => endpoint)).toEqual(['pause', 'gap', 'end']);
    const endless = new Harness().say(Array.from({ length: 100 }, () => [4, 2, 0, 0]).flat());
    expect(endless.finals.map(({ endpoint }) => endpoint)).toEqual(['length']);
  });
});

describe('the longest delay', () => {
  test('words become final while people go on talking, in their widest pause', () => {
    // A word takes five frames; the pause after the fourth is longer.
    const ids = Array.from({ length: 12 }, (_, i) => [4, 2, 0, 0, 0, ...blanks(i === 3 ? 3 : 0)]).flat();
    const harness = new Harness({ maxDelayTicks: 2000 * 8 }).say(ids);
    expect(harness.texts[0]).toEqual(['ca', 'ca', 'ca', 'ca']);
    expect(harness.finals[0]!.endpoint).toBe('delay');
    expect(harness.finals[0]!.toTick % timing.frameSamples).toBe(0);
    expect(harness.decoder.openSegment()!.fromTick).toBe(harness.finals.at(-1)!.toTick);
  });

  test('no word is final later than that, but for the chunk it waits for and a word that goes on', () => {
    fc.assert(
      fc.property(talk(4), fc.integer({ min: 1000 * 8, max: 6000 * 8 }), ({ stretches, endTick }, delay) => {
        const harness = new Harness({ fromTick: stretches[0]!.fromTick, maxDelayTicks: delay });
        const heard: number[] = [];
        const { decoder, finals } = harness;
        play(harness, stretches, endTick, () => {
          while (heard.length < finals.length) heard.push(decoder.decidedTick);
          return false;
        });
        for (const [i, { words, endpoint }] of finals.entries()) {
          // At a gap words are final at once; the audio's clock has jumped by then.
          if (heard[i] === undefined || endpoint === 'gap' || endpoint === 'end') continue;
          // A boundary between two words that are too near one another is left for the next; a word takes at most 0.8 s.
          expect(heard[i] - words[0]!.endTick).toBeLessThanOrEqual(delay + 6400);
        }
      }),
    );
  });

  test('a word by itself is final after it, too, before the pause would end it', () => {
    const harness = new Harness({ maxDelayTicks: 700 * 8 }).say([4, 2, ...blanks(8)]);
    expect(harness.texts).toEqual([['ca']]);
    expect(harness.finals[0]!.endpoint).toBe('delay');
  });
});

/** Seconds on a machine of its own; other suites and a training may run beside it. */
const LIMIT = { timeout: 120_000 };

describe('a replay', LIMIT, () => {
  test('from any settled tick makes the same segments, with any longest delay', () => {
    fc.assert(
      fc.property(talk(), delays, tails, ({ stretches, endTick }, maxDelayTicks, wordTailSamples) => {
        const options = { maxDelayTicks, timing: { ...timing, wordTailSamples } };
        const fromTick = stretches[0]!.fromTick;
        const first = play(new Harness({ ...options, fromTick }), stretches, endTick);
        expectSound(first.finals, fromTick);
        const points = new Set([...first.settled, ...first.finals.map(({ toTick }) => toTick)]);
        for (const tick of points) {
          const again = replay(stretches, endTick, tick, options);
          expect(again.finals).toEqual(first.finals.filter((final) => final.fromTick >= tick));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('from a final that was asked for loses and doubles no word', () => {
    fc.assert(
      fc.property(
        talk(),
        delays,
        fc.array(fc.boolean(), { minLength: 1 }),
        ({ stretches, endTick }, maxDelayTicks, asked) => {
          const fromTick = stretches[0]!.fromTick;
          const letters = ({ finals }: Pick<Harness, 'finals'>): string[] =>
            finals.flatMap(({ words }) => words.map(({ text }) => text));
          const whole = play(new Harness({ fromTick }), stretches, endTick);
          const first = play(
            new Harness({ fromTick, maxDelayTicks }),
            stretches,
            endTick,
            (chunk) => asked[chunk % asked.length]!,
          );
          expectSound(first.finals, fromTick);
          expect(letters(first)).toEqual(letters(whole));
          for (const { toTick } of first.finals) {
            const committed = first.finals.filter((final) => final.toTick <= toTick);
            const again = replay(stretches, endTick, toTick, { maxDelayTicks });
            expectSound(again.finals, toTick);
            expect([...letters({ finals: committed }), ...letters(again)]).toEqual(letters(whole));
            // The segment that is open at that tick has the same id in both.
            const open = first.finals.find((final) => final.fromTick === toTick);
            if (open !== undefined) expect(again.finals[0]!.segmentId).toBe(open.segmentId);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a request', () => {
  test('makes the words said so far final together, as soon as the last of them is whole', () => {
    const harness = new Harness().say([0, 4, 2, 0, 0, 0, 4, 2, 0, 5]);
    harness.decoder.finalise();
    expect(harness.texts).toEqual([]);
    harness.say([6, 0, 0, 0, 0, 4, 2, ...blanks(8)]);
    expect(harness.texts).toEqual([['ca', 'ca', 'doed']]);
    // What was said after the request is not asked for.
    expect(harness.decoder.openSegment()!.words.map(({ text }) => text)).toEqual(['ca']);
    harness.say(blanks(20));
    expect(harness.finals.map(({ endpoint }) => endpoint)).toEqual(['request', 'pause']);
  });

  test('with nothing open does nothing', () => {
    const harness = new Harness().say(blanks(10));
    harness.decoder.finalise();
    harness.say([4, 2, ...blanks(13)]);
    expect(harness.finals.map(({ endpoint }) => endpoint)).toEqual(['pause']);
  });

  test('a settled tick is never inside a word, whenever it was asked', () => {
    fc.assert(
      fc.property(talk(), fc.array(fc.boolean(), { minLength: 1 }), ({ stretches, endTick }, asked) => {
        const fromTick = stretches[0]!.fromTick;
        const harness = new Harness({ fromTick, maxDelayTicks: 1500 * 8 });
        play(harness, stretches, endTick, (chunk) => asked[chunk % asked.length]!);
        const words = harness.finals.flatMap((final) => final.words);
        for (const tick of harness.settled) {
          for (const word of words) {
            expect(word.startTick >= tick || word.endTick <= tick).toBe(true);
          }
        }
      }),
    );
  });
});

describe('how audio fell into chunks', () => {
  test('changes no segment, with any longest delay', () => {
    fc.assert(
      fc.property(
        talk(),
        delays,
        fc.integer({ min: 1, max: 4 }),
        ({ stretches, endTick }, maxDelayTicks, shift) => {
          // Frames of silence before everything move the chunks' boundaries against the words.
          const [head, ...rest] = stretches;
          const after = (frames: number): Harness => {
            const fromTick = head!.fromTick - frames * 480;
            const moved = [{ fromTick, ids: [...blanks(frames), ...head!.ids] }, ...rest];
            return play(new Harness({ fromTick, maxDelayTicks }), moved, endTick);
          };
          const plain = after(5);
          const other = after(5 + shift);
          expect(other.finals.map(({ toTick, words, endpoint }) => ({ toTick, words, endpoint }))).toEqual(
            plain.finals.map(({ toTick, words, endpoint }) => ({ toTick, words, endpoint })),
          );
        },
      ),
    );
  });
});
