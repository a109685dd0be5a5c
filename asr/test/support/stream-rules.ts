import { type FromEngine, segmentIdOf } from '@earshot/contracts';
import { expect } from 'vitest';

interface Seen {
  settled: number;
  decided: number;
  rev: number;
  /** Segments of the newest partial, and of the one that is to be seen. */
  newest: string | null;
  shown: string | null;
  ended: boolean;
}

/** What holds of everything an engine ever says on the words socket (contracts/src/messages/words.ts). */
export function expectRulesKept(
  messages: readonly FromEngine[],
  outputFromTick: (channel: string) => number,
): void {
  const seen = new Map<string, Seen>();
  for (const message of messages) {
    if (message.type === 'hello') continue;
    const key = `${message.channel}#${message.attempt}`;
    const from = outputFromTick(message.channel);
    const of: Seen = seen.get(key) ?? {
      settled: from,
      decided: 0,
      rev: 0,
      newest: null,
      shown: null,
      ended: false,
    };
    seen.set(key, of);
    expect(of.ended, 'nothing comes after the end').toBe(false);
    switch (message.type) {
      case 'partial':
      case 'final': {
        expect(message.segmentId).toBe(segmentIdOf(message.channel, message.fromTick));
        // A partial without words takes back what was shown, and time may be settled beyond that.
        if (message.type === 'partial' && message.words.length === 0) {
          expect(message.segmentId).toBe(of.shown);
        } else expect(message.fromTick).toBeGreaterThanOrEqual(of.settled);
        if (message.type === 'final') expect(message.words.length).toBeGreaterThan(0);
        let at = message.fromTick;
        for (const word of message.words) {
          expect(word.startTick).toBeGreaterThanOrEqual(at);
          expect(word.endTick).toBeGreaterThan(word.startTick);
          at = word.endTick;
        }
        if (message.type === 'partial') {
          expect(message.rev).toBeGreaterThan(message.segmentId === of.newest ? of.rev : of.rev - 1);
          of.rev = message.rev;
          of.newest = message.segmentId;
          of.shown = message.words.length === 0 ? null : message.segmentId;
        } else {
          of.shown = null;
          expect(message.toTick).toBeGreaterThanOrEqual(at);
          of.settled = message.toTick;
        }
        break;
      }
      case 'progress':
        expect(message.settledTick).toBeGreaterThanOrEqual(of.settled);
        expect(message.decidedTick).toBeGreaterThanOrEqual(of.decided);
        of.settled = message.settledTick;
        of.decided = message.decidedTick;
        break;
      case 'ended':
        expect([of.decided, of.settled]).toEqual([message.tick, message.tick]);
        of.ended = true;
        break;
    }
  }
}
