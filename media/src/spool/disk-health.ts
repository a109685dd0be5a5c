import type { Log } from '@earshot/platform';

/** One folder may fail while others work: it is good news only after a while without an error. */
const QUIET_MS = 10_000;

/** Counts of this worker's disk, read by the metrics once a second. */
export class DiskHealth {
  spoolBytes = 0;
  walBytes = 0;
  errors = 0;
  /** Reads of spool files that were tried again. */
  readRetries = 0;
  #failing = false;
  #lastErrorMs = 0;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The live path goes on from memory: one line when the disk begins to fail, one when it works again. */
  failed(error: Error): void {
    this.errors++;
    this.#lastErrorMs = performance.now();
    if (this.#failing) return;
    this.#failing = true;
    this.#log.error({ err: error }, 'spool cannot be written; live calls go on from memory');
  }

  worked(): void {
    if (!this.#failing || performance.now() - this.#lastErrorMs < QUIET_MS) return;
    this.#failing = false;
    this.#log.info('spool can be written again');
  }
}
