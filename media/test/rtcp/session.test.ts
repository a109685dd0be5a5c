import { describe, expect, it } from 'vitest';
import { RtcpSession } from '../../src/leg/rtcp-session.ts';

const ZERO = { wallMs: Date.UTC(2026, 0, 1), monoUs: 1_000_000_000 };
const OURS = 0x0a0b0c0d;
const CONFIG = { mux: false, reducedSize: false, remote: null };

/** A sender report (RFC 3550 section 6.4.1) without blocks. @param atS seconds of the sender's wall clock */
function senderReport(ssrc: number, atS: number, timestamp: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16BE(0x80c8, 0);
  bytes.writeUInt16BE(6, 2);
  bytes.writeUInt32BE(ssrc, 4);
  bytes.writeUInt32BE(3_900_000_000 + Math.floor(atS), 8);
  bytes.writeUInt32BE(Math.round((atS % 1) * 2 ** 32), 12);
  bytes.writeUInt32BE(timestamp >>> 0, 16);
  return bytes;
}

/** BYE (RFC 3550 section 6.6). */
function bye(ssrc: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16BE(0x81cb, 0);
  bytes.writeUInt16BE(1, 2);
  bytes.writeUInt32BE(ssrc, 4);
  return bytes;
}

/** A session whose stream has sent one packet a second since 0. */
class Stream {
  readonly session = new RtcpSession(ZERO, CONFIG, ZERO.monoUs);
  nowUs = ZERO.monoUs;
  #extended = 0;

  packet(clockRate: number, timestamp: number): void {
    this.nowUs += 1e6;
    const restart = this.#extended === 0;
    const facts = { ssrc: OURS, extended: this.#extended++, timestamp, arrivalUs: this.nowUs, restart };
    this.session.statistics.update(facts, clockRate);
  }

  report(bytes: Buffer, port = 4001): void {
    this.session.receive(bytes, '192.0.2.7', port, this.nowUs);
  }

  /** Where our next report goes to. */
  target(): number | null {
    this.packet(8000, 0);
    this.nowUs += 60e6;
    return this.session.due(this.nowUs, null)?.port ?? null;
  }
}

describe('the RTCP of a channel', () => {
  it('believes what the source of its packets says, and nobody else', () => {
    const stream = new Stream();
    stream.packet(8000, 0);
    stream.report(senderReport(OURS + 1, 0, 0));
    stream.report(bye(OURS + 1));
    expect(stream.session.clock.known).toBe(false);
    expect(stream.session.left).toBe(false);
    stream.report(senderReport(OURS, 0, 0));
    stream.report(bye(OURS));
    expect(stream.session.clock.known).toBe(true);
    expect(stream.session.left).toBe(true);
  });

  it('sends its reports to where the source of its packets reports from, whoever else sends there', () => {
    const stream = new Stream();
    stream.packet(8000, 0);
    stream.report(senderReport(OURS, 0, 0), 4001);
    stream.report(senderReport(OURS + 1, 0, 0), 4666);
    expect(stream.target()).toBe(4001);
    stream.report(senderReport(OURS, 5, 40_000), 4003);
    expect(stream.target()).toBe(4003);
  });

  it('reads timestamps at the rate of the codec that is sent, not of the one that was preferred', () => {
    const stream = new Stream();
    // Opus was offered first, and G.711 is sent.
    for (let second = 0; second <= 20; second++) {
      stream.packet(8000, second * 8000);
      if (second % 5 === 0) stream.report(senderReport(OURS, second, second * 8000));
    }
    const { clock } = stream.session;
    expect((clock.ntpUsOf(24 * 8000)! - clock.ntpUsOf(20 * 8000)!) / 1e6).toBeCloseTo(4, 6);
    // And then Opus: nothing is known of its timestamps until it says.
    stream.packet(48_000, 1_000_000);
    expect(stream.session.clock.known).toBe(false);
    stream.report(senderReport(OURS, 25, 1_000_000));
    expect((clock.ntpUsOf(1_048_000)! - clock.ntpUsOf(1_000_000)!) / 1e6).toBeCloseTo(1, 6);
  });
});
