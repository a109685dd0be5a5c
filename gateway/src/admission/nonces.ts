import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A challenge is good for so long; then the caller is told `stale` and answers a new one by itself. */
const LIFETIME_MS = 300_000;
/** Nonces in use that are remembered at most. What is forgotten is stale. */
const MOST_IN_USE = 10_000;
/** Requests that overtake each other on UDP: so many counts below the highest may come late. */
const LATE_COUNTS = 32;
const RANDOM_BYTES = 9;
const MAC_BYTES = 18;

interface Use {
  readonly madeAtMs: number;
  highest: number;
  /** Bit n: the count n below the highest came. */
  seen: number;
}

/**
 * Nonces that need no memory until they are used: what one says is signed. In use, the counts that came are remembered, so that
 * no request is taken twice (RFC 7616 section 3.4, nc). Time is in ms, monotonic.
 */
export class Nonces {
  readonly #key = randomBytes(32);
  /** By the order of their first use. */
  readonly #inUse = new Map<string, Use>();
  /** Nonces made before are stale: some of those that were in use had to be forgotten. */
  #goodFromMs = Number.NEGATIVE_INFINITY;

  make(nowMs: number): string {
    const body = Buffer.alloc(8 + RANDOM_BYTES);
    body.writeDoubleBE(nowMs, 0);
    randomBytes(RANDOM_BYTES).copy(body, 8);
    return Buffer.concat([body, this.#sign(body)]).toString('base64url');
  }

  /**
   * Counts a use. @param nc eight hex digits
   * @returns false when the nonce is not ours, too old, or was used with this count before
   */
  use(nonce: string, nc: string, nowMs: number): boolean {
    const madeAtMs = this.#madeAtMs(nonce);
    if (madeAtMs === null || madeAtMs < this.#goodFromMs || nowMs - madeAtMs > LIFETIME_MS) return false;
    const count = Number.parseInt(nc, 16);
    const use = this.#inUse.get(nonce);
    if (use !== undefined) return takeCount(use, count);
    if (count === 0) return false;
    this.#inUse.set(nonce, { madeAtMs, highest: count, seen: 1 });
    this.#forget(nowMs);
    return true;
  }

  #madeAtMs(nonce: string): number | null {
    const bytes = Buffer.from(nonce, 'base64url');
    const body = bytes.subarray(0, 8 + RANDOM_BYTES);
    const mac = bytes.subarray(8 + RANDOM_BYTES);
    if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.#sign(body))) return null;
    // Other texts may decode to the same bytes: they would count anew.
    return bytes.toString('base64url') === nonce ? body.readDoubleBE(0) : null;
  }

  #sign(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).digest().subarray(0, MAC_BYTES);
  }

  #forget(nowMs: number): void {
    for (const [nonce, { madeAtMs }] of this.#inUse) {
      const old = nowMs - madeAtMs > LIFETIME_MS;
      if (!old && this.#inUse.size <= MOST_IN_USE) return;
      this.#inUse.delete(nonce);
      if (!old) this.#goodFromMs = Math.max(this.#goodFromMs, madeAtMs + 1);
    }
  }
}

function takeCount(use: Use, count: number): boolean {
  const ahead = count - use.highest;
  if (ahead > 0) {
    use.seen = ahead >= LATE_COUNTS ? 1 : ((use.seen << ahead) | 1) >>> 0;
    use.highest = count;
    return true;
  }
  const bit = (1 << -ahead) >>> 0;
  if (count === 0 || -ahead >= LATE_COUNTS || (use.seen & bit) !== 0) return false;
  use.seen = (use.seen | bit) >>> 0;
  return true;
}
