import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Ngrams, readNgrams } from '../../src/decode/ngram-file.ts';
import { type SmallNgrams, languageFile, slowLog, smallNgrams } from '../support/language.ts';

const WORDS = ['a', 'ab', 'ba', "b'a", 'abba'];
const HISTORY = ['<s>', ...WORDS];
const LAST = ['<unk>', '</s>', ...WORDS];
const gram = (...parts: readonly (readonly string[])[]): fc.Arbitrary<string> =>
  fc.tuple(...parts.map((part) => fc.constantFrom(...part))).map((words) => words.join(' '));

/** Generated models whose probabilities sum to one after every history. */
const models: fc.Arbitrary<SmallNgrams> = fc
  .record({
    pairs: fc.array(gram(HISTORY, LAST), { maxLength: 12 }),
    triples: fc.array(gram(HISTORY, WORDS, LAST), { maxLength: 12 }),
    seed: fc.integer({ min: 1, max: 1000 }),
  })
  .map(({ pairs, triples, seed }) =>
    smallNgrams(WORDS, pairs, triples, (text) => 1 + ((seed * (text.length * 7 + text.charCodeAt(0))) % 9)),
  );

function read(file: Uint8Array): Ngrams {
  const found = readNgrams(file);
  if (!found.ok) throw new Error(found.fault);
  return found.ngrams;
}

/** The history after these words. */
function historyOf(ngrams: Ngrams, words: readonly string[]): number {
  const [first, ...rest] = words.map((word) => ngrams.words.indexOf(word));
  let history = first!;
  for (const word of rest) {
    ngrams.logOf(history, word);
    history = ngrams.next;
  }
  return history;
}

describe('a language model’s file', () => {
  test('gives each word after each history the probability that the definition of back-off gives it', () => {
    fc.assert(
      fc.property(models, gram(HISTORY, WORDS), fc.constantFrom(...LAST), (model, before, word) => {
        const ngrams = read(languageFile(model));
        const words = before.split(' ');
        const log = ngrams.logOf(historyOf(ngrams, words), ngrams.words.indexOf(word));
        expect(log).toBeCloseTo(slowLog(model.grams, [...words, word]), 9);
      }),
    );
  });

  test('remembers two words and no more: what came before them changes nothing', () => {
    fc.assert(
      fc.property(
        models,
        gram(HISTORY, WORDS, WORDS, WORDS),
        fc.constantFrom(...LAST),
        (model, before, word) => {
          const ngrams = read(languageFile(model));
          const words = before.split(' ');
          const id = ngrams.words.indexOf(word);
          const log = ngrams.logOf(historyOf(ngrams, words), id);
          expect(log).toBeCloseTo(slowLog(model.grams, [...words.slice(-2), word]), 9);
        },
      ),
    );
  });

  test('has probabilities that sum to one after every history, as far as they are rounded', () => {
    fc.assert(
      fc.property(models, gram(HISTORY, WORDS), (model, before) => {
        const ngrams = read(languageFile(model));
        const history = historyOf(ngrams, before.split(' '));
        const sum = LAST.reduce(
          (total, word) => total + Math.exp(ngrams.logOf(history, ngrams.words.indexOf(word))),
          0,
        );
        // Each of the logarithms that it is made of is rounded to a sixteenth.
        expect(Math.abs(Math.log(sum))).toBeLessThan(2 / 32);
      }),
    );
  });

  test('is refused with the reason when it is cut off, changed or another file', () => {
    const file = languageFile(smallNgrams(WORDS, ['a ab'], ['a ab ba'], () => 1));
    const faultOf = (bytes: Uint8Array): string => {
      const found = readNgrams(bytes);
      return found.ok ? 'none' : found.fault;
    };
    expect(faultOf(file)).toBe('none');
    fc.assert(
      fc.property(fc.nat(file.length - 1), (length) => {
        expect(faultOf(file.subarray(0, length))).toMatch(/does not begin with|bytes and should have/);
      }),
    );
    fc.assert(
      fc.property(fc.nat(file.length - 33), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const broken = Uint8Array.from(file);
        broken[32 + at]! ^= change;
        expect(faultOf(broken)).toBe('its checksum is wrong');
      }),
    );
    expect(faultOf(new TextEncoder().encode('not a language model, but a text of some length'))).toMatch(
      /does not begin with EARSHLM1/,
    );
  });

  test('never throws on any bytes after a good header', () => {
    const file = languageFile(smallNgrams(WORDS, ['a ab'], ['a ab ba'], () => 1));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (fields) => {
        const broken = Uint8Array.from(file);
        broken.set(fields, 8);
        expect(readNgrams(broken).ok).toBe(false);
      }),
    );
  });
});
