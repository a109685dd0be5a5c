import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SegmentView } from '@earshot/contracts';
import { differencesOf, MAX_DIFFERENCES } from '../src/assemble/differences.ts';

/** Words at their times, as `[startMs, text]`, each 300 ms long. */
const segment = (channel: number, ...words: (readonly [number, string])[]): SegmentView => ({
  id: String(channel),
  channel,
  role: 'agent',
  startMs: words[0]?.[0] ?? 0,
  endMs: (words.at(-1)?.[0] ?? 0) + 300,
  text: '',
  spoken: '',
  words: words.map(([startMs, text]) => ({ text, startMs, endMs: startMs + 300, confidence: 1 })),
});

test('words that were replaced, put in or left out are listed with their times, neighbours together', () => {
  const before = [
    segment(0, [0, 'i'], [400, 'want'], [800, 'two'], [1200, 'cancel'], [1600, 'my'], [2000, 'plan']),
  ];
  const after = [
    segment(
      0,
      [0, 'i'],
      [410, 'want'],
      [800, 'to'],
      [1190, 'counsel'],
      [1600, 'my'],
      [2000, 'plan'],
      [2400, 'now'],
    ),
  ];
  expect(differencesOf(before, after)).toEqual({
    wordsChanged: 3,
    wordErrorRate: 0.5,
    count: 2,
    listed: [
      { channel: 0, startMs: 800, endMs: 1500, before: 'two cancel', after: 'to counsel' },
      { channel: 0, startMs: 2400, endMs: 2700, before: '', after: 'now' },
    ],
  });
});

test('the same word at quite another time is not the same word', () => {
  const { wordsChanged } = differencesOf([segment(0, [0, 'yes'])], [segment(0, [60_000, 'yes'])]);
  expect(wordsChanged).toBe(2);
});

test('channels are compared apart and listed in call order', () => {
  const before = [segment(1, [0, 'a'], [5000, 'b']), segment(0, [2000, 'c'])];
  const after = [segment(1, [0, 'x'], [5000, 'y']), segment(0, [2000, 'z'])];
  expect(differencesOf(before, after).listed.map(({ channel, startMs }) => [channel, startMs])).toEqual([
    [1, 0],
    [0, 2000],
    [1, 5000],
  ]);
});

test('however much changed, the list is bounded and the counts are whole', () => {
  const many = (text: string) =>
    segment(0, ...Array.from({ length: 1000 }, (_, i) => [i * 2000, text] as const));
  const { listed, count, wordsChanged, wordErrorRate } = differencesOf([many('a')], [many('b')]);
  expect(listed).toHaveLength(MAX_DIFFERENCES);
  expect({ count, wordsChanged, wordErrorRate }).toEqual({
    count: 1000,
    wordsChanged: 1000,
    wordErrorRate: 1,
  });
});

const words = fc
  .array(fc.tuple(fc.integer({ min: 20, max: 900 }), fc.constantFrom('a', 'b', 'c', 'd')), { maxLength: 30 })
  .map((list) => {
    let ms = 0;
    return segment(0, ...list.map(([pause, text]) => [(ms += pause), text] as const));
  });

test('what is listed turns one transcript into the other, and as many words are counted as are listed', () => {
  fc.assert(
    fc.property(words, words, (before, after) => {
      const { listed, wordsChanged, count } = differencesOf([before], [after]);
      const split = (text: string): string[] => text.split(' ').filter((word) => word !== '');
      const old = before.words.map((word) => word.text);
      const now = after.words.map((word) => word.text);
      const deleted = listed.flatMap((difference) => split(difference.before));
      const inserted = listed.flatMap((difference) => split(difference.after));
      expect(count).toBe(listed.length);
      expect(old.length - deleted.length).toBe(now.length - inserted.length);
      expect(wordsChanged).toBeGreaterThanOrEqual(Math.max(deleted.length, inserted.length));
      expect(wordsChanged).toBeLessThanOrEqual(deleted.length + inserted.length);
    }),
  );
});

test('a transcript does not differ from itself, and between two it is the same distance both ways', () => {
  fc.assert(
    fc.property(words, words, (a, b) => {
      expect(differencesOf([a], [a])).toMatchObject({ wordsChanged: 0, count: 0, listed: [] });
      expect(differencesOf([a], [b]).wordsChanged).toBe(differencesOf([b], [a]).wordsChanged);
    }),
  );
});
