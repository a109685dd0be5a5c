import { type FromEngine, segmentIdOf } from '@earshot/contracts';
import { expect } from 'vitest';

interface Seen {
  settled: number;
  decided: number;
  rev: number;
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
    const of = seen.get(key) ?? { settled: from, decided: 0, rev: 0, ended: false };
    seen.set(key, of);
    expect(of.ended, 'nothing comes after the end').toBe(false);
    switch (message.type) {
      case 'partial':
      case 'final': {
        expect(message.segmentId).toBe(segmentIdOf(message.channel, message.fromTick));
        expect(message.fromTick).toBeGreaterThanOrEqual(of.settled);
        expect(message.words.length).toBeGreaterThan(0);
        let at = message.fromTick;
        for (const word of message.words) {
          expect(word.startTick).toBeGreaterThanOrEqual(at);
          expect(word.endTick).toBeGreaterThan(word.startTick);
          at = word.endTick;
        }
        if (message.type === 'partial') {
          expect(message.rev).toBeGreaterThan(of.rev);
          of.rev = message.rev;
        } else {
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
