/** So many sender reports are looked at together: at 5 s each, 80 s. */
const WINDOW = 16;
/** A report that is off by more does not continue what was known. Senders round to a packet, some to 100 ms. */
const TOLERANCE_US = 150_000;
/** From here on the sender's true rate is taken from its reports, rather than the nominal one. */
const RATE_SPAN_US = 30_000_000;
/** Clocks of telephones are within 100 ppm; more is not a rate but noise. */
const MAX_RATE_ERROR = 500e-6;
/** Channels whose clocks are this close came from one machine, or from two in step (see sharesClockWith). */
const SAME_CLOCK_US = 100_000;

/** What of a sender report is of use here. */
export interface ClockReport {
  readonly ssrc: number;
  /** Microseconds since 1900; 0: the sender has no wall clock. */
  readonly ntpUs: number;
  readonly rtpTimestamp: number;
}

interface Point {
  readonly ntpUs: number;
  readonly timestamp: number;
  readonly arrivalUs: number;
}

/**
 * What instant a sender's RTP timestamps mean (RFC 3550 section 6.4.1): from its sender reports, to its NTP clock, to our
 * monotonic clock, and to other channels of the same sender. One for each channel; off the packet path.
 *
 * - A single report that does not fit is passed over; two that fit one another are a jump, and all begins anew.
 * - The offset is that of all reports in the window together, the rate the sender's own once they span 30 s.
 * - Our clock is joined by the report that travelled fastest.
 */
export class SenderClock {
  #clockRate: number;
  #ssrc = -1;
  #points: Point[] = [];
  #stray: Point | null = null;
  /** NTP microseconds for a unit of the timestamp. */
  #usPerUnit: number;
  /** Of the window's newest point, smoothed. */
  #originNtpUs = 0;
  #monoOffsetUs = 0;

  /** @param clockRate of the timestamps: 8000 for G.711 and for G.722 (RFC 3551 section 4.5.2), 48,000 for Opus */
  constructor(clockRate: number) {
    this.#clockRate = clockRate;
    this.#usPerUnit = 1e6 / clockRate;
  }

  /** The stream's timestamps count at this rate from now on: with another one than before, what is known of them is of no use. */
  setRate(clockRate: number): void {
    if (clockRate === this.#clockRate) return;
    this.#clockRate = clockRate;
    this.#usPerUnit = 1e6 / clockRate;
    this.#ssrc = -1;
    this.#points = [];
    this.#stray = null;
  }

  /** A sender report came. @returns what it did */
  update(report: ClockReport, arrivalUs: number): 'taken' | 'ignored' | 'restarted' {
    if (report.ntpUs === 0) return 'ignored';
    const point: Point = { ntpUs: report.ntpUs, timestamp: report.rtpTimestamp, arrivalUs };
    if (report.ssrc !== this.#ssrc) {
      this.#ssrc = report.ssrc;
      this.#restart([point]);
      return 'restarted';
    }
    const last = this.#points.at(-1)!;
    if (point.ntpUs === last.ntpUs && point.timestamp === last.timestamp) return 'ignored';
    if (this.#fits(last, point)) {
      this.#stray = null;
      // One that was overtaken by a later one says nothing new.
      if (point.ntpUs < last.ntpUs) return 'ignored';
      this.#points.push(point);
      if (this.#points.length > WINDOW) this.#points.shift();
      this.#fit();
      return 'taken';
    }
    const stray = this.#stray;
    this.#stray = point;
    if (stray === null || point.ntpUs <= stray.ntpUs || !this.#fits(stray, point)) return 'ignored';
    this.#restart([stray, point]);
    return 'restarted';
  }

  /** Whether anything can be said. */
  get known(): boolean {
    return this.#points.length > 0;
  }

  /** The sender's NTP time, microseconds since 1900, of a timestamp within 18 hours of the last report (48 kHz: 12). */
  ntpUsOf(timestamp: number): number | null {
    const last = this.#points.at(-1);
    if (last === undefined) return null;
    return Math.round(this.#originNtpUs + unitsBetween(last.timestamp, timestamp) * this.#usPerUnit);
  }

  /**
   * Whether both NTP clocks are one, as far as can be seen: the same canonical name says so too, but SBCs name each leg anew.
   * Reports of both come the same way, so that one clock is off from ours by the same for both.
   */
  sharesClockWith(other: SenderClock): boolean {
    return this.known && other.known && Math.abs(this.#monoOffsetUs - other.#monoOffsetUs) < SAME_CLOCK_US;
  }

  /**
   * How much later the other channel's sample was taken than this one's, microseconds; null where the clocks are not known to be
   * one.
   */
  alignmentUs(timestamp: number, other: SenderClock, otherTimestamp: number): number | null {
    if (!this.sharesClockWith(other)) return null;
    return other.ntpUsOf(otherTimestamp)! - this.ntpUsOf(timestamp)!;
  }

  #restart(points: Point[]): void {
    this.#points = points;
    this.#stray = null;
    this.#usPerUnit = 1e6 / this.#clockRate;
    this.#fit();
  }

  /** Whether the two are of one clock at the rate that is known. */
  #fits(from: Point, to: Point): boolean {
    const expectedUs = unitsBetween(from.timestamp, to.timestamp) * this.#usPerUnit;
    return Math.abs(to.ntpUs - from.ntpUs - expectedUs) <= TOLERANCE_US;
  }

  /** Least squares over the window: rate where the span allows, else only the offset. */
  #fit(): void {
    const last = this.#points.at(-1)!;
    const units = this.#points.map((point) => unitsBetween(last.timestamp, point.timestamp));
    const us = this.#points.map((point) => point.ntpUs - last.ntpUs);
    const meanUnits = mean(units);
    const meanUs = mean(us);
    if (last.ntpUs - this.#points[0]!.ntpUs >= RATE_SPAN_US) {
      let above = 0;
      let below = 0;
      for (const [i, unit] of units.entries()) {
        above += (unit - meanUnits) * (us[i]! - meanUs);
        below += (unit - meanUnits) ** 2;
      }
      const nominal = 1e6 / this.#clockRate;
      const rate = below === 0 ? nominal : above / below;
      if (Math.abs(rate / nominal - 1) <= MAX_RATE_ERROR) this.#usPerUnit = rate;
    }
    this.#originNtpUs = last.ntpUs + meanUs - meanUnits * this.#usPerUnit;
    this.#monoOffsetUs = Math.min(...this.#points.map((point) => point.arrivalUs - point.ntpUs));
  }
}

/** From one timestamp to another, over wraps: at most 2^31 either way. */
const unitsBetween = (from: number, to: number): number => (to - from) | 0;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
