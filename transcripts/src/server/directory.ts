import type { CallId } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { CallDocument } from '../document/call.ts';

/** Calls whose completion is logged, and calls nobody started, are forgotten after this much silence. */
const FORGET_COMPLETE_MS = 60_000;
const FORGET_UNKNOWN_MS = 600_000;

interface Entry {
  /** Null while the log is asked. */
  document: CallDocument | null;
  waiting: ((call: CallDocument) => void)[];
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
    let entry = this.#entries.get(callId);
    if (entry === undefined) {
      entry = this.#entry(null);
      this.#entries.set(callId, entry);
      if (this.#wanted.push(callId) === 1) setImmediate(() => void this.#lookUp());
    }
    entry.lastUsedMs = this.#options.now();
    if (entry.document === null) entry.waiting.push(use);
    else use(entry.document);
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
    return { document, waiting: [], lastUsedMs: this.#options.now(), logged };
  }

  async #lookUp(): Promise<void> {
    const callIds = this.#wanted;
    this.#wanted = [];
    const found = new Map<CallId, CallDocument>();
    if (!this.#options.down()) {
      try {
        for (const document of await this.#options.load(callIds)) found.set(document.callId, document);
      } catch (error) {
        // Calls that are not complete were loaded at the start, so this one is new, or long complete.
        this.#options.log.warn(
          { err: error, calls: callIds.length },
          'call log not readable, calls taken as new',
        );
      }
    }
    for (const callId of callIds) {
      const entry = this.#entries.get(callId);
      if (entry === undefined) continue;
      const document = found.get(callId) ?? new CallDocument(callId);
      entry.document = document;
      entry.logged = document.complete;
      for (const use of entry.waiting.splice(0)) use(document);
    }
  }
}
