import { monoUs } from '@earshot/contracts';
import { TraceBook, type SeenMessage, type TracedCall } from '../trace/book.ts';
import type { Announcer } from './announcer.ts';

/** Messages of a call that come within this time are told together, and die with this process. */
const GATHER_MS = 250;

/** Takes the SIP messages of the calls to transcripts, for their traces. */
export class Traces {
  readonly #book: TraceBook;
  readonly #announcer: Announcer;
  readonly #timer: NodeJS.Timeout;

  /** @param find the announced call that has a dialog, or null */
  constructor(announcer: Announcer, find: (dialogId: string) => TracedCall | null) {
    this.#book = new TraceBook(find);
    this.#announcer = announcer;
    this.#timer = setInterval(() => this.flush(), GATHER_MS);
  }

  take(message: SeenMessage): void {
    this.#book.take(message);
  }

  flush(): void {
    this.#book.flush(monoUs(), (callId, entries) => this.#announcer.trace(callId, entries));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
