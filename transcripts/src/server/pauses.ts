import type { CallId, ErrorCode, FromCalls } from '@earshot/contracts';
import type { Connection } from '@earshot/platform';

/** The gateway asks the media worker, writes its journal, and tells us: more than this is no answer. */
const LIMIT_MS = 5000;

export type PauseOutcome = { readonly done: true } | { readonly done: false; readonly code: ErrorCode };

interface Waiting {
  readonly callId: CallId;
  readonly paused: boolean;
  readonly sinceMs: number;
  readonly settled: (outcome: PauseOutcome) => void;
}

/** Hands the wish to pause a call to the gateway, and hears from its `call.updated` that it is so. */
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
    this.#waiting.push({ callId, paused, sinceMs: this.#now(), settled });
    for (const gateway of this.#gateways) gateway.send({ type: 'call.pause', callId, paused });
  }

  /** The call is so, and it is in the log. */
  updated(callId: CallId, paused: boolean): void {
    this.#settle(
      (wish) => wish.callId === callId && wish.paused === paused,
      () => ({ done: true }),
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
      (wish) => now - wish.sinceMs > LIMIT_MS,
      () => ({ done: false, code: 'NOT_READY' }),
    );
  }

  #settle(which: (wish: Waiting) => boolean, outcome: () => PauseOutcome): void {
    if (this.#waiting.length === 0) return;
    const now = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((wish) => !now.includes(wish));
    for (const { settled } of now) settled(outcome());
  }
}
