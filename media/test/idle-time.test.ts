import type { LegCodec, SpanKind } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdleTime } from '../src/timeline/idle-time.ts';
import { ClockedLine } from './support/line.ts';

/** G.729, which nobody agreed on. */
const UNAGREED = 18;
const NOISE = 13;
const KEYS = 101;
const G729 = new Uint8Array(20);
const NOISE_LEVEL = Uint8Array.of(50);
/** Key 5 is down, and goes on. */
const KEY = Uint8Array.of(5, 10, 0, 160);
const L16: LegCodec = { payloadType: 97, name: 'L16' };
/** Half a sample is missing. */
const BROKEN = new Uint8Array(321);
/** The clock stamps so far behind now, in seconds. */
const BEHIND = 0.5;
/** What ends a hold or a pause is followed by packets a turn later. */
const TURN = 0.02;

describe('audio that cannot be used', () => {
  it('of a type that was not agreed on is lost, between what can be used, to the tick', () => {
    const line = new ClockedLine();
    line.send(4);
    line.send(10, UNAGREED, G729);
    line.send(4);
    const { packetsLost, packetsRejected } = line.channel.totals();
    expect({ packetsLost, packetsRejected }).toEqual({ packetsLost: 0, packetsRejected: 500 });
    expect(line.finish()).toEqual([
      ['received', 4],
      ['lost', 10],
      ['received', 4],
    ]);
  });

  it('is lost to the end of a call, and over a whole call', () => {
    const end = new ClockedLine();
    end.send(4);
    end.send(10, UNAGREED, G729);
    expect(end.finish()).toEqual([
      ['received', 4],
      ['lost', 10 - BEHIND],
    ]);
    const whole = new ClockedLine();
    whole.rest(2);
    whole.send(15, UNAGREED, G729);
    expect(whole.finish()).toEqual([
      ['absent', 2 + TURN],
      ['lost', 15 - TURN - BEHIND],
    ]);
  });

  it('is lost where it cannot be decoded, too', () => {
    const line = new ClockedLine([L16]);
    line.send(15, L16.payloadType, BROKEN);
    expect(line.finish()).toEqual([
      ['absent', TURN],
      ['lost', 15 - TURN - BEHIND],
    ]);
    const amid = new ClockedLine([L16]);
    amid.send(4, L16.payloadType, new Uint8Array(320));
    amid.send(10, L16.payloadType, BROKEN);
    amid.send(1, L16.payloadType, new Uint8Array(320));
    expect(amid.finish()).toEqual([
      ['received', 4],
      ['lost', 10],
      ['received', 1],
    ]);
  });

  it('is lost while it comes, and not in a silence before it', () => {
    const line = new ClockedLine();
    line.send(1);
    line.send(1, UNAGREED, G729);
    line.send(1);
    line.rest(2);
    line.send(1, UNAGREED, G729);
    line.send(1);
    expect(line.finish()).toEqual([
      ['received', 1],
      ['lost', 1],
      ['received', 1],
      ['absent', 2 + TURN],
      ['lost', 1 - TURN],
      ['received', 1],
    ]);
  });

  it('is concealed for a moment, and not lost any more half a second after it stopped', () => {
    const line = new ClockedLine();
    line.send(4);
    line.send(0.1, UNAGREED, G729);
    line.send(1);
    line.send(2, UNAGREED, G729);
    line.rest(8);
    line.send(1);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['concealed', 0.1],
      ['received', 1],
      ['lost', 2 + BEHIND],
      ['absent', 8 - BEHIND],
      ['received', 1],
    ]);
  });

  it('is no media: who was promised some is told, and told again when it comes', () => {
    const line = new ClockedLine();
    const { channel } = line;
    const told = (): boolean | null => {
      const changed = channel.mediaChanged(line.nowUs);
      if (changed) channel.watch.told();
      return changed ? channel.watch.missing : null;
    };
    line.send(2.5, UNAGREED, G729);
    expect(told()).toBeNull();
    line.send(1, UNAGREED, G729);
    expect(told()).toBe(true);
    line.send(1);
    expect(told()).toBe(false);
    line.send(14, UNAGREED, G729);
    expect(told()).toBeNull();
    // What would be passed over while paused is not there, either.
    line.pause(true);
    line.send(2, UNAGREED, G729);
    expect(told()).toBe(true);
    line.send(1);
    expect(told()).toBe(false);
    line.finish();
    const undecodable = new ClockedLine([L16]);
    undecodable.send(3.5, L16.payloadType, BROKEN);
    expect(undecodable.channel.mediaChanged(undecodable.nowUs)).toBe(true);
    undecodable.finish();
  });
});

describe('packets that mean silence', () => {
  it.each([
    ['comfort noise', NOISE, NOISE_LEVEL],
    ['keys', KEYS, KEY],
    ['empty ones', 0, new Uint8Array(0)],
  ])('are dtx between audio and to the end: %s', (_name, payloadType, payload) => {
    const line = new ClockedLine();
    line.send(4);
    line.send(10, payloadType, payload);
    line.send(2);
    line.send(20, payloadType, payload, 10);
    expect(line.channel.mediaChanged(line.nowUs)).toBe(false);
    expect(line.channel.totals().packetsRejected).toBe(0);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['dtx', 10],
      ['received', 2],
      ['dtx', 20 - BEHIND],
    ]);
  });

  it('are those of the static type for comfort noise, offered or not, and seldom', () => {
    const line = new ClockedLine([{ payloadType: 0, name: 'PCMU' }]);
    line.send(1);
    line.send(6, NOISE, NOISE_LEVEL, 150);
    line.send(1);
    line.send(2, NOISE, NOISE_LEVEL, 100);
    line.rest(8);
    expect(line.channel.totals().packetsRejected).toBe(0);
    expect(line.finish()).toEqual([
      ['received', 1],
      ['dtx', 6],
      ['received', 1],
      ['dtx', TURN + BEHIND],
      ['absent', 10 - TURN - 2 * BEHIND],
    ]);
  });
});

describe('a silence after comfort noise', () => {
  it.each([
    [false, [['dtx', 3]]],
    [
      true,
      [
        ['dtx', TURN + BEHIND],
        ['absent', 3 - TURN - BEHIND],
      ],
    ],
  ])('is absent where packets of it were lost: %s', (lost, silence) => {
    const line = new ClockedLine();
    line.send(1);
    line.send(1, NOISE, NOISE_LEVEL, 50);
    if (lost) line.lose();
    line.rest(2);
    line.send(1);
    line.rest(0.4);
    expect(line.finish()).toEqual([['received', 1], ...silence, ['received', 1]]);
  });
});

describe('a hold', () => {
  it('is held from its re-INVITE to the next one, and the silence before it is absent', () => {
    const line = new ClockedLine();
    line.send(4);
    line.rest(4);
    line.update({ state: 'held' });
    line.rest(4);
    line.update({ state: 'active' });
    line.send(4);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['absent', 4],
      ['held', 4],
      ['received', 4],
    ]);
  });

  it('follows audio at once, is that whatever comes meanwhile, and ends where nothing follows it', () => {
    const line = new ClockedLine();
    line.send(4);
    line.update({ state: 'held' });
    line.send(2, NOISE, NOISE_LEVEL);
    line.send(2, UNAGREED, G729);
    line.rest(2);
    line.update({ state: 'active' });
    line.rest(6);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['held', 6],
      ['absent', 6 - BEHIND],
    ]);
  });

  it('of a moment is a hold', () => {
    const line = new ClockedLine();
    line.send(4);
    line.update({ state: 'held' });
    line.rest(0.3);
    line.update({ state: 'active' });
    line.send(1);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['held', 0.3],
      ['received', 1],
    ]);
  });

  it('of a stream that is taken away and comes back with another codec is as long as it was away', () => {
    const line = new ClockedLine();
    line.rest(1);
    line.update({ state: 'held' });
    line.rest(2);
    line.update({ state: 'active', codecs: [{ payloadType: 8, name: 'PCMA' }] });
    line.rest(1);
    line.send(1, 8);
    expect(line.finish()).toEqual([
      ['absent', 1],
      ['held', 2],
      ['absent', 1],
      ['received', 1],
    ]);
  });

  it('of a stream that is added on hold begins when it is added', () => {
    const line = new ClockedLine(undefined, { state: 'held' }, 80_000);
    line.rest(3);
    line.update({ state: 'active' });
    line.send(1);
    expect(line.finish()).toEqual([
      ['absent', 10],
      ['held', 3],
      ['received', 1],
    ]);
    const first = new ClockedLine(undefined, { state: 'held' }, 400);
    first.rest(3);
    expect(first.finish()).toEqual([['held', 3.05 - BEHIND]]);
  });
});

describe('a pause', () => {
  it('is paused from its order to the next one, whatever is sent, and not while nothing follows it', () => {
    const line = new ClockedLine();
    line.send(4);
    line.rest(4);
    line.pause(true);
    line.send(4);
    line.pause(false);
    line.rest(8);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['absent', 4],
      ['paused', 4],
      ['absent', 8 - BEHIND],
    ]);
  });

  it('of a moment is a pause', () => {
    const line = new ClockedLine();
    line.send(4);
    line.pause(true);
    line.send(0.3);
    line.pause(false);
    line.send(4);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['paused', 0.3],
      ['received', 4],
    ]);
  });

  it('goes before a hold, and leaves of it what is outside', () => {
    const line = new ClockedLine();
    line.send(2);
    line.update({ state: 'held' });
    line.rest(2);
    line.pause(true);
    line.rest(2);
    line.pause(false);
    line.rest(2);
    line.pause(true);
    line.rest(1);
    line.update({ state: 'active' });
    line.rest(1);
    line.pause(false);
    line.send(1);
    expect(line.finish()).toEqual([
      ['received', 2],
      ['held', 2],
      ['paused', 2],
      ['held', 2],
      ['paused', 2],
      ['received', 1],
    ]);
  });
});

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
