import { type BatchPlan, planBatch } from './batching.ts';
import { WaitingLine } from './waiting-line.ts';

/**
 * A batch of fewer than ENOUGH_ROWS live channels is held back for others, this long after its first chunk is complete. Media
 * workers send in turns of 20 ms, so this is where the next ones come from. Measured with the first shipped model (fp32), paced
 * unbroken speech from one media worker, channels per core: 297 without and 331 with it at 100 channels, 391 and 434 at
 * 200, 425 and 507 at 300; the result of a chunk comes 20 ms later. 10 ms gained nothing, 40 ms little more.
 */
const GATHER_MS = 20;
const ENOUGH_ROWS = 32;
/** A batch of catch-up channels alone lasts at most this share of a chunk: live audio that comes meanwhile waits for it. */
const CATCH_UP_STEP_SHARE = 0.25;

export interface WaitingOptions {
  /** Of batches, ascending, beginning with 1. */
  readonly sizes: readonly number[];
  /** Seconds of a step of each size. */
  readonly secondsBySize: ReadonlyMap<number, number>;
  /** Of a step's audio. */
  readonly chunkSeconds: number;
  /** Instead of GATHER_MS. */
  readonly gatherMs?: number | undefined;
}

export interface Batch<T> {
  readonly plan: BatchPlan;
  /** The plan's live ones, then those that catch up. */
  readonly items: readonly T[];
  /** Since when each waited, ms. */
  readonly sinceMs: readonly number[];
}

/** Those with a complete chunk that wait for a batch. Time is passed in (ms, monotonic). */
export class Waiting<T> {
  readonly #live = new WaitingLine<T>();
  readonly #catchUp = new WaitingLine<T>();
  readonly #sizes: readonly number[];
  readonly #gatherMs: number;
  readonly #mostCatchUp: number;
  #hurry = false;

  constructor({ sizes, secondsBySize, chunkSeconds, gatherMs }: WaitingOptions) {
    this.#sizes = sizes;
    this.#gatherMs = gatherMs ?? GATHER_MS;
    const longest = chunkSeconds * CATCH_UP_STEP_SHARE;
    this.#mostCatchUp = sizes.findLast((size) => (secondsBySize.get(size) ?? 0) <= longest) ?? 1;
  }

  get live(): number {
    return this.#live.length;
  }

  get catchUp(): number {
    return this.#catchUp.length;
  }

  get count(): number {
    return this.#live.length + this.#catchUp.length;
  }

  push(item: T, isLive: boolean, nowMs: number): void {
    (isLive ? this.#live : this.#catchUp).push(item, nowMs);
  }

  remove(item: T): void {
    this.#live.remove(item);
    this.#catchUp.remove(item);
  }

  /** Somebody who waits has more than one chunk: the next batch is not held back. */
  hurry(): void {
    this.#hurry = true;
  }

  /** How long (ms) the next batch is held back for others to join it. Nobody who is behind waits. */
  holdMs(nowMs: number): number {
    if (this.#hurry || this.#catchUp.length > 0) return 0;
    if (this.#live.length === 0 || this.#live.length >= ENOUGH_ROWS) return 0;
    return Math.max(0, this.#live.oldestMs + this.#gatherMs - nowMs);
  }

  /** Takes the next batch out; null when nobody waits. */
  take(): Batch<T> | null {
    const plan = planBatch(this.#live.length, this.#catchUp.length, this.#sizes, this.#mostCatchUp);
    if (plan === null) return null;
    this.#hurry = false;
    const items: T[] = [];
    const sinceMs: number[] = [];
    this.#live.take(plan.live, items, sinceMs);
    this.#catchUp.take(plan.catchUp, items, sinceMs);
    return { plan, items, sinceMs };
  }
}
