export interface SearchOptions {
  /** The first number that is tried, from 1. */
  readonly guess: number;
  /** No larger one is tried. */
  readonly most: number;
  /** By what the number is multiplied, or divided, until one holds and one does not; above 1. */
  readonly growth: number;
  /** The search ends when the smallest that did not hold is at most this share larger than the largest that held. */
  readonly precision: number;
}

export interface Tried<T> {
  readonly number: number;
  readonly holds: boolean;
  readonly report: T;
}

/**
 * The largest number for which something holds, where it holds for small ones and not for large ones: multiplication, then
 * bisection. Measured once a number, so a disturbance can make the result too small.
 * @returns the trial of that number; null when not even 1 holds
 */
export async function findLargest<T>(
  attempt: (number: number) => Promise<{ holds: boolean; report: T }>,
  { guess, most, growth, precision }: SearchOptions,
): Promise<Tried<T> | null> {
  let held: Tried<T> | null = null;
  let failed: number | null = null;
  let next = Math.max(1, Math.min(most, Math.round(guess)));
  for (;;) {
    const { holds, report } = await attempt(next);
    if (holds) held = { number: next, holds, report };
    else failed = next;
    const low = held?.number ?? 0;
    if (failed === null) {
      if (low >= most) return held;
      next = Math.min(most, Math.max(low + 1, Math.round(low * growth)));
    } else if (held === null) {
      if (failed <= 1) return null;
      next = Math.max(1, Math.min(failed - 1, Math.round(failed / growth)));
    } else {
      if (failed - low <= Math.max(1, low * precision)) return held;
      next = Math.max(low + 1, Math.min(failed - 1, Math.round((low + failed) / 2)));
    }
  }
}
