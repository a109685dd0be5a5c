import { randomUUID } from 'node:crypto';
import { writeMessage, type HeaderLine } from '../parse/build.ts';
import { headerValue, type SipResponse } from '../parse/message.ts';
import { isReliable, type Flow, type Target } from '../transport/flow.ts';
import { GIVE_UP_MS, T1_MS, T2_MS, T4_MS, TIMER_D_MS, type Timers } from '../timers.ts';

/** A request that is about to be sent, with its Via, in the order in which it is written. */
export interface OutgoingRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
  readonly branch: string;
  readonly target: Target;
}

/** Why no response from the peer came: nobody answered (408) or it could not be sent (503). */
export type ClientFailure = 'timeout' | 'transport';

export interface ClientUser {
  /** Each provisional response and the first final one; for an INVITE also every repeated 2xx. */
  onResponse(response: SipResponse, flow: Flow, transaction: ClientTransaction): void;
  onFailure(failure: ClientFailure, transaction: ClientTransaction): void;
}

export interface ClientEnvironment {
  readonly timers: Timers;
  readonly send: (bytes: Buffer, target: Target, failed: (error: Error) => void) => void;
  retransmitted(): void;
  terminated(transaction: ClientTransaction): void;
}

/** How long an INVITE may stay at a provisional response (RFC 3261 section 16.6 gives proxies the same). */
const PROCEEDING_LIMIT_MS = 180_000;

type ClientState = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated';

/** An INVITE or non-INVITE client transaction (RFC 3261 section 17.1, RFC 6026). */
export class ClientTransaction {
  readonly id: string = randomUUID();
  readonly key: string;
  readonly request: OutgoingRequest;
  readonly bytes: Buffer;
  readonly #environment: ClientEnvironment;
  readonly #user: ClientUser;
  #state: ClientState = 'calling';
  #cancelRepeat: (() => void) | undefined;
  #cancelEnd: (() => void) | undefined;
  #ack: Buffer | undefined;

  constructor(request: OutgoingRequest, user: ClientUser, environment: ClientEnvironment) {
    this.key = clientKey(request.branch, request.method);
    this.request = request;
    this.bytes = writeMessage(`${request.method} ${request.uri} SIP/2.0`, request.headers, request.body);
    this.#user = user;
    this.#environment = environment;
  }

  get isInvite(): boolean {
    return this.request.method === 'INVITE';
  }

  /** True until a final response. */
  get pending(): boolean {
    return this.#state === 'calling' || this.#state === 'proceeding';
  }

  /** True once a provisional response came: only then may it be cancelled (RFC 3261 section 9.1). */
  get proceeding(): boolean {
    return this.#state === 'proceeding';
  }

  start(): void {
    this.#cancelEnd = this.#environment.timers.after(GIVE_UP_MS, () => this.#fail('timeout')); // B, F
    if (!isReliable(this.request.target.proto)) this.#repeatAfter(T1_MS); // A, E
    this.#send(this.bytes);
  }

  #send(bytes: Buffer): void {
    this.#environment.send(bytes, this.request.target, () => this.#fail('transport'));
  }

  #repeatAfter(delayMs: number): void {
    this.#cancelRepeat?.();
    this.#cancelRepeat = this.#environment.timers.after(delayMs, () => {
      this.#environment.retransmitted();
      this.#send(this.bytes);
      if (this.#state === 'terminated') return;
      this.#repeatAfter(this.isInvite ? delayMs * 2 : Math.min(delayMs * 2, T2_MS));
    });
  }

  #endAfter(delayMs: number, run: () => void): void {
    this.#cancelEnd?.();
    this.#cancelEnd = this.#environment.timers.after(delayMs, run);
  }

  #fail(failure: ClientFailure): void {
    if (!this.pending) return;
    this.terminate();
    this.#user.onFailure(failure, this);
  }

  onResponse(response: SipResponse, flow: Flow): void {
    if (!this.pending) return this.#onRepeatedFinal(response, flow);
    if (response.status < 200) {
      if (this.isInvite) {
        this.#cancelRepeat?.();
        this.#endAfter(PROCEEDING_LIMIT_MS, () => this.#fail('timeout'));
      } else if (this.#state === 'calling' && !isReliable(this.request.target.proto))
        this.#repeatAfter(T2_MS);
      this.#state = 'proceeding';
      return this.#user.onResponse(response, flow, this);
    }
    this.#cancelRepeat?.();
    const reliable = isReliable(this.request.target.proto);
    if (this.isInvite && response.status < 300) {
      this.#state = 'accepted';
      this.#endAfter(GIVE_UP_MS, () => this.terminate()); // Timer M
    } else {
      this.#state = 'completed';
      if (this.isInvite) this.#acknowledge(response);
      if (reliable) this.terminate();
      else this.#endAfter(this.isInvite ? TIMER_D_MS : T4_MS, () => this.terminate()); // D, K
    }
    this.#user.onResponse(response, flow, this);
  }

  #onRepeatedFinal(response: SipResponse, flow: Flow): void {
    if (this.#state === 'accepted' && response.status >= 200 && response.status < 300)
      return this.#user.onResponse(response, flow, this);
    if (this.#state === 'completed' && this.#ack !== undefined && response.status >= 300)
      this.#environment.send(this.#ack, this.request.target, () => undefined);
  }

  /** The ACK of a non-2xx is part of the transaction (RFC 3261 section 17.1.1.3). */
  #acknowledge(response: SipResponse): void {
    const kept = this.request.headers.filter(([name]) => ACK_HEADERS.has(name));
    const headers = kept.map(([name, value]): HeaderLine => {
      if (name === 'To') return [name, headerValue(response.headers, 'to') ?? value];
      if (name === 'CSeq') return [name, `${response.cseq.seq} ACK`];
      return [name, value];
    });
    this.#ack = writeMessage(`ACK ${this.request.uri} SIP/2.0`, headers);
    this.#environment.send(this.#ack, this.request.target, () => undefined);
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#cancelRepeat?.();
    this.#cancelEnd?.();
    this.#environment.terminated(this);
  }
}

const ACK_HEADERS = new Set(['Via', 'Max-Forwards', 'Route', 'From', 'To', 'Call-ID', 'CSeq']);

/** Responses are matched by branch and CSeq method (RFC 3261 section 17.1.3). */
export const clientKey = (branch: string, method: string): string => `${branch} ${method}`;
