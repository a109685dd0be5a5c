/** RFC 3550 section 6.2: no two reports come faster than this on average, and half of it before the first. */
const MINIMUM_MS = 5000;
/** A share of 5 % of the session's bandwidth is for RTCP, of which receivers have three quarters (section 6.2). */
const RTCP_SHARE = 0.05;
const RECEIVERS_SHARE = 0.75;
/** e - 3/2: makes up for what reconsideration would lengthen (RFC 3550 A.7). */
const COMPENSATION = Math.E - 1.5;

export interface ReportingSession {
  /** Those who are known to receive only, ourselves among them. */
  readonly receivers: number;
  /** Of the session's media, in bits a second: 64,000 for G.711. */
  readonly bandwidthBits: number;
  /** Mean size of RTCP datagrams with 28 bytes of IP and UDP; 120 is a good beginning. */
  readonly meanBytes: number;
  /** No report has been sent yet. */
  readonly first: boolean;
}

/**
 * How long to wait for the next report (RFC 3550 section 6.3.1), for one who only receives. In a telephone call the lower bound
 * of 5 s always holds; what varies is the random factor, which keeps many calls' reports from coming together.
 * @param random 0 to below 1
 * @returns milliseconds
 */
export function reportIntervalMs(session: ReportingSession, random: number): number {
  const minimum = session.first ? MINIMUM_MS / 2 : MINIMUM_MS;
  const bytesASecond = (session.bandwidthBits / 8) * RTCP_SHARE * RECEIVERS_SHARE;
  const fair = bytesASecond > 0 ? (session.receivers * session.meanBytes * 1000) / bytesASecond : 0;
  return (Math.max(minimum, fair) * (0.5 + random)) / COMPENSATION;
}
