import type { Log } from '@earshot/platform';

/** Counts of this worker's disk, read by the metrics once a second. */
export class DiskHealth {
  spoolBytes = 0;
  walBytes = 0;
  errors = 0;
  #failing = false;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The live path goes on from memory: one line when the disk begins to fail, one when it works again. */
  failed(error: Error): void {
    this.errors++;
    if (this.#failing) return;
    this.#failing = true;
    this.#log.error({ err: error }, 'spool cannot be written; live calls go on from memory');
  }

  worked(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#log.info('spool can be written again');
  }
}
