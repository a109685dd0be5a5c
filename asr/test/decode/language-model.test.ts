import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lexicon, NO_PLACE, WORD_START } from '../../src/decode/lexicon.ts';
import type { Token } from '../../src/decode/hypothesis.ts';
import { BETWEEN, LanguageModel, type SpelledWord } from '../../src/decode/language-model.ts';
import { readNgrams } from '../../src/decode/ngram-file.ts';
import { PhraseTree } from '../../src/decode/phrases.ts';
import { PrefixBeam } from '../../src/decode/prefix-beam.ts';
import { type SmallNgrams, languageFile, slowLog, smallNgrams } from '../support/language.ts';

const pieces = ['<blk>', '▁a', '▁', 'b', 'a'];
const V = pieces.length;
const small = smallNgrams(
  ['a', 'ab', 'ba', 'aba'],
  ['<s> ab', 'ab ba', 'a a', 'ab </s>'],
  ['<s> ab ba', 'ab ba ab'],
  (gram) => 1 + (gram.length % 5),
);
const weights = { weight: 0.7, insertion: 0.5, letterCost: 1.5, unknownCost: 1 };

function languageOf(model: SmallNgrams, given = weights, of = pieces): LanguageModel {
  const read = readNgrams(languageFile(model));
  if (!read.ok) throw new Error(read.fault);
  return new LanguageModel(read.ngrams, given, of);
}

const START: SpelledWord = { history: 2, spelled: BETWEEN, letters: 0, open: 0 };

/** What the pieces' words are worth, word by word, by the definition. */
function worthOf(ids: readonly number[]): number {
  const words = wordsOf(ids);
  const known = (word: string): string => (small.words.includes(word) ? word : '<unk>');
  return words.reduce((sum, word, i) => {
    const history = ['<s>', ...words.slice(0, i).map(known)].slice(-2);
    const log = slowLog(small.grams, [...history, known(word)]);
    const spelled = small.words.includes(word) ? 0 : weights.unknownCost + weights.letterCost * word.length;
    return sum + weights.insertion + weights.weight * (log - spelled);
  }, 0);
}

const wordsOf = (ids: readonly number[]): string[] =>
  ids
    .map((id) => pieces[id]!)
    .join('')
    .split('▁')
    .filter((word) => word !== '');

describe('the lexicon', () => {
  test('finds each word at its letters, the best of those that begin alike, and nothing else', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', "'"), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.uniqueArray(letters, { minLength: 1, maxLength: 40 }), letters, (list, other) => {
        const words = list.toSorted();
        const value = (word: number): number => -((word * 37) % 11);
        const lexicon = new Lexicon(words, 0, value);
        for (const [i, word] of words.entries()) {
          expect(lexicon.wordAt(lexicon.step(WORD_START, lexicon.codesOf(word)))).toBe(i);
        }
        const place = lexicon.step(WORD_START, lexicon.codesOf(other));
        const begin = words.flatMap((word, i) => (word.startsWith(other) ? [i] : []));
        expect(place === NO_PLACE).toBe(begin.length === 0);
        expect(lexicon.wordAt(place)).toBe(words.indexOf(other));
        if (place !== NO_PLACE) expect(lexicon.bestValue(place)).toBe(Math.max(...begin.map(value)));
      }),
    );
  });

  test('refuses words of more than 31 different letters', () => {
    const words = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0x61 + i)).sort();
    expect(() => new Lexicon(words, 0, () => 0)).toThrow(/32 different letters/);
  });
});

describe('a language model', () => {
  test('says what a piece can gain at most, whatever its weights', () => {
    const cost = fc.double({ min: 0, max: 20, noNaN: true });
    const any = fc.double({ min: -20, max: 20, noNaN: true });
    const given = fc.record({ weight: cost, insertion: any, letterCost: cost, unknownCost: any });
    // No word of the list begins with a c.
    const all = [...pieces, '▁c'];
    const ids = fc.array(fc.integer({ min: 1, max: V }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(given, ids, (of, list) => {
        const language = languageOf(small, of, all);
        const word = { ...START };
        for (const id of list) {
          const begins = language.begins(id);
          if (begins) language.end(word, word);
          const most = begins ? language.mostOfBeginning : language.mostOfGoingOn(word);
          language.advance(word, id, word);
          expect(language.gained).toBeLessThanOrEqual(most + 1e-9);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('values whole words as its trigrams do, however their letters fall into pieces', () => {
    const language = languageOf(small);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: V - 1 }), { maxLength: 12 }), (ids) => {
        const word = { ...START };
        let value = 0;
        for (const id of ids) {
          if (language.begins(id)) {
            language.end(word, word);
            value += language.gained;
          }
          language.advance(word, id, word);
          value += language.gained;
        }
        language.end(word, word);
        value += language.gained;
        expect(value).toBeCloseTo(worthOf(ids), 4);
      }),
    );
  });

  test('a word that is wanted counts as no rarer than e⁻⁷, though it is in no list', () => {
    const language = languageOf(small);
    const word = { ...START };
    let value = 0;
    for (const id of [1, 3, 3, 3, 3, 3]) {
      language.advance(word, id, word, true);
      value += language.gained;
    }
    language.end(word, word, true);
    expect(value + language.gained).toBeCloseTo(weights.insertion - 7 * weights.weight, 9);
    expect(worthOf([1, 3, 3, 3, 3, 3])).toBeLessThan(weights.insertion - 7 * weights.weight);
  });
});

/** The probability of each sequence of tokens, by trying all paths. */
function exact(input: readonly (readonly number[])[]): Map<string, number> {
  let sums = new Map<string, number>([['|0', 1]]);
  for (const frame of input) {
    const next = new Map<string, number>();
    for (const [key, p] of sums) {
      const [tokens, last] = [key.slice(0, key.indexOf('|')), Number(key.slice(key.indexOf('|') + 1))];
      for (let id = 0; id < V; id++) {
        const after = id === 0 || id === last ? tokens : `${tokens}${tokens === '' ? '' : ','}${id}`;
        next.set(`${after}|${id}`, (next.get(`${after}|${id}`) ?? 0) + p * frame[id]!);
      }
    }
    sums = next;
  }
  const totals = new Map<string, number>();
  for (const [key, p] of sums) {
    const tokens = key.slice(0, key.indexOf('|'));
    totals.set(tokens, (totals.get(tokens) ?? 0) + p);
  }
  return totals;
}

const frames = fc.array(
  fc.array(fc.integer({ min: 1, max: 100 }), { minLength: V, maxLength: V }).map((values) => {
    const sum = values.reduce((a, b) => a + b, 0);
    return values.map((value) => 0.02 + (1 - 0.02 * V) * (value / sum));
  }),
  { minLength: 1, maxLength: 5 },
);
const logsOf = (frame: readonly number[]): Float32Array => Float32Array.from(frame, Math.log);

describe('the beam search with a language model', () => {
  test('wide enough, finds the sequence that is best over all paths and words', () => {
    const language = languageOf(small);
    fc.assert(
      fc.property(frames, (input) => {
        const wide = { width: 3000, settleFrames: 1000, leastLogProbability: -99, farBehind: 999 };
        const beam = new PrefixBeam({ blank: 0, pieces, phrases: null, language, ...wide });
        for (const [i, frame] of input.entries()) beam.frame(logsOf(frame), 0, i);
        beam.finish();
        const found = beam.best().map(({ id }) => id);
        const sums = exact(input);
        let best = -Infinity;
        for (const [key, p] of sums) {
          const ids = key === '' ? [] : key.split(',').map(Number);
          best = Math.max(best, Math.log(p) + worthOf(ids));
        }
        expect(Math.log(sums.get(found.join(','))!) + worthOf(found)).toBeCloseTo(best, 4);
      }),
    );
  });

  test('hears the word that is likelier after the ones before it where the sound leaves it open', () => {
    const language = languageOf(small);
    const sure = (id: number): number[] => pieces.map((_, k) => (k === id ? 0.96 : 0.01));
    // `▁a b`, then a word that begins with nothing but a mark and is `ba` or `ab`… or is it `a`?
    const said = [sure(1), sure(3), sure(2), sure(3), [0.4, 0.01, 0.01, 0.01, 0.57]];
    const heard = (model: LanguageModel | null): string[] => {
      const beam = new PrefixBeam({ blank: 0, pieces, phrases: null, language: model });
      for (const [i, frame] of said.entries()) beam.frame(logsOf(frame), 0, i);
      beam.finish();
      return wordsOf(beam.best().map(({ id }) => id));
    };
    expect(heard(null)).toEqual(['ab', 'ba']);
    expect(heard(language)).toEqual(['ab', 'ba']);
    said[4] = [0.6, 0.01, 0.01, 0.01, 0.37];
    expect(heard(null)).toEqual(['ab', 'b']);
    expect(heard(language)).toEqual(['ab', 'ba']);
  });

  test('brings out a phrase whose word is in no list', () => {
    const language = languageOf(small);
    const phrases = new PhraseTree([{ text: 'abb', boost: 2 }], pieces);
    const sure = (id: number): number[] => pieces.map((_, k) => (k === id ? 0.96 : 0.01));
    const said = [sure(1), sure(3), sure(0), [0.5, 0.02, 0.02, 0.44, 0.02]];
    const heard = (tree: PhraseTree | null): string[] => {
      const beam = new PrefixBeam({ blank: 0, pieces, phrases: tree, language });
      for (const [i, frame] of said.entries()) beam.frame(logsOf(frame), 0, i);
      beam.finish();
      return wordsOf(beam.best().map(({ id }) => id));
    };
    expect(heard(null)).toEqual(['ab']);
    expect(heard(phrases)).toEqual(['abb']);
  });

  test('tells how many tokens are sure: whole words that all likely hypotheses have, and so has the one that would win', () => {
    fc.assert(
      fc.property(frames, fc.double({ min: 0, max: 6, noNaN: true }), (input, margin) => {
        const beam = new PrefixBeam({ blank: 0, pieces, phrases: null, language: languageOf(small) });
        for (const [i, frame] of input.entries()) beam.frame(logsOf(frame), 0, i);
        const sure = beam.agreed(margin, 0);
        const best = beam.hypotheses[0]!;
        const old = beam.best().filter(({ lastFrame }) => lastFrame < 2).length;
        expect(beam.agreed(margin, 2)).toBe(Math.max(sure, old));
        const near = beam.hypotheses.filter(({ score }) => score >= best.score - margin);
        const lists = near.map(({ tip }) => wordsUpTo(tip));
        beam.finish();
        lists.push(wordsUpTo(beam.hypotheses[0]!.tip));
        const [first] = lists;
        let shared = 0;
        while (shared < first!.length && lists.every((list) => list[shared] === first![shared])) shared++;
        expect(sure).toBe(first!.slice(0, shared).join(' ').split(' ').filter(Boolean).length);
      }),
    );
  });

  test('a word that only begins as a phrase does is worth no more for it', () => {
    const language = languageOf(small);
    const sure = (id: number): number[] => pieces.map((_, k) => (k === id ? 0.96 : 0.01));
    // `bbb` is in no list.
    const said = [2, 3, 0, 3, 0, 3, 1].map(sure);
    const scoreWith = (text: string | null): number => {
      const phrases = text === null ? null : new PhraseTree([{ text, boost: 0 }], pieces);
      const beam = new PrefixBeam({ blank: 0, pieces, phrases, language, leastLogProbability: -3 });
      for (const [i, frame] of said.entries()) beam.frame(logsOf(frame), 0, i);
      beam.finish();
      const [best] = beam.hypotheses;
      expect(beam.best().map(({ id }) => id)).toEqual([2, 3, 3, 3, 1]);
      return best!.bonus;
    };
    const alone = scoreWith(null);
    expect(scoreWith('bbba')).toBeCloseTo(alone, 6);
    expect(scoreWith('bbb')).toBeGreaterThan(alone + 1);
    expect(scoreWith('bbb a')).toBeGreaterThan(alone + 1);
  });
});

/** The words of a prefix, each as its tokens with spaces between them. */
function wordsUpTo(tip: Token): string[] {
  const words: string[] = [];
  for (let at: Token | null = tip, ids: number[] = []; at !== null && at.depth > 0; at = at.before) {
    ids.unshift(at.id);
    if (!pieces[at.id]!.startsWith('▁') && (at.before?.depth ?? 0) > 0) continue;
    words.unshift(ids.join(' '));
    ids = [];
  }
  return words;
}
