import { KeystreamCache } from './counter-mode.ts';
import { REPLAY_WINDOW, ReplayWindow } from './replay-window.ts';
import { estimateRollover, indexOf } from './rollover.ts';

/** So many packets in a row that are not authentic, and other roll-over counters are tried, one a packet. */
const SEARCH_AFTER = 8;
/** How far the search goes for a stream that was never heard: 1024 x 65,536 packets are 15 days of 20 ms. */
const SEARCH_UNHEARD = 1024;
/** For one that was heard and lost: forward only, or old packets could be replayed. 16 are 5.8 hours of silence. */
const SEARCH_HEARD = 16;
const MAX_ROLLOVER = 0xffffffff;

/** What is kept of one SSRC (RFC 3711 section 3.2.3). */
export class SrtpStream {
  readonly ssrc: number;
  readonly window = new ReplayWindow();
  readonly cache = new KeystreamCache();
  /** Arrival of its last authentic packet, monotonic microseconds. */
  heardUs = 0;
  /**
   * An authentic packet has shown that the roll-over counter is right. Until then (start, takeover, new keys) its neighbours
   * and 0 are tried too.
   */
  confirmed = false;
  /** The index of the last packet that is known of; -1: nothing is known. */
  #known = -1;
  #failures = 0;

  constructor(ssrc: number) {
    this.ssrc = ssrc;
  }

  /** Goes on from what a predecessor had: the packet with this index was its last. */
  restore(index: number): void {
    this.#known = index;
    this.doubt();
  }

  /** The roll-over counter may have changed, by what signalling said. */
  doubt(): void {
    this.confirmed = false;
    this.#failures = 0;
  }

  /** The indices that a packet of this sequence number may have, best first, into `into`. @returns how many */
  candidates(sequence: number, into: Float64Array): number {
    const estimate = this.#known === -1 ? 0 : estimateRollover(this.#known, sequence);
    let count = add(into, 0, estimate, sequence);
    if (!this.confirmed) {
      count = add(into, count, estimate + 1, sequence);
      count = add(into, count, estimate - 1, sequence);
      count = add(into, count, 0, sequence);
    }
    const searched = this.#failures - SEARCH_AFTER;
    if (searched < 0) return count;
    return this.confirmed
      ? add(into, count, estimate + 1 + (searched % SEARCH_HEARD), sequence)
      : add(into, count, searched % SEARCH_UNHEARD, sequence);
  }

  /** An authentic packet. @returns false when it had been taken before, or is too old to tell */
  take(index: number, arrivalUs: number): boolean {
    this.#failures = 0;
    if (!this.confirmed) {
      // An index far below: the sender began anew. One that is only a little lower was overtaken, and may be a replay.
      if (index <= this.window.highest - REPLAY_WINDOW) this.window.reset();
      this.#known = index;
      this.confirmed = true;
    }
    return this.note(index, arrivalUs);
  }

  /** As take, for a packet that says nothing of how the sender counts now: with keys of before, or from a log. */
  note(index: number, arrivalUs: number): boolean {
    if (!this.window.isNew(index)) return false;
    this.heardUs = arrivalUs;
    this.window.take(index);
    this.#known = Math.max(this.#known, this.window.highest);
    return true;
  }

  failed(): void {
    this.#failures++;
  }

  /** The roll-over counter of a recent packet, 32 bits. */
  rolloverOf(sequence: number): number {
    return this.#known === -1 ? 0 : Math.max(0, estimateRollover(this.#known, sequence));
  }
}

function add(into: Float64Array, count: number, rollover: number, sequence: number): number {
  if (rollover < 0 || rollover > MAX_ROLLOVER) return count;
  const index = indexOf(rollover, sequence);
  for (let i = 0; i < count; i++) if (into[i] === index) return count;
  into[count] = index;
  return count + 1;
}
