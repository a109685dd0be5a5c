import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLOCK_DELAY_US, MAX_STALL_US } from '../src/timeline/timeline.ts';
import { Stream, usAt } from './support/stream.ts';

const PACKET_TICKS = 160;
/** What the clock stamps when half a second has passed: that much of what was held up is lost. */
const HUSH_TICKS = 8;
const MAX_STALL_TICKS = MAX_STALL_US / 125;

/**
 * Sends packets to a timeline at their arrivals, whose clock ticks every 20 ms as a worker's does.
 * @param arrivals ticks, one for each packet, none before the one before it
 */
function play(
  stream: Stream,
  arrivals: readonly number[],
  timestampOf = (n: number) => n * PACKET_TICKS,
): void {
  let lastTick = arrivals[0]!;
  let clockTick = lastTick;
  for (const [n, tick] of arrivals.entries()) {
    for (; clockTick <= tick; clockTick += PACKET_TICKS)
      stream.timeline.clock(usAt(clockTick), usAt(lastTick));
    stream.send(1 + n, timestampOf(n), tick);
    lastTick = tick;
  }
}

/**
 * When each packet comes that is sent every 20 ms from firstTick on, where nothing comes through in the stalls and what was
 * held up comes in order, at least drainTicks apart.
 */
function through(
  stalls: readonly { atTick: number; ticks: number }[],
  count: number,
  firstTick: number,
  drainTicks = 0,
): number[] {
  let lastTick = -Infinity;
  return Array.from({ length: count }, (_, n) => {
    let tick = Math.max(firstTick + n * PACKET_TICKS, lastTick + drainTicks);
    for (const { atTick, ticks } of stalls)
      if (tick >= atTick && tick < atTick + ticks) tick = atTick + ticks;
    lastTick = tick;
    return tick;
  });
}

describe('timeline over a stall', () => {
  it('says after half a second that nothing is heard, and stamps no more than a millisecond of it', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    expect(stream.timeline.clock(usAt(4100), usAt(160))).toBe(false);
    expect(stream.timeline.clock(usAt(4200), usAt(160))).toBe(true);
    expect(stream.timeline.endTick).toBe(160 + HUSH_TICKS);
    expect(stream.timeline.clock(usAt(20_000), usAt(160))).toBe(false);
  });

  it('moves on by the clock, 5 s behind now, once nothing that was held up can be waited for', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    expect(stream.timeline.clock(usAt(60_000), usAt(160))).toBe(true);
    expect(stream.timeline.endTick).toBe(20_000);
    expect(stream.timeline.clock(usAt(80_000), usAt(79_000))).toBe(false);
  });

  it('moves on half a second behind now where nothing can be held up: at first, while held, at its end', () => {
    const early = new Stream();
    expect(early.timeline.clock(usAt(8000), usAt(0))).toBe(true);
    expect(early.timeline.endTick).toBe(4000);
    const held = new Stream();
    held.send(1, 0, 160);
    held.timeline.passesAs('held', usAt(160));
    held.timeline.clock(usAt(8000), usAt(160));
    expect(held.timeline.endTick).toBe(4000);
    const ended = new Stream();
    ended.send(1, 0, 160);
    ended.timeline.finish(usAt(8000), usAt(160));
    expect(ended.timeline.endTick).toBe(4000);
  });

  it('puts what was held up for seconds where it belongs, and what follows it', () => {
    const stream = new Stream();
    play(stream, through([{ atTick: 16_000, ticks: 24_000 }], 500, 160));
    expect(stream.timeline.endTick).toBe(500 * PACKET_TICKS);
    expect(stream.timeline.rebases).toBe(1);
    expect(stream.ledger.spans.filter(([kind]) => kind === 'gap')).toEqual([
      ['gap', 15_840, 15_840 + HUSH_TICKS],
    ]);
  });

  it('is as long as what was said, whatever stalls under 5 s it came through', () => {
    const stalls = fc.array(
      fc.record({
        /** What comes through before it, once all is there that was held up. */
        flowTicks: fc.integer({ min: 160, max: 20_000 }),
        ticks: fc.integer({ min: 1, max: MAX_STALL_TICKS - 2 * PACKET_TICKS }),
      }),
      { minLength: 1, maxLength: 5 },
    );
    const drain = fc.constantFrom(0, 1, 16, 80);
    fc.assert(
      fc.property(stalls, fc.integer({ min: 160, max: 50_000 }), drain, (list, firstTick, drainTicks) => {
        let atTick = firstTick;
        const placed = list.map(({ flowTicks, ticks }) => {
          const stall = { atTick: atTick + flowTicks, ticks };
          atTick = stall.atTick + Math.ceil((ticks * PACKET_TICKS) / (PACKET_TICKS - drainTicks));
          return stall;
        });
        const count = Math.ceil((atTick - firstTick) / PACKET_TICKS) + 10;
        const stream = new Stream();
        play(stream, through(placed, count, firstTick, drainTicks));
        expect(stream.timeline.rebases).toBe(1);
        expect(stream.timeline.endTick).toBe(firstTick + (count - 1) * PACKET_TICKS);
        // Each is where its timestamp says, but for the millisecond that was stamped before it came.
        const audio = stream.ledger.pieces.filter(({ kind }) => kind === 'audio');
        expect(audio.map(({ to }) => to)).toEqual(
          Array.from({ length: count }, (_, n) => firstTick + n * PACKET_TICKS),
        );
        const long = placed.filter(({ ticks }) => ticks >= CLOCK_DELAY_US / 125);
        const gaps = stream.ledger.pieces.filter(({ kind, to }) => kind === 'gap' && to > firstTick);
        const lost = gaps.reduce((sum, { from, to }) => sum + to - from, 0);
        expect(lost).toBeLessThanOrEqual(long.length * HUSH_TICKS);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps what was held up longer, after what the clock has stamped', () => {
    const stream = new Stream();
    play(stream, through([{ atTick: 16_000, ticks: 80_000 }], 700, 160));
    const audio = stream.ledger.pieces.filter(({ kind }) => kind === 'audio');
    expect(audio.length).toBe(700);
    expect(stream.timeline.rebases).toBe(2);
  });

  it.each([0.7, 2, 4.9])(
    'puts a stream whose timestamps stood still for %s s where it arrives, after 80 ms of it',
    (seconds) => {
      const stream = new Stream();
      const pauseTicks = seconds * 8000;
      const arrivals = Array.from(
        { length: 60 },
        (_, n) => (n + 1) * PACKET_TICKS + (n < 30 ? 0 : pauseTicks),
      );
      play(stream, arrivals);
      expect(stream.timeline.rebases).toBe(2);
      expect(stream.timeline.endTick).toBe(60 * PACKET_TICKS + pauseTicks);
      const after = stream.ledger.pieces.filter(({ kind, to }) => kind === 'audio' && to > 30 * PACKET_TICKS);
      expect(after.filter(({ to }) => to <= 35 * PACKET_TICKS).length).toBe(4);
    },
  );

  it('does so too where the first packet after it brings no audio', () => {
    const stream = new Stream();
    const pauseTicks = 16_000;
    const sent = Array.from({ length: 60 }, (_, n) => n).filter((n) => n !== 30);
    play(
      stream,
      sent.map((n) => (n + 1) * PACKET_TICKS + (n < 30 ? 0 : pauseTicks)),
      (n) => sent[n]! * PACKET_TICKS,
    );
    expect(stream.timeline.rebases).toBe(2);
    expect(stream.timeline.endTick).toBe(60 * PACKET_TICKS + pauseTicks);
  });

  it('puts a stream whose timestamps stood still for longer after what the clock has stamped', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    stream.timeline.clock(usAt(64_000), usAt(160));
    stream.send(2, 160, 64_160);
    stream.send(3, 320, 64_320);
    expect(stream.ledger.spans.slice(-3)).toEqual([
      ['gap', 24_000, 64_000],
      ['audio', 64_000, 64_160],
      ['audio', 64_160, 64_320],
    ]);
  });
});
