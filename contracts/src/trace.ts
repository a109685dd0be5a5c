/**
 * The SIP messages of a call, as its trace keeps them: without secrets, and bounded. What the SIP server does by itself is not among
 * them: 100 Trying, messages that are sent or received again, the answers to a CANCEL.
 */
export interface TraceEntry {
  /** Microseconds from call zero. Rises within the call, which makes it the entry's name. */
  readonly atUs: number;
  /** `in`: the caller sent it. */
  readonly direction: 'in' | 'out';
  /** `udp`, `tcp` or `tls`; empty where nobody says. */
  readonly transport: string;
  /** Our address and port, or null where nobody says. */
  readonly local: string | null;
  /** The other side's. */
  readonly remote: string | null;
  /** Start line, headers and body as they were sent, secrets masked, at most TRACE_TEXT_CHARS. */
  readonly text: string;
  /** So many messages before this one and after the one before it were left out. */
  readonly omitted: number;
}

/** What is longer is cut, and says so at its end. */
export const TRACE_TEXT_CHARS = 16_384;
/** Of a call's messages these are kept, and what is between them is counted: how it began, and how it ended. */
export const TRACE_FIRST = 40;
export const TRACE_LAST = 60;
/** As long as the first ones together, and the last ones, may be at most: 256 kB in all. */
export const TRACE_FIRST_CHARS = 98_304;
export const TRACE_LAST_CHARS = 163_840;
