const SEQUENCES = 0x10000;
const HALF = 0x8000;

/**
 * The roll-over counter that belongs to a sequence number, from the highest index so far (RFC 3711 appendix A): the one that
 * brings it closest. May be -1 (before the first packet) and 2^32 (beyond the last): not to be used then.
 * @param highest 48-bit index
 */
export function estimateRollover(highest: number, sequence: number): number {
  const rollover = Math.floor(highest / SEQUENCES);
  const last = highest % SEQUENCES;
  if (last < HALF) return sequence - last > HALF ? rollover - 1 : rollover;
  return last - HALF > sequence ? rollover + 1 : rollover;
}

export const indexOf = (rollover: number, sequence: number): number => rollover * SEQUENCES + sequence;
