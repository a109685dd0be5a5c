import type { CallId, ErrorCode, FromCalls } from '@earshot/contracts';
import type { Connection } from '@earshot/platform';

/** The gateway asks the media worker, writes its journal, and tells us: more than this is no answer. */
const LIMIT_MS = 5000;

export type PauseOutcome = { readonly done: true } | { readonly done: false; readonly code: ErrorCode };

interface Waiting {
  readonly callId: CallId;
  readonly paused: boolean;
  /** When the gateway was asked; null while an earlier wish about the call is not settled. */
  askedMs: number | null;
  readonly settled: (outcome: PauseOutcome) => void;
}

/**
 * Hands the wish to pause a call to the gateway, and hears from its `call.updated` that it is so. One at a time for each call: a wish
 * that is fulfilled while another is on its way would be undone by it.
 */
export class Pauses {
  readonly #gateways = new Set<Connection<unknown, FromCalls>>();
  readonly #now: () => number;
  #waiting: Waiting[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  connected(gateway: Connection<unknown, FromCalls>): void {
    this.#gateways.add(gateway);
  }

  lost(gateway: Connection<unknown, FromCalls>): void {
    this.#gateways.delete(gateway);
  }

  ask(callId: CallId, paused: boolean, settled: (outcome: PauseOutcome) => void): void {
    if (this.#gateways.size === 0) return settled({ done: false, code: 'NOT_READY' });
    this.#waiting.push({ callId, paused, askedMs: null, settled });
    this.#askNext(callId);
  }

  /** Somebody's wish about the call is not settled. */
  has(callId: CallId): boolean {
    return this.#waiting.some((wish) => wish.callId === callId);
  }

  /** The call is so, and it is in the log. */
  updated(callId: CallId, paused: boolean): void {
    this.#settle(
      (wish) => wish.callId === callId && wish.paused === paused && wish.askedMs !== null,
      () => ({ done: true }),
    );
  }

  /** The gateway could not do it: the call is as it was. */
  failed(callId: CallId, paused: boolean): void {
    this.#settle(
      (wish) => wish.callId === callId && wish.paused === paused && wish.askedMs !== null,
      () => ({ done: false, code: 'NOT_READY' }),
    );
  }

  /** The call has ended: nothing can be paused. */
  ended(callId: CallId): void {
    this.#settle(
      (wish) => wish.callId === callId,
      () => ({ done: false, code: 'CALL_NOT_LIVE' }),
    );
  }

  /** From time to time: gives up what was not answered. */
  sweep(): void {
    const now = this.#now();
    this.#settle(
      (wish) => wish.askedMs !== null && now - wish.askedMs > LIMIT_MS,
      () => ({ done: false, code: 'NOT_READY' }),
    );
  }

  #settle(which: (wish: Waiting) => boolean, outcome: () => PauseOutcome): void {
    if (this.#waiting.length === 0) return;
    const now = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((wish) => !now.includes(wish));
    for (const { settled } of now) settled(outcome());
    for (const callId of new Set(now.map((wish) => wish.callId))) this.#askNext(callId);
  }

  /** Asks for the oldest wish about the call, and for those that want the same right after it. */
  #askNext(callId: CallId): void {
    const about = this.#waiting.filter((wish) => wish.callId === callId);
    const [first] = about;
    if (first === undefined) return;
    const other = about.findIndex(({ paused }) => paused !== first.paused);
    const alike = about.slice(0, other === -1 ? undefined : other);
    const { paused, askedMs } = first;
    for (const wish of alike) wish.askedMs ??= askedMs ?? this.#now();
    if (askedMs !== null) return;
    for (const gateway of this.#gateways) gateway.send({ type: 'call.pause', callId, paused });
  }
}
