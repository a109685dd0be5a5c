import { branchOf, cseqOf, type SipResponse } from './sip-message.ts';

/** RFC 3261 section 17.1.1.1: the estimate of the round-trip time that all other timers are made of. */
export const T1_MS = 500;
const T2_MS = 4000;

/** How often a request is sent over a new connection: a server that hangs up on each is not asked for ever. */
const RESENDS = 3;

export type SipFailureCode =
  'rejected' | 'timeout' | 'unreachable' | 'cancelled' | 'bad-answer' | 'hung-up' | 'closed';

/** Why a request did not succeed. `status` is there when the other side answered. */
export class SipFailure extends Error {
  override readonly name = 'SipFailure';
  readonly code: SipFailureCode;
  readonly status: number | undefined;
  /** Seconds from Retry-After: the server is busy and says when it will not be. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: SipFailureCode,
    message: string,
    details: { status?: number; retryAfterS?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.retryAfterS = details.retryAfterS;
  }
}

export interface TransactionOptions {
  /** No answer at all for this long is a failure: timers B and F. */
  timeoutMs: number;
  /** After a provisional answer an INVITE may take this long. */
  answerTimeoutMs: number;
  onProvisional?: (response: SipResponse) => void;
  /** Makes the ACK for a final answer of 300 or more, which belongs to the transaction (section 17.1.1.3). */
  ackFor?: (response: SipResponse) => Buffer;
}

interface Pending {
  bytes: Buffer;
  method: string;
  options: TransactionOptions;
  retransmitTimer: NodeJS.Timeout | undefined;
  intervalMs: number;
  resends: number;
  timeoutTimer: NodeJS.Timeout;
  resolve: (response: SipResponse) => void;
  reject: (failure: SipFailure) => void;
}

/** The client transactions of one transport (RFC 3261 section 17.1), told apart by branch and method. */
export class ClientTransactions {
  readonly #send: (bytes: Buffer) => void;
  readonly #reliable: boolean;
  readonly #t1Ms: number;
  readonly #pending = new Map<string, Pending>();
  /** ACKs of refused INVITEs: over UDP the refusal can come again for 32 s (timer D). */
  readonly #acks = new Map<string, { bytes: Buffer; timer: NodeJS.Timeout }>();

  constructor(send: (bytes: Buffer) => void, reliable: boolean, t1Ms: number) {
    this.#send = send;
    this.#reliable = reliable;
    this.#t1Ms = t1Ms;
  }

  /** Sends a request until it is answered; resolves with the final response whatever its status. */
  request(method: string, branch: string, bytes: Buffer, options: TransactionOptions): Promise<SipResponse> {
    const key = `${branch} ${method}`;
    return new Promise((resolve, reject) => {
      const timeoutTimer = setTimeout(() => {
        this.#fail(key, new SipFailure('timeout', `No answer to ${method} in ${options.timeoutMs / 1000} s`));
      }, options.timeoutMs);
      const pending: Pending = {
        bytes,
        method,
        options,
        intervalMs: this.#t1Ms,
        resends: 0,
        retransmitTimer: undefined,
        timeoutTimer,
        resolve,
        reject,
      };
      this.#pending.set(key, pending);
      this.#send(bytes);
      if (!this.#reliable) this.#scheduleRetransmission(pending);
    });
  }

  /** Takes a response; false when no transaction waits for it. */
  receive(response: SipResponse): boolean {
    const key = `${branchOf(response) ?? ''} ${cseqOf(response)?.method ?? ''}`;
    const pending = this.#pending.get(key);
    if (pending === undefined) {
      const ack = this.#acks.get(key);
      if (ack !== undefined && response.status >= 300) this.#send(ack.bytes);
      return ack !== undefined;
    }
    if (response.status < 200) {
      this.#proceed(key, pending);
      pending.options.onProvisional?.(response);
      return true;
    }
    this.#forget(key, pending);
    if (response.status >= 300 && pending.options.ackFor)
      this.#acknowledge(key, pending.options.ackFor(response));
    pending.resolve(response);
    return true;
  }

  /** Sends what is waiting for an answer over a new connection, with the same branch: it may have arrived. */
  sendAgain(failure: SipFailure): void {
    for (const [key, pending] of [...this.#pending]) {
      pending.resends += 1;
      if (pending.resends > RESENDS) this.#fail(key, failure);
      else this.#send(pending.bytes);
    }
  }

  /** Ends every transaction that is waiting, e.g. because nothing listens at the other side. */
  failAll(failure: SipFailure): void {
    for (const key of [...this.#pending.keys()]) this.#fail(key, failure);
  }

  close(): void {
    this.failAll(new SipFailure('closed', 'The caller was closed'));
    for (const ack of this.#acks.values()) clearTimeout(ack.timer);
    this.#acks.clear();
  }

  #scheduleRetransmission(pending: Pending): void {
    pending.retransmitTimer = setTimeout(() => {
      this.#send(pending.bytes);
      // Timer A doubles without end, timer E up to T2.
      pending.intervalMs *= 2;
      if (pending.method !== 'INVITE') pending.intervalMs = Math.min(pending.intervalMs, T2_MS);
      this.#scheduleRetransmission(pending);
    }, pending.intervalMs);
  }

  #proceed(key: string, pending: Pending): void {
    if (pending.method !== 'INVITE') {
      pending.intervalMs = T2_MS;
      return;
    }
    clearTimeout(pending.retransmitTimer);
    clearTimeout(pending.timeoutTimer);
    const { answerTimeoutMs } = pending.options;
    pending.timeoutTimer = setTimeout(() => {
      this.#fail(key, new SipFailure('timeout', `Not answered within ${answerTimeoutMs / 1000} s`));
    }, answerTimeoutMs);
  }

  #acknowledge(key: string, bytes: Buffer): void {
    this.#send(bytes);
    const timer = setTimeout(() => this.#acks.delete(key), 64 * this.#t1Ms);
    timer.unref();
    this.#acks.set(key, { bytes, timer });
  }

  #forget(key: string, pending: Pending): void {
    clearTimeout(pending.retransmitTimer);
    clearTimeout(pending.timeoutTimer);
    this.#pending.delete(key);
  }

  #fail(key: string, failure: SipFailure): void {
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    this.#forget(key, pending);
    pending.reject(failure);
  }
}
