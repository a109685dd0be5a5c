/** How much of an engine's time is in use, over the last seconds. Time is passed in (ms, monotonic). */
const WINDOW_MS = 5000;
const SLICE_MS = 250;
const SLICES = WINDOW_MS / SLICE_MS;
/** Batches from this size on show what a row costs at full load. */
const FULL_LOAD_ROWS = 16;
const SMOOTHING = 0.05;

interface Slice {
  busySeconds: number;
  rows: number;
}

/**
 * Headroom from measured step times. A work-conserving engine is busy far before it is full, as small batches cost more a
 * row: so the demand is counted in rows, at what a row costs in a large batch. Only when channels wait longer than a chunk does
 * the share of busy time count.
 */
export class LoadMeter {
  readonly #slices: Slice[] = [];
  #sliceIndex: number;
  readonly #startMs: number;
  #rowSeconds: number;
  #waitingRows = 0;

  readonly #fullLoadRows: number;

  /**
   * @param rowSeconds seconds of a row in a large batch, as measured at start, maybe beside other work
   * @param largestBatch rows of the largest batch that is run
   */
  constructor(rowSeconds: number, nowMs: number, largestBatch: number) {
    this.#fullLoadRows = Math.min(FULL_LOAD_ROWS, largestBatch);
    this.#rowSeconds = rowSeconds;
    this.#startMs = nowMs;
    this.#sliceIndex = Math.floor(nowMs / SLICE_MS);
    for (let i = 0; i < SLICES; i++) this.#slices.push({ busySeconds: 0, rows: 0 });
  }

  /** @param waitingRows channels with a full chunk that found no place in the batch */
  step(nowMs: number, seconds: number, rows: number, size: number, waitingRows: number): void {
    this.#advance(nowMs);
    const slice = this.#slices[this.#sliceIndex % SLICES]!;
    slice.busySeconds += seconds;
    slice.rows += rows;
    this.#waitingRows = waitingRows;
    if (size >= this.#fullLoadRows) this.#rowSeconds += (seconds / size - this.#rowSeconds) * SMOOTHING;
  }

  /** Free share of the engine's capacity, 0..1. @param largestBatch rows of the largest batch */
  headroom(nowMs: number, largestBatch: number): number {
    this.#advance(nowMs);
    const seconds = Math.max(1, Math.min(WINDOW_MS, nowMs - this.#startMs) / 1000);
    let rows = 0;
    let busySeconds = 0;
    for (const slice of this.#slices) {
      rows += slice.rows;
      busySeconds += slice.busySeconds;
    }
    const demand = (rows / seconds) * this.#rowSeconds;
    const used = this.#waitingRows > largestBatch ? Math.max(demand, busySeconds / seconds) : demand;
    return Math.max(0, Math.min(1, 1 - used));
  }

  #advance(nowMs: number): void {
    const index = Math.floor(nowMs / SLICE_MS);
    for (let i = Math.max(this.#sliceIndex + 1, index - SLICES + 1); i <= index; i++) {
      const slice = this.#slices[i % SLICES]!;
      slice.busySeconds = 0;
      slice.rows = 0;
    }
    this.#sliceIndex = Math.max(this.#sliceIndex, index);
  }
}
