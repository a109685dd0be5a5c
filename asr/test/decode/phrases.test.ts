import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_PHRASE, PhraseTree, phraseTreeOf } from '../../src/decode/phrases.ts';
import { WORD_MARK } from '../../src/decode/tokens.ts';

const pieces = ['<blk>', '▁', 'a', 'b', '▁a', '▁b', 'ab', '▁ab', 'ba'];
const words = fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', 'aab'), { minLength: 1, maxLength: 8 });
const phrase = fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', 'aab'), { minLength: 1, maxLength: 3 });

/** Cuts a text into pieces, each time choosing among those that fit. */
function cut(text: string, choices: readonly number[]): number[] {
  const ids: number[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const fitting = pieces.flatMap((piece, id) => (id > 0 && text.startsWith(piece, at) ? [id] : []));
    const id = fitting[choices[i % choices.length]! % fitting.length]!;
    ids.push(id);
    at += pieces[id]!.length;
  }
  return ids;
}

const marked = (list: readonly string[]): string => list.map((word) => WORD_MARK + word).join('');

/** What a text is worth in the end. */
function valueOf(tree: PhraseTree, ids: readonly number[]): number {
  let place = NO_PHRASE;
  let value = 0;
  for (const id of ids) {
    place = tree.advance(place, id);
    value += tree.gained;
  }
  return value + tree.closing(place);
}

/** How often a phrase is in a text, as whole words, none used twice. */
function count(text: readonly string[], wanted: readonly string[]): number {
  let found = 0;
  for (let at = 0; at + wanted.length <= text.length;) {
    if (wanted.every((word, i) => text[at + i] === word)) {
      found++;
      at += wanted.length;
    } else at++;
  }
  return found;
}

/** The fewest pieces of a text, by trying all. */
const fewest = (text: string): number =>
  text === ''
    ? 0
    : Math.min(
        ...pieces
          .slice(1)
          .map((piece) => (text.startsWith(piece) ? 1 + fewest(text.slice(piece.length)) : 99)),
      );

describe('phrases', () => {
  test('a text is worth the boost times the fewest pieces of each whole phrase in it, however it is cut into pieces', () => {
    fc.assert(
      fc.property(words, phrase, fc.array(fc.nat(5), { minLength: 1 }), (text, wanted, choices) => {
        const tree = new PhraseTree([{ text: wanted.join(' '), boost: 2 }], pieces);
        const expected = count(text, wanted) * 2 * fewest(marked(wanted));
        expect(valueOf(tree, cut(marked(text), choices))).toBeCloseTo(expected, 9);
      }),
    );
  });

  test('with several phrases a text is worth nothing if none is in it, and never less than nothing', () => {
    fc.assert(
      fc.property(words, fc.array(phrase, { minLength: 1, maxLength: 5 }), (text, list) => {
        const phrases = list.map((wanted, i) => ({ text: wanted.join(' '), boost: 1 + i }));
        const tree = new PhraseTree(phrases, pieces);
        const value = valueOf(tree, cut(marked(text), [0]));
        if (list.every((wanted) => count(text, wanted) === 0)) expect(value).toBeCloseTo(0, 9);
        else expect(value).toBeGreaterThan(0);
      }),
    );
  });

  test('a phrase that is the beginning of a longer one keeps its worth when the longer one breaks off', () => {
    const tree = new PhraseTree(
      [
        { text: 'a', boost: 1 },
        { text: 'a b ab', boost: 1 },
      ],
      pieces,
    );
    expect(valueOf(tree, cut(marked(['a', 'b', 'b']), [0]))).toBeCloseTo(1, 9);
    expect(valueOf(tree, cut(marked(['aab']), [0]))).toBeCloseTo(0, 9);
    expect(valueOf(tree, cut(marked(['a', 'b', 'ab']), [0]))).toBeCloseTo(3, 9);
  });

  test('a phrase in capitals is the same, and one that cannot be written is left out', () => {
    const tree = new PhraseTree(
      [
        { text: ' AB  a ', boost: 2 },
        { text: 'xyz', boost: 2 },
        { text: '', boost: 2 },
      ],
      pieces,
    );
    expect(tree.count).toBe(1);
    expect(valueOf(tree, cut(marked(['ab', 'a']), [0]))).toBeCloseTo(4, 9);
  });

  test('channels with the same phrases share a tree', () => {
    const make = (boost: number): PhraseTree => phraseTreeOf([{ text: 'ab', boost }], pieces);
    expect(make(2)).toBe(make(2));
    expect(make(2)).not.toBe(make(3));
    for (let boost = 0; boost < 40; boost++) make(boost / 4);
    expect(make(2).count).toBe(1);
  });
});
