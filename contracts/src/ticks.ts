/**
 * Time on a channel: ticks of 1/8000 s since call zero, whatever the codec (ARCHITECTURE.md, rule 1).
 * Call zero is the instant the gateway accepts the call's first INVITE. A tick is a safe integer: 2^53
 * ticks are 35,000 years.
 */
export const TICKS_PER_SECOND = 8000;
export const TICKS_PER_MS = 8;

export const msOfTick = (tick: number): number => Math.round(tick / TICKS_PER_MS);
export const tickOfMs = (ms: number): number => Math.round(ms * TICKS_PER_MS);

/** Call zero, in both clocks. Monotonic time is CLOCK_MONOTONIC, the same in all processes of a machine. */
export interface CallZero {
  /** Wall clock, ms since 1970. */
  readonly wallMs: number;
  /** `process.hrtime` in microseconds (a safe integer for 285 years of uptime). */
  readonly monoUs: number;
}

/** Now, in microseconds of the monotonic clock that CallZero uses. */
export const monoUs = (): number => Math.round(performanceNowUs());

function performanceNowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/** The tick of a monotonic instant on a call's timeline. May be negative before call zero. */
export const tickAt = (zero: CallZero, atMonoUs: number): number =>
  Math.round(((atMonoUs - zero.monoUs) * TICKS_PER_SECOND) / 1e6);

/** The monotonic instant (microseconds) of a tick. */
export const monoUsAt = (zero: CallZero, tick: number): number =>
  zero.monoUs + (tick * 1e6) / TICKS_PER_SECOND;
