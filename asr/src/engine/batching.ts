/** What a batch is made of. */
export interface BatchPlan {
  readonly live: number;
  readonly catchUp: number;
  /** Rows that are run: one of the sizes, at least live + catchUp. */
  readonly size: number;
}

/** Share of a batch's rows that catch-up channels get while more live ones wait than it can take (ARCHITECTURE.md, Processes). */
const CATCH_UP_SHARE = 0.25;
/** A batch is padded up to the next size when at least this share of its rows is in use; otherwise it is cut. */
const FILL = 0.75;

/**
 * Chooses the next batch of those that wait now (whether to wait for more is decided in waiting.ts), and wastes few rows: 33
 * waiting channels run as 32 and 1, 50 as 64.
 * @param waitingLive channels with a full chunk @param waitingCatchUp likewise, of lower priority
 * @param sizes ascending, beginning with 1
 * @param mostCatchUp rows of a batch without live channels: its length is what a live chunk that comes next waits for
 */
export function planBatch(
  waitingLive: number,
  waitingCatchUp: number,
  sizes: readonly number[],
  mostCatchUp: number = sizes.at(-1) ?? 1,
): BatchPlan | null {
  if (waitingLive + waitingCatchUp === 0) return null;
  const most = sizes.at(-1) ?? 1;
  let live = Math.min(waitingLive, most);
  let catchUp = Math.min(waitingCatchUp, live === 0 ? Math.min(most, mostCatchUp) : most);
  const reserved = Math.min(catchUp, Math.max(1, Math.floor(most * CATCH_UP_SHARE)));
  if (live > 0 && catchUp > 0 && live <= most - reserved) {
    // All that is live goes. With what fills the batch up it takes no longer than one of catch-up channels alone may.
    const share = Math.floor((live * CATCH_UP_SHARE) / (1 - CATCH_UP_SHARE));
    const free = Math.min(most, mostCatchUp) - live;
    catchUp = Math.min(catchUp, most - live, Math.max(share, free));
  } else if (live > 0 && catchUp > 0) {
    live = Math.min(live, Math.max(1, most - reserved));
    const share = Math.floor((live * CATCH_UP_SHARE) / (1 - CATCH_UP_SHARE));
    catchUp = Math.min(reserved, share, most - live);
  }
  const rows = live + catchUp;
  const up = sizes.find((size) => size >= rows) ?? most;
  const size = rows >= up * FILL ? up : (sizes.findLast((candidate) => candidate <= rows) ?? up);
  // A batch that is cut leaves catch-up rows behind first.
  const keptLive = Math.min(live, size);
  return { live: keptLive, catchUp: Math.min(catchUp, size - keptLive), size };
}

/** A step may last this share of a chunk: what comes while it runs then waits for less than a chunk. */
const STEP_SHARE = 0.5;

/** A larger batch that costs this much more a row than a smaller one is of no use. */
const ROW_TOLERANCE = 1.05;

/**
 * The batch sizes that a model gains from: of a large one, 64 channels together take longer than their audio lasts, and fall out
 * of the cache (a Zipformer2 of 23M parameters carried 28 channels a core in batches of 8 and 11 in batches of 64).
 * @param secondsBySize of a full step of each size, as measured at start
 * @returns ascending; the smallest is always among them
 */
export function sizesInTime(
  sizes: readonly number[],
  secondsBySize: ReadonlyMap<number, number>,
  chunkSeconds: number,
): readonly number[] {
  const limit = STEP_SHARE * chunkSeconds;
  const inTime = sizes.filter((size, at) => at === 0 || (secondsBySize.get(size) ?? Infinity) <= limit);
  const perRow = (size: number): number => (secondsBySize.get(size) ?? Infinity) / size;
  const best = Math.min(...inTime.map(perRow));
  const last = inTime.findLastIndex((size) => perRow(size) <= best * ROW_TOLERANCE);
  return inTime.slice(0, Math.max(0, last) + 1);
}

/**
 * Channels of unbroken speech that a model carries in its largest batches: a whole number, and 1 for a model that is slower than
 * speech. Media workers divide by it where they place channels.
 * @param sizes ascending @param secondsBySize of a full step of each size, as measured at start
 */
export function capacityOf(
  sizes: readonly number[],
  secondsBySize: ReadonlyMap<number, number>,
  chunkSeconds: number,
): number {
  const largest = sizes.at(-1) ?? 1;
  return Math.max(1, Math.floor((chunkSeconds * largest) / (secondsBySize.get(largest) ?? Infinity)));
}
