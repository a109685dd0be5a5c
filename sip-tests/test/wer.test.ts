import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wordErrors, words } from '../src/wer.ts';

describe('word error rate', () => {
  it('is 0 for the same words in other letters and punctuation', () => {
    expect(wordErrors('my name is ann', 'My name is Ann.')).toMatchObject({ rate: 0, correct: 4 });
  });

  it('counts a wrong, a missing and an added word, each as what it is', () => {
    const errors = wordErrors('please hold while i look it up', 'please told while look it up now');
    expect(errors).toMatchObject({
      substitutions: 1,
      deletions: 1,
      insertions: 1,
      correct: 5,
      referenceWords: 7,
    });
    expect(errors.rate).toBeCloseTo(3 / 7);
    expect(errors.alignment).toEqual([
      { kind: 'correct', reference: 'please', hypothesis: 'please' },
      { kind: 'substitution', reference: 'hold', hypothesis: 'told' },
      { kind: 'correct', reference: 'while', hypothesis: 'while' },
      { kind: 'deletion', reference: 'i' },
      { kind: 'correct', reference: 'look', hypothesis: 'look' },
      { kind: 'correct', reference: 'it', hypothesis: 'it' },
      { kind: 'correct', reference: 'up', hypothesis: 'up' },
      { kind: 'insertion', hypothesis: 'now' },
    ]);
  });

  it('is 1 when nothing was recognised and above 1 when more was added than said', () => {
    expect(wordErrors('one two three', '').rate).toBe(1);
    expect(wordErrors('one', 'one two three').rate).toBe(2);
    expect(wordErrors('', '').rate).toBe(0);
  });

  it('keeps an apostrophe inside a word and treats its two forms alike', () => {
    expect(words("I don't, 'quote'")).toEqual(['i', "don't", 'quote']);
    expect(wordErrors('don\u2019t', "don't").rate).toBe(0);
  });

  const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 });

  it('has an alignment that spells out both texts and costs what is counted', () => {
    fc.assert(
      fc.property(text, text, (reference, hypothesis) => {
        const { alignment, ...errors } = wordErrors(reference, hypothesis);
        expect(alignment.flatMap((step) => (step.kind === 'insertion' ? [] : step.reference))).toEqual(
          reference,
        );
        expect(alignment.flatMap((step) => (step.kind === 'deletion' ? [] : step.hypothesis))).toEqual(
          hypothesis,
        );
        const cost = errors.substitutions + errors.deletions + errors.insertions;
        expect(cost).toBe(distance(reference, hypothesis));
        expect(errors.rate).toBeCloseTo(cost / Math.max(1, reference.length));
      }),
    );
  });

  /** The definition, word for word: exponential, but it cannot be wrong in the same way. */
  function distance([a, ...restA]: string[], [b, ...restB]: string[]): number {
    if (a === undefined) return b === undefined ? 0 : 1 + restB.length;
    if (b === undefined) return 1 + restA.length;
    if (a === b) return distance(restA, restB);
    return (
      1 + Math.min(distance(restA, restB), distance(restA, [b, ...restB]), distance([a, ...restA], restB))
    );
  }
});
