/** What the ledger calls time in which packets come without audio. */
import type { LegCodec } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import { BEHIND, ClockedLine, G729, NOISE, NOISE_LEVEL, TURN, UNAGREED } from './support/line.ts';

const KEYS = 101;
/** Key 5 is down, and goes on. */
const KEY = Uint8Array.of(5, 10, 0, 160);
const L16: LegCodec = { payloadType: 97, name: 'L16' };
/** Half a sample is missing. */
const BROKEN = new Uint8Array(321);

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
