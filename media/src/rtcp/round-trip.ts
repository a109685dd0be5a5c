/** Longer is not a round trip but a clock that jumped, or a report that quotes somebody else's. */
const MAX_US = 60_000_000;
const WORD = 2 ** 32;

/**
 * The round trip that a report about us shows (RFC 3550 section 6.4.1), or an answer to our reference time (RFC 3611 section 4.5):
 * the time from ours to its arrival, less what it lay there.
 * @param arrivalMiddle the arrival, as ntpMiddleOf gives it, of the clock that was sent
 * @param quoted the middle 32 bits of the time that we had sent; 0: none was quoted
 * @param delay since it came there, in 1/65536 s
 * @returns microseconds, or null where nothing can be said
 */
export function roundTripUs(arrivalMiddle: number, quoted: number, delay: number): number | null {
  if (quoted === 0) return null;
  const units = (arrivalMiddle - quoted - delay + 2 * WORD) % WORD;
  // A little below 0: clocks and rounding, on a network without delay.
  const signed = units > WORD - 65_536 ? 0 : units;
  const us = Math.round((signed * 1e6) / 65_536);
  return us <= MAX_US ? us : null;
}
