import { randomUUID } from 'node:crypto';
import type { SipRequest } from '../parse/message.ts';
import { isReliable, type Flow, type Target } from '../transport/flow.ts';
import { GIVE_UP_MS, T1_MS, T2_MS, T4_MS, type Timers } from '../timers.ts';

/** `accepted` is RFC 6026: an INVITE answered with a 2xx, whose repeats the dialog sends. */
export type ServerState = 'trying' | 'proceeding' | 'completed' | 'accepted' | 'confirmed' | 'terminated';

/** What a server transaction needs of its surroundings. */
export interface ServerEnvironment {
  readonly timers: Timers;
  send(bytes: Buffer, target: Target): void;
  retransmitted(): void;
  terminated(transaction: ServerTransaction): void;
}

/**
 * An INVITE or non-INVITE server transaction (RFC 3261 section 17.2, RFC 6026). Its `id` is the transaction id
 * that the application sees.
 */
export class ServerTransaction {
  readonly id: string = randomUUID();
  readonly key: string;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly target: Target;
  /** Tag that goes into the To of every response but 100. */
  toTag: string | undefined;
  readonly #environment: ServerEnvironment;
  #state: ServerState = 'trying';
  #last: Buffer | undefined;
  #cancelRepeat: (() => void) | undefined;
  #cancelEnd: (() => void) | undefined;

  constructor(key: string, request: SipRequest, flow: Flow, target: Target, environment: ServerEnvironment) {
    this.key = key;
    this.request = request;
    this.flow = flow;
    this.target = target;
    this.#environment = environment;
  }

  get state(): ServerState {
    return this.#state;
  }

  get isInvite(): boolean {
    return this.request.method === 'INVITE';
  }

  /** True until a final response has been sent. */
  get pending(): boolean {
    return this.#state === 'trying' || this.#state === 'proceeding';
  }

  /** Sends a response; false when a final one went out before, and this one was not sent. */
  respond(status: number, bytes: Buffer): boolean {
    if (!this.pending) return false;
    this.#last = bytes;
    this.#environment.send(bytes, this.target);
    if (status < 200) this.#state = 'proceeding';
    else if (this.isInvite) this.#finishInvite(status);
    else this.#finish();
    return true;
  }

  #finish(): void {
    this.#state = 'completed';
    // Timer J
    if (isReliable(this.target.proto)) this.terminate();
    else this.#endAfter(GIVE_UP_MS);
  }

  #finishInvite(status: number): void {
    if (status < 300) {
      this.#state = 'accepted';
      this.#endAfter(GIVE_UP_MS); // Timer L
      return;
    }
    this.#state = 'completed';
    this.#endAfter(GIVE_UP_MS); // Timer H
    if (!isReliable(this.target.proto)) this.#repeatAfter(T1_MS); // Timer G
  }

  #repeatAfter(delayMs: number): void {
    this.#cancelRepeat = this.#environment.timers.after(delayMs, () => {
      this.#repeat();
      this.#repeatAfter(Math.min(delayMs * 2, T2_MS));
    });
  }

  #endAfter(delayMs: number): void {
    this.#cancelEnd?.();
    this.#cancelEnd = this.#environment.timers.after(delayMs, () => this.terminate());
  }

  #repeat(): void {
    if (this.#last === undefined) return;
    this.#environment.retransmitted();
    this.#environment.send(this.#last, this.target);
  }

  /** The request came again: the last response is repeated. */
  onRetransmission(): void {
    if (this.#state === 'proceeding' || this.#state === 'completed') this.#repeat();
  }

  /** An ACK for this INVITE; false when it belongs to the dialog (2xx) instead. */
  onAck(): boolean {
    if (this.#state === 'accepted') return false;
    if (this.#state !== 'completed') return true;
    this.#state = 'confirmed';
    this.#cancelRepeat?.();
    if (isReliable(this.target.proto)) this.terminate();
    else this.#endAfter(T4_MS); // Timer I
    return true;
  }

  /** Frees the transaction without sending anything. */
  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#cancelRepeat?.();
    this.#cancelEnd?.();
    this.#environment.terminated(this);
  }
}
