import { expect, test } from 'vitest';
import { align } from '../src/leg/alignment.ts';
import { SenderClock } from '../src/rtcp/sender-clock.ts';
import { ClockDrift } from '../src/timeline/clock-drift.ts';

/** A sender that began both streams at NTP second 1000, with reports over a minute. */
function clockOf(firstTimestamp: number, offsetUs = 0): SenderClock {
  const clock = new SenderClock(8000);
  for (let s = 0; s <= 60; s += 5) {
    const ntpUs = 1000e6 + s * 1e6 + offsetUs;
    clock.update({ ssrc: 7, ntpUs, rtpTimestamp: (firstTimestamp + s * 8000) >>> 0 }, ntpUs - 990e6);
  }
  return clock;
}

const channel = (clock: SenderClock, timestamp: number, tick: number) => {
  const moved: number[] = [];
  const timeline = { anchor: { timestamp, tick }, realign: (ticks: number) => moved.push(ticks) };
  return { clock, timeline, moved };
};

test('the channel that lies too early is moved back by what the reports say, and the other one is left alone', () => {
  const one = channel(clockOf(100), 100 + 40 * 8000, 500_000);
  // Its sample at the same instant lies 100 ms earlier on the timeline.
  const other = channel(clockOf(4_294_967_000), (4_294_967_000 + 40 * 8000) >>> 0, 499_200);
  align([one, other]);
  expect(one.moved).toEqual([]);
  expect(other.moved).toEqual([800]);
  align([other, one]);
  expect(one.moved).toEqual([]);
  expect(other.moved).toEqual([800, 800]);
});

test('channels in step, of different clocks, or without reports are left alone', () => {
  const one = channel(clockOf(0), 40 * 8000, 500_000);
  const inStep = channel(clockOf(80_000), 80_000 + 40 * 8000, 500_100);
  const stranger = channel(clockOf(0, 5e6), 40 * 8000, 400_000);
  const silent = channel(new SenderClock(8000), 0, 1);
  align([one, inStep, stranger, silent]);
  for (const each of [one, inStep, stranger, silent]) expect(each.moved).toEqual([]);
});

test('a move that was ordered is not taken back as drift', () => {
  const drift = new ClockDrift();
  let tick = 0;
  let shift = 0;
  for (let n = 0; n < 3000; n++) {
    tick += 160;
    drift.packet(100 - shift, tick + shift);
    if (n === 1500) drift.realign(400);
    if (drift.pending !== 0) {
      shift += drift.pending;
      drift.corrected(drift.pending);
    }
  }
  expect(shift).toBe(400);
});
