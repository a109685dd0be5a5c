import { TICKS_PER_SECOND } from '@earshot/contracts';
import type { SenderClock } from '../rtcp/sender-clock.ts';
import type { Timeline } from '../timeline/timeline.ts';

/** Below this arrival was as good: 20 ms. */
const TOLERANCE_TICKS = 160;
/** More is no jitter of a first packet, but a clock that means something else. */
const MOST_TICKS = 2 * TICKS_PER_SECOND;

/** What is compared of a channel. */
export interface Aligned {
  readonly timeline: Pick<Timeline, 'anchor' | 'realign'>;
  readonly clock: SenderClock;
}

/**
 * Brings channels of one sender into step. Each was put on the timeline by the arrival of its first packet, which is as early or
 * late as the network had it; sender reports say what was said together (RFC 3550 section 6.4.1). The one that lies too
 * early is moved back, since what is stamped cannot be taken back.
 */
export function align(channels: readonly Aligned[]): void {
  for (const [i, one] of channels.entries()) {
    for (const other of channels.slice(i + 1)) {
      const late = lateness(one, other);
      if (late === null || Math.abs(late) < TOLERANCE_TICKS || Math.abs(late) > MOST_TICKS) continue;
      if (late > 0) other.timeline.realign(late);
      else one.timeline.realign(-late);
    }
  }
}

/** @returns by how many ticks `one` lies later than `other` for what was said together; null where that is not known */
function lateness(one: Aligned, other: Aligned): number | null {
  const a = one.timeline.anchor;
  const b = other.timeline.anchor;
  if (a === null || b === null) return null;
  const apartUs = one.clock.alignmentUs(a.timestamp, other.clock, b.timestamp);
  if (apartUs === null) return null;
  // The other's sample was taken so much later: that is where its tick belongs.
  return Math.round(a.tick + (apartUs * TICKS_PER_SECOND) / 1e6 - b.tick);
}
