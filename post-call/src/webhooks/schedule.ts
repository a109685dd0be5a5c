const S = 1000;
const MIN = 60 * S;
const H = 60 * MIN;

/** Pauses before the tries of one delivery, as Standard Webhooks 1.0.0 proposes them. */
export const STANDARD_SCHEDULE_MS: readonly number[] = [
  0,
  5 * S,
  5 * MIN,
  30 * MIN,
  2 * H,
  5 * H,
  10 * H,
  14 * H,
  20 * H,
  24 * H,
];

/** Up to this share is added, so that receivers that came back are not hit by everybody at once. */
const JITTER = 0.1;
const MAX_RETRY_AFTER_MS = 24 * H;

/**
 * @param tries already made @param random 0..1 @param retryAfterMs what the receiver asked for, or null
 * @returns ms to the next try, or null when the schedule is spent
 */
export function pauseBefore(
  schedule: readonly number[],
  tries: number,
  random: number,
  retryAfterMs: number | null,
): number | null {
  const base = schedule[tries];
  if (base === undefined) return null;
  return Math.max(Math.round(base * (1 + JITTER * random)), Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
}

/** Retry-After (RFC 9110 section 10.2.3): seconds or a date. Null for anything else. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * S;
  if (!/^[A-Za-z]{3,9}, /.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
