/** How much was said lately: new words in buckets of two seconds over the last minute, for each lane. */
export const BUCKETS = 30;
const BUCKET_MS = 2000;

export class Activity {
  readonly #words: Uint16Array = new Uint16Array(BUCKETS);
  /** The number of the newest bucket since 1970. */
  #newest = 0;

  /** @param nowMs any clock, as long as it is always the same */
  add(words: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#words[this.#newest % BUCKETS]! += words;
  }

  /** Oldest first. */
  levels(nowMs: number): number[] {
    this.#advance(nowMs);
    return Array.from({ length: BUCKETS }, (_, index) => this.#words[(this.#newest + 1 + index) % BUCKETS]!);
  }

  #advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const first = Math.max(this.#newest + 1, bucket - BUCKETS + 1);
    for (let passed = first; passed <= bucket; passed++) this.#words[passed % BUCKETS] = 0;
    this.#newest = Math.max(this.#newest, bucket);
  }
}
