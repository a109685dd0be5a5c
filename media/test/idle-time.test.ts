import type { SpanKind } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdleTime } from '../src/timeline/idle-time.ts';
import { ClockedLine, G729, NOISE, NOISE_LEVEL, UNAGREED } from './support/line.ts';

describe('the ledger', () => {
  type Phase = Exclude<SpanKind, 'concealed' | 'corrected'>;
  const phases = fc
    .array(
      fc.record({
        kind: fc.constantFrom<Phase>('received', 'lost', 'dtx', 'absent', 'held', 'paused'),
        turns: fc.integer({ min: 60, max: 400 }),
        sending: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    )
    // Packets without audio that come within 5 s of each other are one stretch.
    .map((list) => list.flatMap((phase) => [phase, { ...phase, kind: 'received' as const, turns: 60 }]));

  it('calls each stretch what it was, to half a second, and comes to the end, whatever follows what', () => {
    fc.assert(
      fc.property(phases, fc.boolean(), (list, endsInAudio) => {
        const line = new ClockedLine();
        const truth: { kind: Phase; fromTick: number; toTick: number }[] = [];
        for (const { kind, turns, sending } of endsInAudio ? list : list.slice(0, -1)) {
          const fromTick = line.tick;
          const seconds = turns / 50;
          if (kind === 'held') line.update({ state: 'held' });
          if (kind === 'paused') line.pause(true);
          if (kind === 'received' || (kind === 'paused' && sending)) line.send(seconds);
          else if (kind === 'lost') line.send(seconds, UNAGREED, G729);
          else if (kind === 'dtx') line.send(seconds, NOISE, NOISE_LEVEL);
          else line.rest(seconds);
          if (kind === 'held') line.update({ state: 'active' });
          if (kind === 'paused') line.pause(false);
          truth.push({ kind, fromTick, toTick: line.tick });
        }
        const named: SpanKind[] = [];
        for (const [kind, seconds] of line.finish()) {
          for (let turn = Math.round(50 * seconds); turn > 0; turn--) named.push(kind);
        }
        expect(line.tick / 160 - named.length).toBeLessThanOrEqual(25);
        for (const { kind, fromTick, toTick } of truth) {
          for (let turn = fromTick / 160 + 1; turn < Math.min(toTick / 160 - 1, named.length); turn++) {
            if (named[turn] !== kind) throw new Error(`${named[turn]} at turn ${turn}, which was ${kind}`);
          }
        }
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});

describe('a replacement', () => {
  it('calls each stretch what its predecessor did, by the log alone', () => {
    const line = new ClockedLine();
    line.rest(1);
    line.send(3, UNAGREED, G729);
    line.send(4);
    line.send(7, UNAGREED, G729);
    line.rest(8);
    line.send(1, NOISE, NOISE_LEVEL);
    line.rest(2);
    line.send(1);
    line.send(7, NOISE, NOISE_LEVEL, 20);
    line.send(3, UNAGREED, G729);
    line.rest(1);
    const replaced = line.finishReplaced();
    expect(replaced.length).toBeGreaterThan(7);
    expect(line.finish()).toEqual(replaced);
  });
});

describe('idle time', () => {
  it('forgets what is stamped, so that hours of re-INVITEs take no room', () => {
    const time = new IdleTime();
    for (let n = 0; n < 100; n++) {
      time.passesAs(n % 2 === 0 ? 'held' : 'absent', 1000 * (n + 1));
      expect(time.changes).toBe(true);
      time.stamped(1000 * (n + 1));
      expect(time.changes).toBe(false);
    }
    expect(time.kind).toBe('absent');
    expect(time.changeAfter(0)).toBe(100_000);
    expect(time.changeAfter(100_000)).toBe(Infinity);
  });

  it('is over with a hold that had ended once audio comes, though that is late', () => {
    const time = new IdleTime();
    time.passesAs('held', 1000);
    time.passesAs('absent', 9000);
    time.audioFrom(8000, false);
    expect([time.kindAt(7999), time.kindAt(8000)]).toEqual(['held', 'absent']);
    time.audioTo(8160);
    expect(time.changes).toBe(false);
    time.passesAs('held', 8160);
    time.passesAs('absent', 9000);
    time.audioTo(8320);
    expect([time.changes, time.kindAt(8320)]).toEqual([false, 'absent']);
  });

  it('says of each tick what packets and signalling said, the signalling first', () => {
    const time = new IdleTime();
    time.quiet(10_000, 9000);
    time.quiet(20_000, 19_000);
    time.unusable(12_000, 12_000);
    time.passesAs('held', 22_000);
    const spans: [SpanKind, number][] = [];
    for (let tick = 0; tick < 30_000;) {
      const kind = time.kindAt(tick);
      tick = Math.min(30_000, time.changeAfter(tick));
      if (spans.at(-1)?.[0] === kind) spans.pop();
      spans.push([kind, tick]);
    }
    expect(spans).toEqual([
      ['absent', 9000],
      ['dtx', 12_000],
      ['lost', 16_000],
      ['dtx', 22_000],
      ['held', 30_000],
    ]);
  });
});
