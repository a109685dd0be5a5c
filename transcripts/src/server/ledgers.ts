import { faultOfPart, type LedgerRow, type RecognitionState, type ToCommit } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { CallDocument } from '../document/call.ts';
import type { ChannelDocument } from '../document/channel.ts';
import type { LogItem, Outcome } from '../log/items.ts';

interface Waiting {
  readonly item: LogItem;
  /** The media worker may forget it: it is in the log, or nobody will ever keep it. */
  readonly done: () => void;
}

export interface LedgersDeps {
  readonly log: Log;
  /** Queues a change of the log. */
  add(item: LogItem, settled: (outcome: Outcome) => void): void;
}

/**
 * What media workers say of their streams besides words: ledgers, whether media comes, whether the disk keeps it. It waits until the
 * call is known, and parts of ledgers for company: nobody waits for them while a call goes on, and each would be a transaction.
 */
export class Ledgers {
  readonly #deps: LedgersDeps;
  readonly #waiting = new Map<CallDocument, Waiting[]>();

  constructor(deps: LedgersDeps) {
    this.#deps = deps;
  }

  /** @param toldBy the process that says it @param done once it may forget it */
  part(
    call: CallDocument,
    { channel, index, ledger }: ChannelDocument,
    message: Extract<ToCommit, { type: 'ledger' }>,
    toldBy: number,
    done: () => void,
  ): void {
    const { fromTick, toTick, spans, notes, fill } = message;
    const row: LedgerRow = { fromTick, toTick, spans, notes, fill, toldBy };
    const fault = faultOfPart(row);
    if (fault !== null) {
      this.#deps.log.error({ channel, fromTick, toTick, fault }, 'part of a ledger refused');
      // Told again it would be refused again, and what comes after it would wait for it.
      done();
      return;
    }
    ledger.take(row);
    this.#wait(call, {
      item: { kind: 'ledger', callId: call.callId, channel, index, row, reachTick: ledger.tick },
      done,
    });
  }

  state(
    call: CallDocument,
    { index }: ChannelDocument,
    message: Extract<ToCommit, { type: 'media' | 'disk' }>,
  ): void {
    const { tick } = message;
    const item: LogItem =
      message.type === 'media'
        ? { kind: 'media', callId: call.callId, index, state: message.state, tick }
        : { kind: 'disk', callId: call.callId, index, state: message.state, tick };
    this.#wait(call, { item, done: () => undefined });
    this.hand(call);
  }

  /** How recognition goes with a call that was recorded first. */
  recognition(call: CallDocument, state: RecognitionState): void {
    call.recognition = state;
    call.recognitionTold = true;
    this.#wait(call, {
      item: { kind: 'recognition', callId: call.callId, state },
      done: () => undefined,
    });
    this.hand(call);
  }

  /** Queues what waits of the call, if it is known. */
  hand(call: CallDocument): void {
    const waiting = this.#waiting.get(call);
    if (!call.known || waiting === undefined) return;
    this.#waiting.delete(call);
    // A part that the log refused is refused again: telling it again would not help.
    for (const { item, done } of waiting) this.#deps.add(item, done);
  }

  /** Several times a second. */
  sweep(): void {
    for (const call of this.#waiting.keys()) this.hand(call);
  }

  /** Nobody started the call. */
  forget(call: CallDocument): void {
    for (const { done } of this.#waiting.get(call) ?? []) done();
    this.#waiting.delete(call);
  }

  #wait(call: CallDocument, waiting: Waiting): void {
    const others = this.#waiting.get(call);
    if (others === undefined) this.#waiting.set(call, [waiting]);
    else others.push(waiting);
  }
}
