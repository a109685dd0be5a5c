import type { Dialog } from '../dialog/dialog.ts';
import type { ServerTransaction } from '../transaction/server.ts';
import { GIVE_UP_MS, T1_MS, T2_MS, type Timers } from '../timers.ts';
import type { Target } from '../transport/flow.ts';

interface AckWait {
  readonly transactionId: string;
  stop(): void;
}

export interface AckWaitOptions {
  readonly timers: Timers;
  readonly send: (bytes: Buffer, target: Target) => void;
  readonly onRepeated: () => void;
  /** The dialog's record has another 2xx to repeat, or none. */
  readonly onChanged: (dialog: Dialog) => void;
  /** No ACK came in 64*T1: the call is to be ended (RFC 3261 section 13.3.1.4). */
  readonly onTimeout: (dialog: Dialog) => void;
}

/** Repeats each 2xx to an INVITE until its ACK comes, over reliable transports too: a hop may lose it. */
export class AckWaits {
  readonly #options: AckWaitOptions;
  readonly #waits = new Map<Dialog, Map<number, AckWait>>();

  constructor(options: AckWaitOptions) {
    this.#options = options;
  }

  start(dialog: Dialog, transaction: ServerTransaction, bytes: Buffer): void {
    const { seq } = transaction.request.cseq;
    const { proto, host, port } = transaction.target;
    const response = bytes.toString('latin1');
    dialog.record.unacknowledged = { seq, transactionId: transaction.id, response, proto, host, port };
    this.#options.onChanged(dialog);
    this.#wait(dialog, transaction.id, seq, bytes, transaction.target);
  }

  /** Goes on where a process before this one was ended. */
  resume(dialog: Dialog): void {
    const { unacknowledged } = dialog.record;
    if (unacknowledged === undefined) return;
    const { transactionId, seq, response, proto, host, port } = unacknowledged;
    const target: Target = { proto, host, port, connection: undefined };
    this.#wait(dialog, transactionId, seq, Buffer.from(response, 'latin1'), target);
  }

  #wait(dialog: Dialog, transactionId: string, seq: number, bytes: Buffer, target: Target): void {
    const { timers } = this.#options;
    let cancelRepeat: () => void;
    const repeatAfter = (delayMs: number): void => {
      cancelRepeat = timers.after(delayMs, () => {
        this.#options.onRepeated();
        this.#options.send(bytes, target);
        repeatAfter(Math.min(delayMs * 2, T2_MS));
      });
    };
    repeatAfter(T1_MS);
    const cancelEnd = timers.after(GIVE_UP_MS, () => {
      this.stopAll(dialog);
      this.#options.onTimeout(dialog);
    });
    const wait: AckWait = {
      transactionId,
      stop: () => {
        cancelRepeat();
        cancelEnd();
      },
    };
    const waits = this.#waits.get(dialog);
    if (waits === undefined) this.#waits.set(dialog, new Map([[seq, wait]]));
    else waits.set(seq, wait);
  }

  /** An ACK came: the id of the INVITE's transaction, or undefined when it was not waited for (a repeat). */
  acknowledge(dialog: Dialog, seq: number): string | undefined {
    const waits = this.#waits.get(dialog);
    const wait = waits?.get(seq);
    if (wait === undefined) return undefined;
    wait.stop();
    waits?.delete(seq);
    if (waits?.size === 0) this.#waits.delete(dialog);
    if (dialog.record.unacknowledged?.seq === seq) {
      delete dialog.record.unacknowledged;
      this.#options.onChanged(dialog);
    }
    return wait.transactionId;
  }

  stopAll(dialog: Dialog): void {
    for (const wait of this.#waits.get(dialog)?.values() ?? []) wait.stop();
    this.#waits.delete(dialog);
  }

  /** Stops all timers; the records keep what a successor is to repeat. */
  close(): void {
    for (const dialog of [...this.#waits.keys()]) this.stopAll(dialog);
  }
}
