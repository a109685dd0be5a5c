import type { ReportBlock } from './packets.ts';

/** The facts of a packet that count here; an RtpPacket has them. */
export interface ReceivedPacket {
  readonly ssrc: number;
  /** Sequence number with its cycles. */
  readonly extended: number;
  readonly timestamp: number;
  readonly arrivalUs: number;
  /** Its sequence begins anew: first packet, another SSRC, a jump that was confirmed. */
  readonly restart: boolean;
}

/** What is kept of a source's last sender report, for quoting it. */
export interface HeardSenderReport {
  readonly ssrc: number;
  readonly ntpMiddle: number;
  readonly arrivalUs: number;
}

/** Since the stream was opened, over changes of SSRC and restarts. */
export interface ReceptionTotals {
  readonly received: number;
  readonly expected: number;
  /** expected less received, not below 0. */
  readonly lost: number;
  /** Interarrival jitter (RFC 3550 section 6.4.1) of now, in milliseconds. */
  readonly jitterMs: number;
  /** Its highest value. */
  readonly maxJitterMs: number;
}

/** Larger differences of transit time are a jump of the sender's clock or a hold, not jitter. */
const MAX_TRANSIT_STEP_S = 5;

/** Loss (RFC 3550 A.3) and jitter (A.8) of one stream. Allocates nothing for a packet. */
export class ReceptionStatistics {
  #ssrc = -1;
  #base = 0;
  #highest = 0;
  #received = 0;
  #expectedPrior = 0;
  #receivedPrior = 0;
  /** Of the stretches before the present one. */
  #receivedBefore = 0;
  #expectedBefore = 0;
  #clockRate = 8000;
  #arrivalUs = 0;
  #timestamp = 0;
  /** In units of the timestamp. */
  #jitter = 0;
  #maxJitterS = 0;

  /** Whose packets are counted now; -1 before the first. */
  get ssrc(): number {
    return this.#ssrc;
  }
  /** Timestamp units a second of the last packet; 8000 before the first. */
  get clockRate(): number {
    return this.#clockRate;
  }

  /** The highest jitter so far, milliseconds. */
  get maxJitterMs(): number {
    return this.#maxJitterS * 1000;
  }

  /** Goes on from the highest jitter that a predecessor saw. */
  restore(maxJitterMs: number): void {
    this.#maxJitterS = maxJitterMs / 1000;
  }

  /** A packet of the stream, late and repeated ones too (RFC 3550 A.3 counts them). @param clockRate of its payload type */
  update(packet: ReceivedPacket, clockRate: number): void {
    const { extended } = packet;
    if (packet.ssrc !== this.#ssrc || packet.restart || clockRate !== this.#clockRate) {
      this.#begin(packet, clockRate);
    } else {
      if (extended < this.#base) this.#base = extended;
      if (extended > this.#highest) this.#highest = extended;
      this.#jitterOf(packet);
    }
    this.#received++;
    // Packets of one key press have one timestamp (RFC 4733): the first of them is the one that was in time.
    if (packet.timestamp === this.#timestamp && this.#received > 1) return;
    this.#arrivalUs = packet.arrivalUs;
    this.#timestamp = packet.timestamp;
  }

  #begin(packet: ReceivedPacket, clockRate: number): void {
    const sameStretch = packet.ssrc === this.#ssrc && !packet.restart;
    this.#clockRate = clockRate;
    this.#jitter = 0;
    // Another clock rate in the same sequence: only the jitter begins anew.
    if (sameStretch) {
      if (packet.extended > this.#highest) this.#highest = packet.extended;
      return;
    }
    if (this.#ssrc !== -1) {
      this.#expectedBefore += this.#expected;
      this.#receivedBefore += this.#received;
    }
    this.#ssrc = packet.ssrc;
    this.#base = packet.extended;
    this.#highest = packet.extended;
    this.#received = 0;
    this.#expectedPrior = 0;
    this.#receivedPrior = 0;
  }

  #jitterOf(packet: ReceivedPacket): void {
    const arrived = ((packet.arrivalUs - this.#arrivalUs) * this.#clockRate) / 1e6;
    const sent = (packet.timestamp - this.#timestamp) | 0;
    if (sent === 0) return;
    const step = Math.abs(arrived - sent);
    if (step > MAX_TRANSIT_STEP_S * this.#clockRate) return;
    this.#jitter += (step - this.#jitter) / 16;
    const seconds = this.#jitter / this.#clockRate;
    if (seconds > this.#maxJitterS) this.#maxJitterS = seconds;
  }

  get #expected(): number {
    return this.#ssrc === -1 ? 0 : this.#highest - this.#base + 1;
  }

  /**
   * The block of our next report, or null when nothing came since the last one (RFC 3550 section 6.4: such a source is left out).
   * @param senderReport the last that came; one of another SSRC is not quoted
   */
  report(nowUs: number, senderReport: HeardSenderReport | null): ReportBlock | null {
    const expected = this.#expected;
    const expectedSince = expected - this.#expectedPrior;
    const receivedSince = this.#received - this.#receivedPrior;
    if (this.#ssrc === -1 || receivedSince === 0) return null;
    this.#expectedPrior = expected;
    this.#receivedPrior = this.#received;
    const lostSince = Math.max(0, expectedSince - receivedSince);
    const heard = senderReport !== null && senderReport.ssrc === this.#ssrc ? senderReport : null;
    return {
      ssrc: this.#ssrc,
      fractionLost: expectedSince <= 0 ? 0 : Math.min(255, Math.floor((lostSince * 256) / expectedSince)),
      cumulativeLost: expected - this.#received,
      highest: this.#highest % 2 ** 32,
      jitter: Math.min(0xffffffff, Math.round(this.#jitter)),
      lastSenderReport: heard?.ntpMiddle ?? 0,
      delaySinceLastSenderReport:
        heard === null ? 0 : Math.min(0xffffffff, Math.round(((nowUs - heard.arrivalUs) * 65_536) / 1e6)),
    };
  }

  totals(): ReceptionTotals {
    const received = this.#receivedBefore + this.#received;
    const expected = this.#expectedBefore + this.#expected;
    return {
      received,
      expected,
      lost: Math.max(0, expected - received),
      jitterMs: (this.#jitter * 1000) / this.#clockRate,
      maxJitterMs: this.maxJitterMs,
    };
  }
}
