import type { Dialog } from '../dialog/dialog.ts';
import type { HeaderLine } from '../parse/build.ts';
import type { ServerTransaction } from '../transaction/server.ts';
import type { AppLink } from '../wire/connection.ts';
import type { Context } from './context.ts';

/** A request that an application offered no answer to is given up after this time (drachtio-server's too). */
const UNANSWERED_MS = 64_000;
/** A ringing call without a final answer. */
const RINGING_MS = 300_000;
/** A BYE is answered by us after this time: the call is over, whether or not the application says so. */
const BYE_MS = 32_000;
/** How long a request outside a dialog waits for its application to come back after its connection was lost. */
const LOST_MS = 8000;
/** The same inside a dialog: below the peer's timer F of 32 s. */
const HELD_MS = 24_000;

/** A request that awaits the application's final answer. */
export interface Pending {
  readonly transaction: ServerTransaction;
  /** True when it came inside a dialog. */
  readonly inDialog: boolean;
  /** Also the early dialog that a provisional answer to a new INVITE made. */
  dialog: Dialog | undefined;
  /** The application that has it; undefined while it waits for one. */
  link: AppLink | undefined;
  cancelTimer: () => void;
}

/** Methods that an application may take outside a dialog. */
const ROUTABLE = ['INVITE', 'OPTIONS', 'INFO', 'MESSAGE', 'REGISTER', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH'];
const RETRY_AFTER: HeaderLine = ['Retry-After', '5'];

/** Requests between the network and the application's answer; they survive a change of application. */
export class PendingRequests {
  readonly #context: Context;
  readonly #notify: (pending: Pending, link: AppLink) => void;
  readonly #byId = new Map<string, Pending>();

  constructor(context: Context, notify: (pending: Pending, link: AppLink) => void) {
    this.#context = context;
    this.#notify = notify;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(transactionId: string): Pending | undefined {
    return this.#byId.get(transactionId);
  }

  /** Takes a request and offers it. Outside a dialog, it is refused when no application routes its method. */
  add(transaction: ServerTransaction, dialog: Dialog | undefined): void {
    const pending: Pending = {
      transaction,
      dialog,
      inDialog: dialog !== undefined,
      link: undefined,
      cancelTimer: () => undefined,
    };
    this.#byId.set(transaction.id, pending);
    if (!this.#offer(pending)) {
      if (!pending.inDialog) return this.#refuse(pending);
      // Inside a dialog the application is restarting: it may be back in a moment.
      if (transaction.request.method !== 'INVITE' && transaction.request.method !== 'BYE')
        return this.#arm(pending, HELD_MS, () => this.#refuse(pending));
    }
    this.#armUnanswered(pending);
  }

  #armUnanswered(pending: Pending): void {
    const { transactions } = this.#context;
    const { transaction } = pending;
    if (transaction.request.method === 'BYE')
      return this.#arm(pending, BYE_MS, () => transactions.respond(transaction, 200, 'OK'));
    this.#arm(pending, UNANSWERED_MS, () => this.#giveUp(pending));
  }

  #giveUp(pending: Pending): void {
    const { transactions, dialogs, log } = this.#context;
    const { transaction, dialog } = pending;
    log.warn({ method: transaction.request.method }, 'request was not answered by the application');
    if (dialog?.confirmed === false) dialogs.remove(dialog);
    if (transaction.isInvite) transactions.respond(transaction, 408, 'Request Timeout');
    // A 408 to another request would come too late for its sender (RFC 4320 section 4.2).
    else transaction.terminate();
  }

  #refuse(pending: Pending): void {
    const { transactions, dialogs } = this.#context;
    const { transaction, dialog } = pending;
    if (dialog?.confirmed === false) dialogs.remove(dialog);
    this.remove(transaction.id);
    // The application is there and does not take this method: 405, since 503 would read as a trunk that is down. The
    // real server says 503.
    if (!pending.inDialog && !transaction.isInvite && this.#context.pick('INVITE') !== undefined) {
      const taken = ROUTABLE.filter((method) => this.#context.pick(method) !== undefined);
      const allow = ['ACK', 'BYE', 'CANCEL', ...taken].join(', ');
      transactions.respond(transaction, 405, 'Method Not Allowed', [['Allow', allow]]);
      return;
    }
    const headers = transaction.isInvite ? [RETRY_AFTER] : [];
    transactions.respond(transaction, 503, 'Service Unavailable', headers);
  }

  #arm(pending: Pending, delayMs: number, run: () => void): void {
    pending.cancelTimer();
    pending.cancelTimer = this.#context.timers.after(delayMs, () => {
      this.remove(pending.transaction.id);
      run();
    });
  }

  #offer(pending: Pending): boolean {
    const { owners, pick } = this.#context;
    const owner = pending.dialog && owners.get(pending.dialog);
    const { method } = pending.transaction.request;
    const link = owner ?? pick(method) ?? (method === 'PRACK' ? pick('INVITE') : undefined);
    if (link === undefined) return false;
    if (pending.dialog !== undefined && owner === undefined) owners.set(pending.dialog, link);
    pending.link = link;
    this.#notify(pending, link);
    return true;
  }

  /** The application sent a provisional answer: it has longer for the final one. */
  ringing(pending: Pending): void {
    if (pending.transaction.isInvite) this.#arm(pending, RINGING_MS, () => this.#giveUp(pending));
  }

  remove(transactionId: string): void {
    this.#byId.get(transactionId)?.cancelTimer();
    this.#byId.delete(transactionId);
  }

  /** An application routes another method: requests that wait for one are offered. */
  routed(): void {
    for (const pending of this.#byId.values()) {
      if (pending.link === undefined && this.#offer(pending)) this.#armUnanswered(pending);
    }
  }

  /** An application is gone: what it had not answered goes to another, or waits for it to come back. */
  lost(link: AppLink): void {
    for (const pending of this.#byId.values()) {
      if (pending.link !== link) continue;
      pending.link = undefined;
      if (this.#offer(pending)) continue;
      const { method } = pending.transaction.request;
      if (!pending.inDialog) this.#arm(pending, LOST_MS, () => this.#refuse(pending));
      else if (method !== 'INVITE' && method !== 'BYE')
        this.#arm(pending, HELD_MS, () => this.#refuse(pending));
    }
  }

  close(): void {
    for (const pending of this.#byId.values()) pending.cancelTimer();
    this.#byId.clear();
  }
}
