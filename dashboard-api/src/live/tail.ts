import type { EventView } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { Database } from '../queries/database.ts';
import { listEvents, readLogState } from '../queries/events.ts';

export interface TailHandlers {
  /** Events that follow the last ones, in seq order. */
  events(events: readonly EventView[]): void;
  /** The database was restored from a backup: what was given out before may not be in the log any more. */
  restored(): void;
}

const PAGE = 500;
/** The fallback for a wake-up that never came: the bus is down, or another node wrote. */
const POLL_MS = 1000;

/**
 * Follows the event log. The one reader for all live clients of the process: woken by the bus, else it looks once a
 * second. The database is the truth; a wake-up carries no data.
 */
export class LogTail {
  readonly #db: Database;
  readonly #log: Log;
  readonly #handlers: TailHandlers;
  #epoch = 1;
  #seq = 0;
  #reading: Promise<void> | null = null;
  #again = false;
  #failing = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(db: Database, log: Log, handlers: TailHandlers) {
    this.#db = db;
    this.#log = log;
    this.#handlers = handlers;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Everything up to it was handed out. */
  get seq(): number {
    return this.#seq;
  }

  /** @throws EarshotError DATABASE_UNREACHABLE */
  async start(): Promise<void> {
    const state = await readLogState(this.#db);
    this.#epoch = state.epoch;
    this.#seq = state.seq;
    this.#timer = setInterval(() => this.wake(), POLL_MS);
  }

  /** There may be something new. Any number of calls while a read is under way make one more read. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#reading !== null) {
      this.#again = true;
      return;
    }
    this.#reading = this.#read().finally(() => {
      this.#reading = null;
      if (this.#again) {
        this.#again = false;
        this.wake();
      }
    });
  }

  /** Resolves when everything that was in the log at the call was handed out, or could not be read. */
  async refresh(): Promise<void> {
    this.wake();
    while (this.#reading !== null) await this.#reading;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      const state = await readLogState(this.#db);
      if (state.epoch !== this.#epoch || state.seq < this.#seq) {
        this.#epoch = state.epoch;
        this.#seq = state.seq;
        this.#handlers.restored();
      }
      while (this.#seq < state.seq && !this.#stopped) {
        const events = await listEvents(this.#db, { after: this.#seq, limit: PAGE });
        const last = events.at(-1);
        // The counter may run ahead of the rows that are left (a call was deleted): nothing follows up to there.
        this.#seq = last === undefined ? state.seq : last.seq;
        if (events.length > 0) this.#handlers.events(events);
      }
      if (this.#failing) this.#log.info('event log is readable again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ err: error }, 'event log cannot be read, trying on');
      this.#failing = true;
    }
  }
}
