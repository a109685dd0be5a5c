import { randomInt } from 'node:crypto';
import { parseDecimal } from '../parse/chars.ts';
import { headerValue, type SipRequest } from '../parse/message.ts';
import type { ServerTransaction } from '../transaction/server.ts';
import { GIVE_UP_MS, T1_MS, type Timers } from '../timers.ts';

interface Sent {
  readonly rseq: number;
  /** Set while its PRACK is waited for. */
  stop: (() => void) | undefined;
}

export interface ReliableOptions {
  readonly timers: Timers;
  readonly repeat: (transaction: ServerTransaction, bytes: Buffer) => void;
  /** No PRACK came in 64*T1: the INVITE is to be refused (RFC 3262 section 3). */
  readonly onTimeout: (transaction: ServerTransaction) => void;
}

const OPTION = '100rel';

const names = (request: SipRequest, key: string): boolean =>
  request.headers.some(
    (header) =>
      header.key === key && header.value.split(',').some((tag) => tag.trim().toLowerCase() === OPTION),
  );

/** Whether the caller takes reliable provisional responses, and whether it takes no others. */
export const reliability = (request: SipRequest): 'required' | 'supported' | 'unknown' =>
  names(request, 'require') ? 'required' : names(request, 'supported') ? 'supported' : 'unknown';

/** Provisional responses that are repeated until their PRACK comes (RFC 3262). */
export class ReliableProvisionals {
  readonly #options: ReliableOptions;
  readonly #sent = new WeakMap<ServerTransaction, Sent>();

  constructor(options: ReliableOptions) {
    this.#options = options;
  }

  /** The RSeq of the next one; undefined while the one before is not acknowledged (RFC 3262 section 3). */
  next(transaction: ServerTransaction): number | undefined {
    const sent = this.#sent.get(transaction);
    if (sent === undefined) return randomInt(1, 2 ** 30);
    return sent.stop === undefined ? sent.rseq + 1 : undefined;
  }

  start(transaction: ServerTransaction, rseq: number, bytes: Buffer): void {
    const { timers, repeat, onTimeout } = this.#options;
    let cancelRepeat: () => void;
    const repeatAfter = (delayMs: number): void => {
      cancelRepeat = timers.after(delayMs, () => {
        // A final answer needs no provisional one.
        if (!transaction.pending) return stop();
        repeat(transaction, bytes);
        repeatAfter(delayMs * 2);
      });
    };
    const cancelEnd = timers.after(GIVE_UP_MS, () => {
      stop();
      if (transaction.pending) onTimeout(transaction);
    });
    const sent: Sent = { rseq, stop: undefined };
    const stop = (): void => {
      cancelRepeat();
      cancelEnd();
      sent.stop = undefined;
    };
    repeatAfter(T1_MS);
    sent.stop = stop;
    this.#sent.set(transaction, sent);
  }

  /** Takes a PRACK; false when it acknowledges nothing that waits for one (RFC 3262 section 3: answer 481). */
  acknowledge(transaction: ServerTransaction, prack: SipRequest): boolean {
    const sent = this.#sent.get(transaction);
    const [rseq, seq, method] = (headerValue(prack.headers, 'rack') ?? '').split(/\s+/);
    if (sent?.stop === undefined || parseDecimal(rseq ?? '') !== sent.rseq) return false;
    if (parseDecimal(seq ?? '') !== transaction.request.cseq.seq || method !== 'INVITE') return false;
    sent.stop();
    return true;
  }

  /** The transaction has its final answer, or is given up. */
  stop(transaction: ServerTransaction): void {
    this.#sent.get(transaction)?.stop?.();
  }
}
