import type { Dialog } from '../dialog/dialog.ts';
import { dialogId } from '../dialog/record.ts';
import { writeMessage, type HeaderLine } from '../parse/build.ts';
import type { SipRequest } from '../parse/message.ts';
import { tagOf } from '../parse/uri.ts';
import type { TransactionUser } from '../transaction/layer.ts';
import type { ServerTransaction } from '../transaction/server.ts';
import { sourceUri, type Flow } from '../transport/flow.ts';
import type { AppLink } from '../wire/connection.ts';
import { notificationFrame } from '../wire/leader.ts';
import type { AckWaits } from './ack-waits.ts';
import { forApplication, peerOf } from './app-view.ts';
import type { Context } from './context.ts';
import { PendingRequests, type Pending } from './pending.ts';
import type { ReliableProvisionals } from './reliable.ts';

const OUTSIDE_ONLY_IN_DIALOG = new Set(['BYE', 'UPDATE', 'PRACK']);

/** Requests from the network: into their dialog, to the application that is to answer them. */
export class Inbound implements TransactionUser {
  readonly #context: Context;
  readonly #acks: AckWaits;
  readonly #reliable: ReliableProvisionals;
  readonly pending: PendingRequests;

  constructor(context: Context, acks: AckWaits, reliable: ReliableProvisionals) {
    this.#context = context;
    this.#acks = acks;
    this.#reliable = reliable;
    this.pending = new PendingRequests(context, (pending, link) => this.#notify(pending, link));
  }

  onRequest(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (tagOf(request.to) !== undefined) return this.#onInDialog(transaction);
    if (OUTSIDE_ONLY_IN_DIALOG.has(request.method)) return this.#refuse(transaction, 481);
    const known = this.#context.dialogs.get(dialogId(request.callId, tagOf(request.from) ?? ''));
    if (request.method === 'INVITE' && known !== undefined) return this.#onKnownCall(transaction, known);
    this.pending.add(transaction, undefined);
  }

  #onKnownCall(transaction: ServerTransaction, dialog: Dialog): void {
    const { unacknowledged } = dialog.record;
    // An INVITE that a process before this one answered is repeated: so is its answer.
    if (unacknowledged?.seq === transaction.request.cseq.seq) {
      const answer = Buffer.from(unacknowledged.response, 'latin1');
      this.#context.transactions.respondBytes(transaction, 200, answer);
      return;
    }
    // A new INVITE with the identifiers of a call that exists came over another path, or loops.
    this.#refuse(transaction, 482);
  }

  #refuse(transaction: ServerTransaction, status: keyof typeof REASONS, headers?: HeaderLine[]): void {
    this.#context.transactions.respond(transaction, status, REASONS[status], headers);
  }

  #onInDialog(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    const { dialogs } = this.#context;
    const dialog = dialogs.find(request);
    if (dialog === undefined) return this.#refuse(transaction, 481);
    if (request.method === 'PRACK' && !this.#acknowledges(dialog, request))
      return this.#refuse(transaction, 481);
    if (request.cseq.seq < dialog.record.remoteSeq) return this.#refuse(transaction, 500);
    if (request.method === 'INVITE') {
      // RFC 3261 section 14.2: two INVITEs at once.
      const retryAfter: HeaderLine = ['Retry-After', String(Math.floor(Math.random() * 11))];
      if (dialog.receivedInvite?.pending === true) return this.#refuse(transaction, 500, [retryAfter]);
      if (dialog.sentInvite?.transaction.pending === true) return this.#refuse(transaction, 491);
      dialog.receivedInvite = transaction;
    }
    dialog.record.remoteSeq = request.cseq.seq;
    dialog.connection = flow.connection ?? dialog.connection;
    if (request.method === 'BYE') return this.#onBye(transaction, dialog);
    dialogs.changed(dialog);
    this.pending.add(transaction, dialog);
  }

  #acknowledges({ receivedInvite }: Dialog, prack: SipRequest): boolean {
    return receivedInvite !== undefined && this.#reliable.acknowledge(receivedInvite, prack);
  }

  #onBye(transaction: ServerTransaction, dialog: Dialog): void {
    const { dialogs, transactions } = this.#context;
    this.#acks.stopAll(dialog);
    dialogs.remove(dialog);
    const invite = dialog.receivedInvite;
    if (invite?.pending === true) {
      // RFC 3261 section 15.1.2. For the application of an early dialog this is the same as a CANCEL.
      transactions.respond(invite, 487, 'Request Terminated');
      this.#ended(invite, dialog, cancelFor(invite.request));
    }
    if (!dialog.confirmed) return transactions.respond(transaction, 200, 'OK');
    this.pending.add(transaction, dialog);
  }

  onCancel(invite: ServerTransaction, cancel: SipRequest, _flow: Flow): void {
    this.#end(invite, 487, forApplication(cancel));
  }

  /** A reliable provisional answer was never acknowledged: for the application this is the same as a CANCEL. */
  onNoPrack(invite: ServerTransaction): void {
    this.#context.log.warn({}, 'no PRACK came for a provisional answer; its call is refused');
    this.#end(invite, 504, cancelFor(invite.request));
  }

  #end(invite: ServerTransaction, status: 487 | 504, cancel: Buffer): void {
    const { dialogs, transactions } = this.#context;
    transactions.respond(invite, status, REASONS[status]);
    const dialog = this.pending.get(invite.id)?.dialog;
    if (dialog?.confirmed === false) dialogs.remove(dialog);
    this.#ended(invite, dialog, cancel);
  }

  /** Tells the application of a pending INVITE that it was cancelled. */
  #ended(invite: ServerTransaction, dialog: Dialog | undefined, cancel: Buffer): void {
    const link = this.pending.get(invite.id)?.link;
    this.pending.remove(invite.id);
    link?.send(
      notificationFrame({
        source: 'network',
        peer: peerOf(invite.flow),
        transactionId: invite.id,
        dialogId: dialog?.id ?? '',
        message: cancel,
      }),
    );
  }

  onAck(ack: SipRequest, flow: Flow): void {
    const { dialogs, owners, pick } = this.#context;
    const dialog = dialogs.find(ack);
    if (dialog === undefined) return;
    const transactionId = this.#acks.acknowledge(dialog, ack.cseq.seq);
    if (transactionId === undefined) return;
    // Hardly an application routes ACK: who takes calls takes theirs.
    const link = owners.get(dialog) ?? pick('ACK') ?? pick('INVITE');
    link?.send(
      notificationFrame({
        source: 'network',
        // drachtio-server leaves the protocol of an ACK empty.
        peer: { ...peerOf(flow), proto: '' },
        transactionId,
        dialogId: dialog.id,
        message: forApplication(ack),
      }),
    );
  }

  #notify(pending: Pending, link: AppLink): void {
    const { request, flow, id } = pending.transaction;
    link.send(
      notificationFrame({
        source: 'network',
        peer: peerOf(flow),
        transactionId: id,
        // Outside a dialog it stays empty, even after an early dialog was made for it.
        dialogId: pending.inDialog ? (pending.dialog?.id ?? '') : '',
        ...(!pending.inDialog && { receivedOn: this.#context.addressing.arrivedOn(flow) }),
        message: forApplication(request, request.method === 'INVITE' ? `<${sourceUri(flow)}>` : undefined),
      }),
    );
  }
}

const REASONS = {
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  487: 'Request Terminated',
  491: 'Request Pending',
  500: 'Server Internal Error',
  504: 'Server Time-out',
} as const;

/** A CANCEL as its sender would have made it for this INVITE (RFC 3261 section 9.1). */
function cancelFor(invite: SipRequest): Buffer {
  const kept = new Set(['from', 'to', 'call-id', 'max-forwards']);
  const lines: HeaderLine[] = [];
  const via = invite.headers.find((header) => header.key === 'via');
  if (via !== undefined) lines.push([via.name, via.value]);
  for (const { name, key, value } of invite.headers) if (kept.has(key)) lines.push([name, value]);
  lines.push(['CSeq', `${invite.cseq.seq} CANCEL`]);
  return writeMessage(`CANCEL ${invite.uri} SIP/2.0`, lines);
}
