const STEP_TICKS = 160;
const BINS = 20_000;

/**
 * How old audio is when a result that took it in is reported: a sample every 20 ms of each channel, in bins of 1 ms (the last bin
 * holds all that took longer).
 */
export class Latencies {
  readonly #bins = new Uint32Array(BINS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /**
   * The audio of (fromTick, toTick] was reported at nowMs. @param startMs when tick 0 was spoken
   * @param counts whether the audio that ends at a tick is to be counted
   */
  covered(
    startMs: number,
    fromTick: number,
    toTick: number,
    nowMs: number,
    counts: (tick: number) => boolean,
  ): void {
    let tick = (Math.floor(fromTick / STEP_TICKS) + 1) * STEP_TICKS;
    for (; tick <= toTick; tick += STEP_TICKS) if (counts(tick)) this.add(nowMs - startMs - tick / 8);
  }

  add(ms: number): void {
    const bin = Math.max(0, Math.min(BINS - 1, Math.round(ms)));
    this.#bins[bin] = this.#bins[bin]! + 1;
    this.#count++;
  }

  /** Milliseconds; null when there are none. @param share 0..1 */
  quantile(share: number): number | null {
    if (this.#count === 0) return null;
    let left = Math.max(1, Math.ceil(share * this.#count));
    for (let ms = 0; ms < BINS; ms++) {
      left -= this.#bins[ms]!;
      if (left <= 0) return ms;
    }
    return BINS;
  }

  summary(): LatencySummary {
    return {
      samples: this.#count,
      p50: this.quantile(0.5),
      p95: this.quantile(0.95),
      p99: this.quantile(0.99),
    };
  }
}

/** Milliseconds. */
export interface LatencySummary {
  readonly samples: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}
