import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alignWords, readPhones } from '../src/speech/alignment.ts';

const word = (text: string, phones: string) => ({ text, phones: phones.split(' ') });

describe("flite's phones", () => {
  test('begin where the one before ended, and pauses are left out', () => {
    expect(readPhones('pau:0.200 hh:0.250 ax:0.300 pau:0.500 l:0.600 ')).toEqual([
      { name: 'hh', startMs: 200, endMs: 250 },
      { name: 'ax', startMs: 250, endMs: 300 },
      { name: 'l', startMs: 500, endMs: 600 },
    ]);
  });

  test('are none in what is no list of phones', () => {
    expect(readPhones('voice not found\n')).toEqual([]);
  });
});

describe('the words of a sentence', () => {
  test('lie where their phones were spoken', () => {
    const heard = readPhones('pau:0.1 m:0.2 ay:0.3 pau:0.35 b:0.4 ih:0.5 l:0.6 pau:0.9');
    expect(alignWords([word('my', 'm ay'), word('bill', 'b ih l')], heard)).toEqual([
      { text: 'my', startMs: 100, endMs: 300 },
      { text: 'bill', startMs: 350, endMs: 600 },
    ]);
  });

  test('are found where a vowel is reduced, a phone falls away and one comes in', () => {
    // "to a bill": "uw" became "ax", "ey" became "ax", and a flap came in.
    const heard = readPhones('t:0.1 ax:0.2 ax:0.3 b:0.4 dx:0.45 ih:0.5 l:0.6');
    expect(alignWords([word('to', 't uw'), word('a', 'ey'), word('bill', 'b ih l')], heard)).toEqual([
      { text: 'to', startMs: 0, endMs: 200 },
      { text: 'a', startMs: 200, endMs: 300 },
      { text: 'bill', startMs: 300, endMs: 600 },
    ]);
  });

  test('are not told when one of them has no phone', () => {
    expect(alignWords([word('my', 'm ay'), word('bill', 'b ih l')], readPhones('m:0.1 ay:0.2'))).toBeNull();
  });

  test('share out every phone in order when each sounds as it does by itself', () => {
    const phones = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(phones, { minLength: 1, maxLength: 8 }), (sentence) => {
        const words = sentence.map((list, i) => ({ text: `w${i}`, phones: list }));
        const heard = sentence.flat().map((name, i) => ({ name, startMs: 10 * i, endMs: 10 * (i + 1) }));
        let at = 0;
        const expected = sentence.map((list, i) => {
          const startMs = 10 * at;
          at += list.length;
          return { text: `w${i}`, startMs, endMs: 10 * at };
        });
        expect(alignWords(words, heard)).toEqual(expected);
      }),
    );
  });
});
