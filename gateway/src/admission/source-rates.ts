/** Sources that are remembered at most. SIP_ALLOW keeps the world out; this keeps its own networks from filling the memory. */
const MOST_SOURCES = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export interface Rate {
  readonly perSecond: number;
  /** Tokens of a full bucket: so many may come at once. */
  readonly burst: number;
}

/** A token bucket for each source address. Time is in ms, monotonic. */
export class SourceRates {
  readonly #rate: Rate;
  /** The one that was used longest ago first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes a token. @returns 0, or the ms until there is one */
  take(source: string, nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    const bucket = this.#buckets.get(source) ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    this.#forgetOldest();
    if (bucket.tokens < 1) return ((1 - bucket.tokens) / perSecond) * 1000;
    bucket.tokens -= 1;
    return 0;
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= MOST_SOURCES) return;
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
