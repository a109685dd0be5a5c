/** A session timer that was agreed on (RFC 4028). */
export interface SessionTimer {
  /** The session is over so long after its last refresh, seconds. */
  readonly intervalS: number;
  /** Who is to refresh. */
  readonly refresher: 'us' | 'peer';
  /** When it was refreshed or agreed on, milliseconds of the monotonic clock that all processes of a machine share. */
  readonly refreshedAtMs: number;
  /** The peer takes UPDATE (RFC 3311), which needs no SDP; else a re-INVITE refreshes. */
  readonly takesUpdate: boolean;
}

/** Section 10: a session ends so long before its interval is over, or a third of it where that is less. */
const MARGIN_S = 32;

/** What a session timer wants at an instant, and `wait` where it wants nothing. */
export type TimerStep = 'wait' | 'refresh' | 'expire';

/** @param nowMs of the clock of refreshedAtMs */
export function timerStep(timer: SessionTimer, nowMs: number): TimerStep {
  const { intervalS, refresher, refreshedAtMs } = timer;
  const ageS = (nowMs - refreshedAtMs) / 1000;
  if (ageS >= intervalS - Math.min(MARGIN_S, intervalS / 3)) return 'expire';
  // Section 7.2: at half the interval, so that there is time to try again.
  return refresher === 'us' && ageS >= intervalS / 2 ? 'refresh' : 'wait';
}
