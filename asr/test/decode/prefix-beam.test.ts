import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_PHRASE, PhraseTree } from '../../src/decode/phrases.ts';
import { PrefixBeam } from '../../src/decode/prefix-beam.ts';

const pieces = ['<blk>', '▁a', 'b'];
const V = pieces.length;

/** Frames of probabilities, none below a tenth. */
const frames = (longest: number): fc.Arbitrary<number[][]> =>
  fc.array(
    fc.array(fc.integer({ min: 1, max: 100 }), { minLength: V, maxLength: V }).map((weights) => {
      const sum = weights.reduce((a, b) => a + b, 0);
      return weights.map((weight) => 0.1 + (1 - 0.1 * V) * (weight / sum));
    }),
    { minLength: 1, maxLength: longest },
  );

const logOf = (frame: readonly number[]): Float32Array => Float32Array.from(frame, Math.log);

/** The probability of each sequence of tokens, by trying all paths. */
function exact(input: readonly (readonly number[])[]): Map<string, number> {
  const sums = new Map<string, number>();
  const visit = (at: number, last: number, tokens: readonly number[], p: number): void => {
    if (at === input.length) {
      const key = tokens.join(',');
      sums.set(key, (sums.get(key) ?? 0) + p);
      return;
    }
    for (let id = 0; id < V; id++) {
      visit(at + 1, id, id === 0 || id === last ? tokens : [...tokens, id], p * input[at]![id]!);
    }
  };
  visit(0, 0, [], 1);
  return sums;
}

const bonusOf = (tree: PhraseTree | null, tokens: readonly number[]): number => {
  if (tree === null) return 0;
  let place = NO_PHRASE;
  let bonus = 0;
  for (const id of tokens) {
    place = tree.advance(place, id);
    bonus += tree.gained;
  }
  return bonus + tree.closing(place);
};

describe('the beam search', () => {
  test('wide enough, finds the sequence that is best over all paths, phrases counted', () => {
    fc.assert(
      fc.property(
        frames(6),
        fc.constantFrom(null, 'a', 'ab', 'a a', 'ab a'),
        fc.integer({ min: 0, max: 3 }),
        (input, text, boost) => {
          const tree = text === null ? null : new PhraseTree([{ text, boost }], pieces);
          const beam = new PrefixBeam({ blank: 0, pieces, phrases: tree, width: 1000, settleFrames: 1000 });
          for (const [i, frame] of input.entries()) beam.frame(logOf(frame), 0, i);
          beam.finish();
          const found = beam.best().map(({ id }) => id);
          const score = (tokens: readonly number[], p: number): number => Math.log(p) + bonusOf(tree, tokens);
          const sums = exact(input);
          let best = -Infinity;
          for (const [key, p] of sums) {
            best = Math.max(best, score(key === '' ? [] : key.split(',').map(Number), p));
          }
          expect(score(found, sums.get(found.join(','))!)).toBeCloseTo(best, 4);
        },
      ),
    );
  });

  test('where one token is nearly sure in each frame, gives what the best tokens give, in the same frames', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(V - 1), { maxLength: 80 }), (ids) => {
        const beam = new PrefixBeam({ blank: 0, pieces, phrases: null });
        const expected: { id: number; firstFrame: number; lastFrame: number }[] = [];
        for (const [i, id] of ids.entries()) {
          beam.frame(logOf([0, 1, 2].map((k) => (k === id ? 0.98 : 0.01))), 0, i);
          if (id === 0) continue;
          if (ids[i - 1] === id) expected.at(-1)!.lastFrame = i;
          else expected.push({ id, firstFrame: i, lastFrame: i });
        }
        expect(beam.best().map(({ id, firstFrame, lastFrame }) => ({ id, firstFrame, lastFrame }))).toEqual(
          expected,
        );
      }),
    );
  });

  test('says whether its best sequence changed', () => {
    fc.assert(
      fc.property(frames(30), (input) => {
        const beam = new PrefixBeam({ blank: 0, pieces, phrases: null });
        let before = JSON.stringify(beam.best());
        for (const [i, frame] of input.entries()) {
          const changed = beam.frame(logOf(frame), 0, i);
          const now = JSON.stringify(beam.best());
          if (now !== before) expect(changed).toBe(true);
          before = now;
        }
      }),
    );
  });

  test('goes on after a commit with what is left, and never takes the committed tokens back', () => {
    fc.assert(
      fc.property(frames(40), fc.integer({ min: 2, max: 9 }), (input, every) => {
        const beam = new PrefixBeam({ blank: 0, pieces, phrases: null });
        for (const [i, frame] of input.entries()) {
          beam.frame(logOf(frame), 0, i);
          if (i % every !== every - 1) continue;
          const before = beam.best();
          const count = before.length >> 1;
          beam.commit(count);
          expect(beam.best()).toEqual(before.slice(count));
        }
      }),
    );
  });

  test('goes on after frames in which a model says nothing, or that a blank cannot be', () => {
    const nothing = new Float32Array(V).fill(NaN);
    const noBlank = Float32Array.from([-Infinity, Math.log(0.5), Math.log(0.5)]);
    const odd = fc.constantFrom(nothing, noBlank, Float32Array.from([NaN, Math.log(0.9), NaN]));
    fc.assert(
      fc.property(
        frames(6),
        fc.array(odd, { minLength: 1, maxLength: 4 }),
        frames(6),
        (before, gone, after) => {
          const beam = new PrefixBeam({ blank: 0, pieces, phrases: null });
          const input = [...before.map(logOf), ...gone, ...after.map(logOf)];
          for (const [i, frame] of input.entries()) {
            beam.frame(frame, 0, i);
            expect(beam.hypotheses.length).toBeGreaterThan(0);
          }
          // A token for certain is heard as ever.
          beam.frame(logOf([0.98, 0.01, 0.01]), 0, input.length);
          beam.frame(logOf([0.001, 0.998, 0.001]), 0, input.length + 1);
          expect(beam.best().at(-1)).toMatchObject({ id: 1, firstFrame: input.length + 1 });
          for (const { logProbability } of beam.best()) expect(logProbability).toBeLessThanOrEqual(0);
        },
      ),
    );
  });

  test('cuts between words only: what goes on with the last committed one, or still might, is dropped', () => {
    const newBeam = (): PrefixBeam => {
      const beam = new PrefixBeam({ blank: 0, pieces, phrases: null });
      beam.frame(logOf([0.01, 0.98, 0.01]), 0, 0);
      // Another word, or the same one going on, or neither.
      beam.frame(logOf([0.98, 0.01, 0.01]), 0, 1);
      beam.frame(logOf([0.25, 0.4, 0.35]), 0, 2);
      return beam;
    };
    const whole = newBeam();
    whole.frame(logOf([0.01, 0.01, 0.98]), 0, 3);
    whole.frame(logOf([0.01, 0.01, 0.98]), 0, 4);
    expect(whole.best()[1]!.id).toBe(2);
    const cut = newBeam();
    expect(cut.best().map(({ id }) => id)).toEqual([1, 1]);
    cut.commit(1);
    cut.frame(logOf([0.01, 0.01, 0.98]), 0, 3);
    cut.frame(logOf([0.01, 0.01, 0.98]), 0, 4);
    expect(cut.best().map(({ id }) => id)).toEqual([1, 2]);
  });

  test('while nothing is best, what began too long ago does not come up any more', () => {
    const tree = new PhraseTree([{ text: 'ab', boost: 0.3 }], pieces);
    const heardAfter = (quiet: number): number[] => {
      const beam = new PrefixBeam({ blank: 0, pieces, phrases: tree, quietFrames: 4 });
      beam.frame(logOf([0.6, 0.35, 0.05]), 0, 0);
      for (let i = 1; i <= quiet; i++) beam.frame(logOf([0.998, 0.001, 0.001]), 0, i);
      expect(beam.best()).toEqual([]);
      // With an `a` before it, that is the phrase.
      beam.frame(logOf([0.1, 0.05, 0.85]), 0, quiet + 1);
      return beam.best().map(({ id }) => id);
    };
    expect(heardAfter(2)).toEqual([1, 2]);
    expect(heardAfter(3)).toEqual([2]);
  });

  test('keeps a bounded number of hypotheses, and tokens that are settled do not change', () => {
    fc.assert(
      fc.property(frames(200), (input) => {
        const settleFrames = 10;
        const beam = new PrefixBeam({ blank: 0, pieces, phrases: null, settleFrames });
        let settled: number[] = [];
        for (const [i, frame] of input.entries()) {
          beam.frame(logOf(frame), 0, i);
          expect(beam.hypotheses.length).toBeLessThanOrEqual(8);
          const tokens = beam.best();
          expect(tokens.slice(0, settled.length).map(({ id }) => id)).toEqual(settled);
          settled = tokens.filter(({ firstFrame }) => firstFrame <= i - settleFrames).map(({ id }) => id);
        }
      }),
    );
  });

  test('a phrase that breaks off gives its worth back', () => {
    const tree = new PhraseTree([{ text: 'ab ab ab', boost: 9 }], pieces);
    const beam = new PrefixBeam({ blank: 0, pieces, phrases: tree });
    // `a` for certain; whether `b` follows is unlikely.
    beam.frame(logOf([0.01, 0.98, 0.01]), 0, 0);
    beam.frame(logOf([0.9, 0.01, 0.09]), 0, 1);
    expect(beam.best().map(({ id }) => id)).toEqual([1, 2]);
    beam.finish();
    expect(beam.best().map(({ id }) => id)).toEqual([1]);
  });
});
