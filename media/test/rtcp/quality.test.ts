import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LossBursts } from '../../src/rtcp/bursts.ts';
import { delayImpairment, impairmentOf, quality } from '../../src/rtcp/e-model.ts';
import { ReceptionStatistics, type ReceivedPacket } from '../../src/rtcp/reception.ts';
import { SenderClock } from '../../src/rtcp/sender-clock.ts';

const packet = (n: number, extra: Partial<ReceivedPacket> = {}): ReceivedPacket => ({
  ssrc: 1,
  extended: 100 + n,
  timestamp: (n * 160) >>> 0,
  arrivalUs: n * 20_000,
  restart: n === 0,
  ...extra,
});

describe('reception of a stream', () => {
  it('counts what is expected and what came, whatever is lost, late or repeated', () => {
    const order = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(order, (copies) => {
        // Packet n is sent copies[n] - 1 times at its place, a 5 comes two places late.
        const sent = copies.flatMap((copy, n) =>
          copy === 0
            ? []
            : copy === 5
              ? [{ n, at: n + 2.5 }]
              : Array.from({ length: copy > 3 ? 2 : 1 }, () => ({ n, at: n })),
        );
        sent.sort((a, b) => a.at - b.at);
        const statistics = new ReceptionStatistics();
        for (const [i, { n }] of sent.entries()) {
          statistics.update(packet(n, { restart: i === 0 }), 8000);
        }
        if (sent.length === 0) return;
        const numbers = sent.map(({ n }) => n);
        const expected = Math.max(...numbers) - Math.min(...numbers) + 1;
        expect(statistics.totals()).toMatchObject({
          received: sent.length,
          expected,
          lost: Math.max(0, expected - sent.length),
        });
        const block = statistics.report(0, null)!;
        expect(block).toMatchObject({
          cumulativeLost: expected - sent.length,
          highest: 100 + Math.max(...numbers),
        });
        expect(block.fractionLost).toBe(Math.floor((Math.max(0, expected - sent.length) * 256) / expected));
      }),
    );
  });

  it('reports the loss since the last report, and nothing when nothing came', () => {
    const statistics = new ReceptionStatistics();
    expect(statistics.report(0, null)).toBeNull();
    for (let n = 0; n < 100; n++) statistics.update(packet(n), 8000);
    expect(statistics.report(0, null)).toMatchObject({ fractionLost: 0, cumulativeLost: 0 });
    for (let n = 100; n < 200; n++) if (n % 4 !== 1) statistics.update(packet(n), 8000);
    expect(statistics.report(0, null)).toMatchObject({ fractionLost: 64, cumulativeLost: 25, highest: 299 });
    expect(statistics.report(0, null)).toBeNull();
  });

  it('quotes the sender report of its own source, with the time since', () => {
    const statistics = new ReceptionStatistics();
    statistics.update(packet(0), 8000);
    const heard = { ssrc: 1, ntpMiddle: 0xabcd, arrivalUs: 1_000_000 };
    expect(statistics.report(3_500_000, heard)).toMatchObject({
      lastSenderReport: 0xabcd,
      delaySinceLastSenderReport: 2.5 * 65_536,
    });
    statistics.update(packet(1), 8000);
    expect(statistics.report(0, { ...heard, ssrc: 2 })).toMatchObject({
      lastSenderReport: 0,
      delaySinceLastSenderReport: 0,
    });
  });

  it('has the jitter of RFC 3550 A.8', () => {
    const jitters = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 2, maxLength: 100 });
    fc.assert(
      fc.property(jitters, fc.integer({ min: 0, max: 0xffffffff }), (delays, start) => {
        const statistics = new ReceptionStatistics();
        let expected = 0;
        let transit: number | null = null;
        for (const [n, delayUs] of delays.entries()) {
          const arrivalUs = n * 20_000 + delayUs;
          statistics.update(packet(n, { arrivalUs, timestamp: (start + n * 160) >>> 0 }), 8000);
          const now = arrivalUs / 125 - n * 160;
          if (transit !== null) expected += (Math.abs(now - transit) - expected) / 16;
          transit = now;
        }
        expect(statistics.totals().jitterMs).toBeCloseTo(expected / 8, 6);
        expect(statistics.report(0, null)!.jitter).toBe(Math.round(expected));
        expect(statistics.totals().maxJitterMs).toBeGreaterThan(statistics.totals().jitterMs - 1e-9);
      }),
    );
  });

  it('takes no key press and no hold for jitter', () => {
    const statistics = new ReceptionStatistics();
    for (let n = 0; n < 50; n++) statistics.update(packet(n), 8000);
    // Ten packets of one key press have its timestamp, 20 ms apart.
    for (let n = 50; n < 60; n++) statistics.update(packet(n, { timestamp: 50 * 160 }), 8000);
    for (let n = 60; n < 100; n++) statistics.update(packet(n), 8000);
    // Held for an hour in which the sender's timestamps stood still.
    for (let n = 100; n < 150; n++) statistics.update(packet(n, { arrivalUs: n * 20_000 + 3600e6 }), 8000);
    expect(statistics.totals()).toMatchObject({ jitterMs: 0, maxJitterMs: 0, lost: 0 });
  });

  it('goes on over a change of SSRC and a restart of the sequence', () => {
    const statistics = new ReceptionStatistics();
    for (let n = 0; n < 10; n++) if (n !== 5) statistics.update(packet(n), 8000);
    for (let n = 0; n < 10; n++) {
      if (n !== 5) statistics.update(packet(n, { ssrc: 2, extended: 60_000 + n, restart: n === 0 }), 8000);
    }
    for (let n = 0; n < 10; n++) {
      statistics.update(packet(n, { ssrc: 2, extended: 7 + n, restart: n === 0 }), 8000);
    }
    expect(statistics.totals()).toMatchObject({ received: 28, expected: 30, lost: 2 });
    expect(statistics.report(0, null)).toMatchObject({ ssrc: 2, cumulativeLost: 0, highest: 16 });
  });
});

describe('a sender clock', () => {
  /** A sender whose samples are fast by ppm, and whose NTP clock began at some time. */
  const sender = (options: { ppm?: number; start?: number; ntpAtZeroUs?: number; clockRate?: number }) => {
    const { ppm = 0, start = 1000, ntpAtZeroUs = 3.98e15, clockRate = 8000 } = options;
    const timestampAt = (us: number) =>
      (start + Math.round(((us * clockRate) / 1e6) * (1 + ppm / 1e6))) % 2 ** 32;
    return {
      timestampAt,
      reportAt: (us: number, offUs = 0) => ({
        ssrc: 1,
        ntpUs: ntpAtZeroUs + us + offUs,
        rtpTimestamp: timestampAt(us),
      }),
      ntpAtZeroUs,
    };
  };

  it('says when a sample was taken, over wraps of the timestamp and with a clock that is off', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -100, max: 100 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.constantFrom(8000, 48_000),
        (ppm, start, clockRate) => {
          const from = sender({ ppm, start, clockRate });
          const clock = new SenderClock(clockRate);
          for (let us = 0; us <= 300e6; us += 5e6) {
            expect(clock.update(from.reportAt(us), us + 3000)).not.toBe('ignored');
          }
          for (const us of [230e6, 299e6, 304e6]) {
            expect(Math.abs(clock.ntpUsOf(from.timestampAt(us))! - (from.ntpAtZeroUs + us))).toBeLessThan(
              300,
            );
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is not misled by a report that is off, follows a jump that a second one confirms, and a new SSRC at once', () => {
    const from = sender({});
    const clock = new SenderClock(8000);
    for (let us = 0; us <= 50e6; us += 5e6) clock.update(from.reportAt(us), us);
    const at = from.timestampAt(52e6);
    const before = clock.ntpUsOf(at);
    expect(clock.update(from.reportAt(55e6, 3600e6), 55e6)).toBe('ignored');
    expect(clock.ntpUsOf(at)).toBe(before);
    expect(clock.update(from.reportAt(60e6), 60e6)).toBe('taken');
    // The sender's wall clock is set by an hour.
    expect(clock.update(from.reportAt(65e6, 3600e6), 65e6)).toBe('ignored');
    expect(clock.update(from.reportAt(70e6, 3600e6), 70e6)).toBe('restarted');
    expect(clock.ntpUsOf(from.timestampAt(71e6))).toBe(from.ntpAtZeroUs + 71e6 + 3600e6);
    const other = sender({ start: 77 });
    expect(clock.update({ ...other.reportAt(75e6), ssrc: 2 }, 75e6)).toBe('restarted');
    expect(clock.ntpUsOf(other.timestampAt(76e6))).toBe(other.ntpAtZeroUs + 76e6);
  });

  it('begins anew when the timestamps count at another rate, and not when they count at the same', () => {
    const clock = new SenderClock(48_000);
    const before = sender({ clockRate: 48_000 });
    for (let us = 0; us <= 20e6; us += 5e6) clock.update(before.reportAt(us), us);
    clock.setRate(48_000);
    expect(clock.ntpUsOf(before.timestampAt(21e6))).toBe(before.ntpAtZeroUs + 21e6);
    clock.setRate(8000);
    expect(clock.known).toBe(false);
    const after = sender({ clockRate: 8000 });
    clock.update(after.reportAt(25e6), 25e6);
    expect(clock.ntpUsOf(after.timestampAt(27e6))).toBe(after.ntpAtZeroUs + 27e6);
  });

  it('evens out senders that round, and takes nothing from those without a wall clock', () => {
    const from = sender({});
    const clock = new SenderClock(8000);
    expect(clock.update({ ssrc: 1, ntpUs: 0, rtpTimestamp: 5 }, 0)).toBe('ignored');
    expect(clock.known).toBe(false);
    expect(clock.ntpUsOf(5)).toBeNull();
    for (let n = 0; n <= 30; n++) clock.update(from.reportAt(n * 5e6, n % 2 === 0 ? 20_000 : 0), n * 5e6);
    const off = clock.ntpUsOf(from.timestampAt(150e6))! - (from.ntpAtZeroUs + 150e6);
    expect(off).toBeGreaterThan(5000);
    expect(off).toBeLessThan(15_000);
    expect(clock.update(from.reportAt(150e6, 20_000), 151e6)).toBe('ignored');
  });

  it('aligns two channels of one machine, and none of two whose clocks differ', () => {
    const [left, right] = [sender({ start: 5 }), sender({ start: 4_000_000_000, ppm: 40 })];
    const [a, b] = [new SenderClock(8000), new SenderClock(8000)];
    for (let us = 0; us <= 60e6; us += 5e6) {
      a.update(left.reportAt(us), us + 2000);
      b.update(right.reportAt(us + 1e6), us + 1e6 + 9000);
    }
    expect(a.sharesClockWith(b)).toBe(true);
    const later = a.alignmentUs(left.timestampAt(60e6), b, right.timestampAt(60.5e6));
    expect(Math.abs(later! - 500_000)).toBeLessThan(300);
    const stranger = new SenderClock(8000);
    stranger.update({ ...right.reportAt(0), ntpUs: right.ntpAtZeroUs + 2e6 }, 0);
    expect(a.alignmentUs(0, stranger, 0)).toBeNull();
    expect(a.alignmentUs(0, new SenderClock(8000), 0)).toBeNull();
  });
});

describe('quality', () => {
  const of = (codec: string, lossRatio: number, delayMs = 0, burstRatio = 1) =>
    quality({ codec: impairmentOf(codec), lossRatio, delayMs, burstRatio });

  it('of G.711 is that of G.107: 93.2 and 4.41 at best, Bpl 25.1 with concealment', () => {
    expect(of('PCMU', 0).r).toBe(93.2);
    expect(of('pcma', 0).mos).toBeCloseTo(4.41, 2);
    // 95 · 5 / (5 + 25.1)
    expect(of('PCMU', 0.05).r).toBeCloseTo(93.2 - 15.78, 2);
    expect(of('PCMU', 0.05).mos).toBeCloseTo(3.92, 2);
    expect(
      quality({ codec: impairmentOf('PCMU', false), lossRatio: 0.05, delayMs: 0, burstRatio: 1 }).r,
    ).toBeCloseTo(93.2 - 51.08, 2);
  });

  it('falls with delay as G.107 has it: nothing at 100 ms, 24 at 400', () => {
    expect(delayImpairment(100)).toBe(0);
    expect(delayImpairment(150)).toBeCloseTo(0.16, 2);
    expect(delayImpairment(400)).toBeCloseTo(24.07, 2);
    expect(of('PCMU', 0, 400).r).toBeCloseTo(69.1, 1);
  });

  it('of wideband codecs is on their own scale and says where its numbers are from', () => {
    expect(of('G722', 0).r).toBe(116);
    expect(of('G722', 0).mos).toBeCloseTo(4.32, 1);
    expect(impairmentOf('opus')).toMatchObject({ scale: 'wideband', source: 'assumed' });
    expect(impairmentOf('PCMA').source).toBe('G.113');
    expect(impairmentOf('constructor')).toEqual(impairmentOf('PCMU'));
  });

  it('never rises with loss, bursts or delay, and stays between 1 and 4.5', () => {
    const ratio = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.constantFrom('PCMU', 'G722', 'opus'),
        ratio,
        ratio,
        fc.integer({ min: 0, max: 3000 }),
        fc.double({ min: 1, max: 20, noNaN: true }),
        (codec, loss, more, delayMs, bursts) => {
          const base = of(codec, loss, delayMs, bursts);
          expect(base.mos).toBeGreaterThanOrEqual(1);
          expect(base.mos).toBeLessThanOrEqual(4.5);
          expect(of(codec, loss, delayMs + 100, bursts).r).toBeLessThanOrEqual(base.r);
          expect(of(codec, loss, delayMs, bursts + 1).r).toBeLessThanOrEqual(base.r);
          expect(of(codec, Math.min(1, loss + more), delayMs, 1).r).toBeLessThanOrEqual(
            of(codec, loss, delayMs, 1).r,
          );
        },
      ),
    );
  });

  it('knows losses that come together from those by chance', () => {
    const chance = new LossBursts();
    for (let n = 0; n < 1000; n++) chance.played(n % 20 === 0 ? 1 : 0);
    expect(chance.lossRatio).toBeCloseTo(50 / 1050, 6);
    expect(chance.burstRatio).toBe(1);
    const bursts = new LossBursts();
    for (let n = 0; n < 1000; n++) bursts.played(n % 100 === 0 ? 5 : 0);
    expect(bursts.lossRatio).toBeCloseTo(50 / 1050, 6);
    expect(bursts.burstRatio).toBeCloseTo((5 * 1000) / 1050, 6);
  });
});
