import { setTimeout as delay } from 'node:timers/promises';
import type { CallId } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { CallDocument } from '../document/call.ts';

/** Calls whose completion is logged, and calls nobody started, are forgotten after this much silence. */
const FORGET_COMPLETE_MS = 60_000;
const FORGET_UNKNOWN_MS = 600_000;
/** A look-up that is not answered within this time has failed. */
const LOOK_UP_LIMIT_MS = 5_000;
/** Pauses before it is tried again. After the last one the calls are taken for new. */
const RETRY_PAUSES_MS = [100, 500, 2_000];
/** Messages of one call that wait for its look-up. */
const WAITING_LIMIT = 10_000;

interface Entry {
  /** Null while the log is asked. */
  document: CallDocument | null;
  waiting: ((call: CallDocument) => void)[];
  /** Messages were dropped since the call is looked up. */
  dropping: boolean;
  lastUsedMs: number;
  /** The completion is in the log. */
  logged: boolean;
}

export interface DirectoryOptions {
  /** The documents of those calls that the log has. */
  readonly load: (callIds: readonly CallId[]) => Promise<CallDocument[]>;
  /** The log cannot be asked now: an unknown call is taken for a new one. */
  readonly down: () => boolean;
  readonly now: () => number;
  readonly lookUpLimitMs?: number;
  readonly log: Log;
}

/** The live documents by call. A call that is not here is looked up in the log before anything is done with it. */
export class CallDirectory {
  readonly #options: DirectoryOptions;
  readonly #entries = new Map<CallId, Entry>();
  #wanted: CallId[] = [];

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  adopt(documents: readonly CallDocument[]): void {
    for (const document of documents) this.#entries.set(document.callId, this.#entry(document));
  }

  /** Runs use with the call's document: at once when it is here, else after the look-up, in the order of asking. */
  with(callId: CallId, use: (call: CallDocument) => void): void {
    const entry = this.#find(callId);
    if (entry.document === null) entry.waiting.push(use);
    else use(entry.document);
  }

  /** As with(), for what is not the call's frame: when too much waits for the look-up, dropped is called instead. */
  withOrDrop(callId: CallId, use: (call: CallDocument) => void, dropped: () => void): void {
    const entry = this.#find(callId);
    if (entry.document !== null) use(entry.document);
    else if (entry.waiting.length < WAITING_LIMIT && !entry.dropping) entry.waiting.push(use);
    else {
      if (!entry.dropping) {
        this.#options.log.error(
          { callId, waiting: entry.waiting.length },
          'words dropped, call log not readable',
        );
      }
      entry.dropping = true;
      dropped();
    }
  }

  #find(callId: CallId): Entry {
    let entry = this.#entries.get(callId);
    if (entry === undefined) {
      entry = this.#entry(null);
      this.#entries.set(callId, entry);
      if (this.#wanted.push(callId) === 1) setImmediate(() => void this.#lookUp());
    }
    entry.lastUsedMs = this.#options.now();
    return entry;
  }

  /** The call's completion is in the log. */
  markLogged(callId: CallId): void {
    const entry = this.#entries.get(callId);
    if (entry !== undefined) entry.logged = true;
  }

  *documents(): Generator<CallDocument> {
    for (const { document } of this.#entries.values()) if (document !== null) yield document;
  }

  /** Forgets what is done with. @param forgotten is called for each call that goes */
  sweep(forgotten: (call: CallDocument) => void): void {
    const nowMs = this.#options.now();
    for (const [callId, { document, lastUsedMs, logged }] of this.#entries) {
      if (document === null) continue;
      const limitMs = logged ? FORGET_COMPLETE_MS : document.known ? Infinity : FORGET_UNKNOWN_MS;
      if (nowMs - lastUsedMs <= limitMs) continue;
      this.#entries.delete(callId);
      forgotten(document);
    }
  }

  #entry(document: CallDocument | null): Entry {
    const logged = document?.complete ?? false;
    return { document, waiting: [], dropping: false, lastUsedMs: this.#options.now(), logged };
  }

  async #lookUp(): Promise<void> {
    const callIds = this.#wanted;
    this.#wanted = [];
    const found = new Map((await this.#load(callIds)).map((document) => [document.callId, document]));
    for (const callId of callIds) {
      const entry = this.#entries.get(callId);
      if (entry === undefined) continue;
      const document = found.get(callId) ?? new CallDocument(callId);
      entry.document = document;
      entry.logged = document.complete;
      for (const use of entry.waiting.splice(0)) use(document);
    }
  }

  /**
   * Calls that are not complete were loaded at the start, so these are new, or long complete: when the log cannot be
   * read after some tries, or is known to be down, they are taken for new.
   */
  async #load(callIds: readonly CallId[]): Promise<CallDocument[]> {
    const calls = callIds.length;
    for (const pauseMs of [...RETRY_PAUSES_MS, null]) {
      if (this.#options.down()) return [];
      try {
        return await within(this.#options.lookUpLimitMs ?? LOOK_UP_LIMIT_MS, this.#options.load(callIds));
      } catch (error) {
        if (pauseMs === null) {
          this.#options.log.warn({ err: error, calls }, 'call log not readable, calls taken as new');
          return [];
        }
        this.#options.log.debug({ err: error, calls, pauseMs }, 'call log not readable, asked again');
        await delay(pauseMs);
      }
    }
    return [];
  }
}

/** @throws what the work throws, or an error when it takes longer; its outcome is of no interest then */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the database does not answer')), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
