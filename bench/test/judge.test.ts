import { describe, expect, test } from 'vitest';
import { wordErrors } from '../../sip-tests/src/wer.ts';
import { judgeChannel } from '../src/latency/judge.ts';
import { median, quantile } from '../src/statistics.ts';
import { readSources } from '../src/wer/clips.ts';
import { Tally } from '../src/wer/tally.ts';

const FIRST_PACKET_MS = 1_000_500;
const CALL_ZERO_MS = 1_000_000;

const said = [
  { text: 'my', startMs: 100, endMs: 250 },
  { text: 'bill', startMs: 250, endMs: 610 },
  { text: 'please', startMs: 610, endMs: 1000 },
];
const told = (text: string, startMs: number, endMs: number) => ({
  text,
  startMs,
  endMs,
  shownAtMs: FIRST_PACKET_MS + 900,
  finalAtMs: FIRST_PACKET_MS + 2000,
});

describe('what a client was told', () => {
  const judged = judgeChannel({
    voice: 'flite:slt',
    turns: [{ words: said }],
    // Times of the call: 500 ms more than those from the first packet. "bill" was not understood, "now" not said.
    told: [
      told('My', 620, 740),
      told('pill', 750, 1100),
      told('please', 1100, 1530),
      told('now', 1600, 1700),
    ],
    firstPacketMs: FIRST_PACKET_MS,
    callZeroMs: CALL_ZERO_MS,
  });

  test('is late by the time since the packet with the last sound of the word', () => {
    // "my" ends at 250 ms: in the packet that left 240 ms after the first.
    expect(judged.shown).toEqual([660, -100]);
    expect(judged.final).toEqual([1760, 1000]);
    expect(judged.firstWordShown).toEqual([660]);
  });

  test('has times that are too late by so much', () => {
    expect(judged.startErrors).toEqual([20, -10]);
    expect(judged.endErrors).toEqual([-10, 30]);
  });

  test('is counted in words', () => {
    expect(judged.tally.figure).toEqual({
      wer: 0.6667,
      words: 3,
      substitutions: 1,
      deletions: 0,
      insertions: 1,
    });
  });
});

describe('word error rates', () => {
  test('of many sentences count each word once', () => {
    const tally = new Tally();
    tally.add(
      wordErrors(
        'one two three four five six seven eight nine',
        'one two three four five six seven eight nine',
      ),
    );
    const other = new Tally();
    other.add(wordErrors('ten', 'eleven'));
    tally.join(other);
    tally.join(undefined);
    expect(tally.figure.wer).toBe(0.1);
  });

  test('of nothing are no number', () => {
    expect(new Tally().figure.wer).toBeNull();
  });
});

test('SOURCES.txt names a file and what is said in it in its first and fourth field', () => {
  const listing = [
    'a.wav | 1ch 8000Hz | somewhere | Hello there | MIT | a note',
    '../b.wav | 1ch | somewhere | not beside the list',
    'c.wav | no transcript | somewhere',
    '# a comment',
    '',
  ].join('\n');
  expect(readSources(listing)).toEqual([{ file: 'a.wav', text: 'hello there' }]);
});

test('quantiles are values that were measured, medians lie between two', () => {
  const values = [5, 1, 4, 2, 3, 6, 7, 8, 9, 10];
  expect(quantile(values, 0.5)).toBe(5);
  expect(quantile(values, 0.95)).toBe(10);
  expect(median(values)).toBe(5.5);
  expect(quantile([], 0.5)).toBeNull();
  expect(median([])).toBeNull();
});
