import { describe, expect, test } from 'vitest';
import type { Word } from '@earshot/contracts';
import { PartialLedger } from '../../src/decode/partial-ledger.ts';
import { Harness, blanks } from './harness.ts';

const word = (text: string, startMs: number): Word => ({
  text,
  startTick: startMs * 8,
  endTick: (startMs + 200) * 8,
  confidence: 1,
});

describe('the ledger of partials', () => {
  test('counts a word once however often it is shown, and a change when it reads differently', () => {
    const ledger = new PartialLedger();
    ledger.partial([word('the', 0)]);
    ledger.partial([word('the', 0), word('con', 300)]);
    ledger.partial([word('the', 60), word('contract', 300)]);
    expect([ledger.shown, ledger.changed]).toEqual([3, 1]);
    ledger.final([word('the', 60), word('contract', 300)], 8000);
    expect([ledger.shown, ledger.changed]).toEqual([3, 1]);
  });

  test('a word that is not in the final was changed, one that stays open was not', () => {
    const ledger = new PartialLedger();
    ledger.partial([word('the', 0), word('big', 300), word('ship', 900)]);
    ledger.final([word('the', 0)], 700 * 8);
    expect([ledger.shown, ledger.changed]).toEqual([3, 1]);
    ledger.partial([word('ship', 900), word('sails', 1300)]);
    expect([ledger.shown, ledger.changed]).toEqual([4, 1]);
  });

  test('the same word twice is two words', () => {
    const ledger = new PartialLedger();
    ledger.partial([word('five', 0), word('five', 250)]);
    ledger.partial([word('five', 0), word('five', 250), word('five', 500)]);
    expect([ledger.shown, ledger.changed]).toEqual([3, 0]);
  });
});

describe('partials', () => {
  test('leave the last word out until the next one begins or 240 ms brought no token', () => {
    const shown = ({ decoder }: Harness): string[] =>
      decoder.openSegment()?.words.map(({ text }) => text) ?? [];
    expect(shown(new Harness().say([4, 2, 0, 0, 0]))).toEqual([]);
    expect(shown(new Harness().say([4, 2, 0, 0, 5]))).toEqual(['ca']);
    expect(shown(new Harness().say([4, ...blanks(4)]))).toEqual(['c']);
    expect(shown(new Harness().say([4, 0, 0, 2, 0, ...blanks(5)]))).toEqual(['ca']);
  });

  test('a word that is held back becomes a change when it is let go', () => {
    const harness = new Harness().say([0, 0, 0, 4, 2]);
    const { rev } = harness.decoder;
    harness.say(blanks(5));
    expect(harness.decoder.rev).toBeGreaterThan(rev);
  });
});
