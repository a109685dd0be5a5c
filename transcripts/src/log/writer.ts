import { setTimeout as delay } from 'node:timers/promises';
import type { Log, Pool } from '@earshot/platform';
import { type ChannelRow, DONE, type LogItem, type Outcome } from './items.ts';
import { type Committed, writeBatch } from './transaction.ts';

/** What arrives within this time goes into one transaction. */
const GATHER_MS = 20;
const MAX_BATCH_ITEMS = 4000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2000;
/** SQLSTATE classes of faults in the data itself: 22 data exception, 23 integrity constraint violation. */
const DATA_FAULT = /^2[23]/;

export interface WriterOptions {
  readonly pool: Pool;
  readonly log: Log;
  /** Monotonic clock, ms. */
  readonly now: () => number;
  /** Wall clock, ms since 1970: the timestamps of events. */
  readonly wallMs: () => number;
  /** Fences to write with a batch whose items these are, while `rest` items stay queued. */
  channelsFor(batch: readonly LogItem[]): readonly ChannelRow[];
  /** After each commit: what was written, and how long the transaction took. */
  committed(batch: Committed, channels: readonly ChannelRow[], seconds: number): void;
}

interface Queued {
  readonly item: LogItem;
  readonly settled: (outcome: Outcome) => void;
}

/**
 * The queue in front of the call log. Items are written in order, many to a transaction; while the database is down
 * they wait here and nothing is acknowledged. The bound is its users': they stop reading at a queue that is too long.
 */
export class LogWriter {
  readonly #options: WriterOptions;
  #queue: Queued[] = [];
  #dirty = false;
  #down = false;
  #closing = false;
  #batchLimit = MAX_BATCH_ITEMS;
  #wake: () => void = () => undefined;
  readonly #stopRetrying = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Items that wait for their commit. */
  get length(): number {
    return this.#queue.length;
  }

  /** The last transaction failed: what was accepted is not durable for now. */
  get down(): boolean {
    return this.#down;
  }

  /** @param settled is called once, after the commit or the refusal */
  add(item: LogItem, settled: (outcome: Outcome) => void = () => undefined): void {
    this.#queue.push({ item, settled });
    this.#wake();
  }

  /** Some channel's fence is to be written though no item came. */
  touch(): void {
    this.#dirty = true;
    this.#wake();
  }

  /** Writes what is queued, for at most limitMs; then gives up. @returns items left unwritten */
  async close(limitMs: number): Promise<number> {
    this.#closing = true;
    this.touch();
    const timer = setTimeout(() => this.#stopRetrying.abort(), limitMs);
    await this.#running;
    clearTimeout(timer);
    return this.#queue.length;
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#queue.length === 0 && !this.#dirty) {
        if (this.#closing) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      // The time in which a batch gathers; while a transaction ran the next one has gathered already.
      if (!this.#closing) await delay(GATHER_MS);
      let retryMs = FIRST_RETRY_MS;
      while (!(await this.#writeOnce())) {
        if (this.#stopRetrying.signal.aborted) return;
        await delay(retryMs, undefined, { signal: this.#stopRetrying.signal }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  /** One transaction over the head of the queue. @returns false when it is to be tried again after a pause */
  async #writeOnce(): Promise<boolean> {
    const batch = this.#queue.slice(0, this.#batchLimit);
    const items = batch.map(({ item }) => item);
    this.#dirty = false;
    const channels = this.#options.channelsFor(items);
    if (items.length === 0 && channels.length === 0) return true;
    const startedMs = this.#options.now();
    let committed: Committed;
    try {
      committed = await writeBatch(this.#options.pool, items, channels, new Date(this.#options.wallMs()));
    } catch (error) {
      this.#dirty = true;
      return this.#failed(error as Error & { code?: string }, batch);
    }
    if (this.#down) this.#options.log.info({ queued: this.#queue.length }, 'call log is written again');
    this.#down = false;
    this.#batchLimit = Math.min(MAX_BATCH_ITEMS, this.#batchLimit * 2);
    this.#queue.splice(0, batch.length);
    this.#options.committed(committed, channels, (this.#options.now() - startedMs) / 1000);
    for (const [i, queued] of batch.entries()) queued.settled(committed.outcomes[i] ?? DONE);
    return true;
  }

  /**
   * A fault in the data would block the log for ever: the batch is halved until the item at fault stands alone, and
   * that one is refused. Everything else is the database's state, and is waited for.
   */
  #failed(error: Error & { code?: string }, batch: readonly Queued[]): boolean {
    if (error.code !== undefined && DATA_FAULT.test(error.code) && batch.length > 0) {
      if (batch.length > 1) {
        this.#batchLimit = Math.ceil(batch.length / 2);
        return true;
      }
      const [poison] = this.#queue.splice(0, 1);
      this.#batchLimit = MAX_BATCH_ITEMS;
      const { kind, callId } = batch[0]!.item;
      this.#options.log.error({ err: error, kind, callId }, 'item cannot be written to the call log');
      poison?.settled({ done: false, code: 'INTERNAL' });
      return true;
    }
    if (!this.#down)
      this.#options.log.warn({ err: error, queued: this.#queue.length }, 'call log is not written');
    this.#down = true;
    return false;
  }
}
