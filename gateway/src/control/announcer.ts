import { type CallEnd } from '../journal/record.ts';
import type { CallId, CallInfo, FromCalls, ToCalls, TraceEntry } from '@earshot/contracts';
import { Dialer, type Log } from '@earshot/platform';

/** Traces that wait for their acknowledgement at most: a call's beginning and its end are one each. */
const MOST_TRACES = 1000;

/** Tells transcripts of calls. What is not acknowledged is sent again on the next connection, in order. */
export class Announcer {
  readonly #dialer: Dialer<FromCalls, ToCalls>;
  readonly #unacked = new Map<number, ToCalls>();
  readonly #onAck: (message: ToCalls, newest: boolean) => void;
  /** Somebody asks for a call to be paused or to go on. */
  onPause: (callId: CallId, paused: boolean) => void = () => undefined;
  #nextId = 1;
  #traces = 0;
  #whenEmpty: (() => void) | null = null;

  /** @param onAck the message and whether no later one of its type and call is on its way */
  constructor(path: string, onAck: (message: ToCalls, newest: boolean) => void, log: Log) {
    this.#onAck = onAck;
    this.#dialer = new Dialer<FromCalls, ToCalls>(path, {
      open: (connection) => {
        for (const message of this.#unacked.values()) connection.send(message);
      },
      message: (message) => {
        if (message.type === 'ack') this.#acknowledged(message.id);
        else this.onPause(message.callId, message.paused);
      },
      lost: () => log.warn('transcripts is gone'),
    });
  }

  started(call: CallInfo): void {
    this.#send({ type: 'call.started', id: this.#nextId++, call });
  }

  updated(call: CallInfo): void {
    this.#send({ type: 'call.updated', id: this.#nextId++, call });
  }

  /** @returns false when transcripts takes nothing and enough waits for it: they may be given again */
  trace(callId: CallId, entries: readonly TraceEntry[]): boolean {
    if (this.#traces >= MOST_TRACES) return false;
    this.#traces++;
    this.#send({ type: 'call.trace', id: this.#nextId++, callId, entries });
    return true;
  }

  /** What somebody asked for of the call could not be done. Of no use later: it is not kept until it is acknowledged. */
  pauseFailed(callId: CallId, paused: boolean): void {
    this.#dialer.send({ type: 'call.pause.failed', id: this.#nextId++, callId, paused });
  }

  ended(callId: CallId, end: CallEnd): void {
    this.#send({ type: 'call.ended', id: this.#nextId++, callId, ...end });
  }

  /** Resolves when everything is acknowledged, or after limitMs. */
  flushed(limitMs: number): Promise<void> {
    if (this.#unacked.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#whenEmpty = null;
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#whenEmpty = done;
    });
  }

  stop(): void {
    this.#dialer.close();
  }

  #send(message: ToCalls): void {
    this.#unacked.set(message.id, message);
    this.#dialer.send(message);
  }

  #acknowledged(id: number): void {
    const message = this.#unacked.get(id);
    if (message === undefined) return;
    this.#unacked.delete(id);
    if (message.type === 'call.trace') this.#traces--;
    this.#onAck(message, !this.#laterOf(message));
    if (this.#unacked.size === 0) this.#whenEmpty?.();
  }

  #laterOf(message: ToCalls): boolean {
    if (message.type !== 'call.updated') return false;
    for (const other of this.#unacked.values()) {
      if (other.type === 'call.updated' && other.call.callId === message.call.callId) return true;
    }
    return false;
  }
}
