import type { RefusalReason } from './protocol.ts';

const FIRST_PAUSE_MS: Readonly<Record<RefusalReason, number>> = {
  link: 500,
  // Speechmatics asks for 5 to 10 s at least before a connection over the quota is tried again.
  full: 7000,
  // Only people can mend these; one attempt a minute sees that they have.
  key: 60_000,
  settings: 60_000,
};
const LAST_PAUSE_MS: Readonly<Record<RefusalReason, number>> = {
  link: 15_000,
  full: 60_000,
  key: 600_000,
  settings: 600_000,
};
/** Openings under way at once: a hundred channels that come back together are not a hundred handshakes together. */
const MOST_OPENING = 16;

/**
 * When a connection to the server may be opened, over all channels of the process. After a failure one attempt at a time, with a
 * growing pause; after a success all that wait. Time is passed in, monotonic ms.
 */
export class DialGate {
  readonly #random: () => number;
  #opening = 0;
  #healthy = false;
  #pauseMs = 0;
  #notBeforeMs = -Infinity;
  #reason: RefusalReason | null = null;

  /** @param random 0..1, spreads the attempts of several engines */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** The last attempt that ended, if any, was a success. */
  get healthy(): boolean {
    return this.#healthy;
  }

  get reason(): RefusalReason | null {
    return this.#reason;
  }

  get opening(): number {
    return this.#opening;
  }

  may(nowMs: number): boolean {
    return this.#opening < (this.#healthy ? MOST_OPENING : 1) && nowMs >= this.#notBeforeMs;
  }

  began(): void {
    this.#opening++;
  }

  /** An opening ended without a verdict: nobody wants it any more. */
  abandoned(): void {
    this.#opening--;
  }

  succeeded(): void {
    this.#opening--;
    this.#healthy = true;
    this.#reason = null;
    this.#pauseMs = 0;
    this.#notBeforeMs = -Infinity;
  }

  /** @param opening it failed before audio could be sent; otherwise soon after */
  failed(nowMs: number, reason: RefusalReason, opening: boolean): void {
    if (opening) this.#opening--;
    const again = this.#reason === reason;
    // Openings that were under way together fail together: they count once.
    if (again && nowMs < this.#notBeforeMs) return;
    this.#healthy = false;
    this.#pauseMs = again ? Math.min(2 * this.#pauseMs, LAST_PAUSE_MS[reason]) : FIRST_PAUSE_MS[reason];
    this.#reason = reason;
    this.#notBeforeMs = nowMs + this.#pauseMs * (0.75 + 0.25 * this.#random());
  }
}
