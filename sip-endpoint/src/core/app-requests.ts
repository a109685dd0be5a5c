import type { Dialog } from '../dialog/dialog.ts';
import { contactUri, resolveTarget, routeRequest } from '../dialog/routing.ts';
import { writeMessage, type HeaderLine } from '../parse/build.ts';
import { headerValue, type Header, type SipResponse } from '../parse/message.ts';
import type { ClientTransaction, ClientUser, OutgoingRequest } from '../transaction/client.ts';
import { newBranch } from '../transaction/layer.ts';
import type { AppMessage } from '../wire/command.ts';
import type { AppLink, SipCommand } from '../wire/connection.ts';
import { notificationFrame, NOWHERE, replyFrame, sentFrame, type Endpoint } from '../wire/leader.ts';
import type { AckWaits } from './ack-waits.ts';
import { appHeaders, contentType, endpointOf, forApplication, localResponse, peerOf } from './app-view.ts';
import type { Context } from './context.ts';
import { OutsideRequests } from './outside.ts';

const NO_DIALOG = 'Server error: unable to find dialog for dialog id provided';
const EMPTY = Buffer.alloc(0);

interface Draft {
  readonly method: string;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
  /** CSeq; the next one of the dialog where it is not given. */
  readonly seq?: number;
}

/** Requests inside dialogs, sent for the application or by ourselves, and their responses. */
export class AppRequests {
  readonly #context: Context;
  readonly #acks: AckWaits;
  readonly #outside: OutsideRequests;

  constructor(context: Context, acks: AckWaits) {
    this.#context = context;
    this.#acks = acks;
    this.#outside = new OutsideRequests(context);
  }

  handle(link: AppLink, command: SipCommand, message: AppMessage, method: string): void {
    const nok = (text: string): void => link.send(replyFrame(command.id, 'NOK', text));
    if (method === 'CANCEL') return this.#cancel(link, command, message.headers);
    const { dialogs, owners, addressing } = this.#context;
    const named = headerValue(message.headers, 'call-id') ?? '';
    const dialog = command.dialogId === '' ? dialogs.byCallId(named) : dialogs.get(command.dialogId);
    if (dialog === undefined && command.dialogId === '')
      return this.#outside.handle(link, command, message, method);
    if (dialog === undefined) return nok(NO_DIALOG);
    if (method === 'ACK') return this.#ack(link, command, dialog, message);
    if (method === 'PRACK') return nok('Server error: PRACK is not supported');
    if (method === 'INVITE' && this.#inviteInProgress(dialog)) return nok('Server error: INVITE in progress');
    const type = contentType(message);
    if (type === 'missing') return nok('missing content-type');
    const ours = addressing.ofDialog(dialog.record);
    const headers = appHeaders(message.headers, ours);
    if (type !== 'present') headers.push(['Content-Type', type]);
    if ((method === 'INVITE' || method === 'UPDATE') && headerValue(message.headers, 'contact') === undefined)
      headers.unshift(['Contact', addressing.contact(ours)]);
    const request = this.#build(dialog, { method, headers, body: message.body });
    if (request === undefined) return nok('requested protocol/transport not available');
    owners.set(dialog, link);
    const transaction = this.#context.transactions.client(request, this.#listener(dialog, link));
    if (method === 'INVITE')
      dialog.sentInvite = { seq: dialog.record.localSeq, transaction, status: undefined, ack: undefined };
    // The reply must be there before the first response: drachtio-srf drops responses to unknown transactions.
    link.send(
      sentFrame(command.id, endpointOf(request.target), transaction.id, undefined, transaction.bytes),
    );
    transaction.start();
  }

  #inviteInProgress(dialog: Dialog): boolean {
    return dialog.sentInvite?.transaction.pending === true || dialog.receivedInvite?.pending === true;
  }

  /** Completes a request of a dialog (RFC 3261 section 12.2.1.1); undefined when its target cannot be reached. */
  #build(dialog: Dialog, draft: Draft): OutgoingRequest | undefined {
    const { record } = dialog;
    const hop = routeRequest(record);
    const target = resolveTarget(hop.nextUri, record.proto, dialog.connection);
    if (target === undefined) return undefined;
    const seq = draft.seq ?? ++record.localSeq;
    if (draft.seq === undefined) this.#context.dialogs.changed(dialog);
    const branch = newBranch();
    const headers: HeaderLine[] = [
      ['Via', this.#context.addressing.via(target, branch)],
      ['Max-Forwards', '70'],
      ...hop.routes,
      ['From', record.localParty],
      ['To', record.remoteParty],
      ['Call-ID', record.callId],
      ['CSeq', `${seq} ${draft.method}`],
      ...draft.headers,
    ];
    return { method: draft.method, uri: hop.uri, headers, body: draft.body, branch, target };
  }

  #listener(dialog: Dialog, link: AppLink): ClientUser {
    const tell = (transaction: ClientTransaction, peer: Endpoint, message: Buffer): void => {
      const { id: transactionId } = transaction;
      link.send(notificationFrame({ source: 'network', peer, transactionId, dialogId: dialog.id, message }));
    };
    return {
      onResponse: (response, flow, transaction) => {
        if (!this.#noteResponse(dialog, response, transaction)) return;
        tell(transaction, peerOf(flow), forApplication(response));
      },
      onFailure: (failure, transaction) => {
        const status = failure === 'timeout' ? 408 : 503;
        this.#noteFinal(dialog, status, transaction);
        tell(transaction, NOWHERE, localResponse(transaction, status));
      },
    };
  }

  /** What a response means for the dialog; false when the application has seen it before. */
  #noteResponse(dialog: Dialog, response: SipResponse, transaction: ClientTransaction): boolean {
    if (response.status === 100) return false;
    if (response.status < 200) return true;
    const sent = dialog.sentInvite;
    if (transaction.isInvite && sent?.transaction === transaction && sent.status !== undefined) {
      if (sent.ack !== undefined) this.#context.send(sent.ack.bytes, sent.ack.target);
      return false;
    }
    const refreshes = transaction.isInvite || transaction.request.method === 'UPDATE';
    const target = contactUri(response);
    if (refreshes && response.status < 300 && target !== undefined) {
      dialog.record.remoteTarget = target;
      this.#context.dialogs.changed(dialog);
    }
    this.#noteFinal(dialog, response.status, transaction);
    return true;
  }

  #noteFinal(dialog: Dialog, status: number, transaction: ClientTransaction): void {
    if (transaction.isInvite && dialog.sentInvite?.transaction === transaction)
      dialog.sentInvite.status = status;
    // After a challenge the BYE is sent again with credentials.
    if (transaction.request.method === 'BYE' && status !== 401 && status !== 407) this.#end(dialog);
  }

  #end(dialog: Dialog): void {
    this.#acks.stopAll(dialog);
    this.#context.dialogs.remove(dialog);
  }

  #ack(link: AppLink, command: SipCommand, dialog: Dialog, message: AppMessage): void {
    const nok = (text: string): void => link.send(replyFrame(command.id, 'NOK', `Server error: ${text}`));
    const sent = dialog.sentInvite;
    if (sent?.status === undefined) return nok('no INVITE awaits an ACK in this dialog');
    if (sent.status >= 300)
      return nok('ACK for non-success final response is automatically generated by server');
    const type = contentType(message);
    if (type === 'missing') return nok('missing content-type');
    const headers = appHeaders(message.headers, this.#context.addressing.ofDialog(dialog.record));
    if (type !== 'present') headers.push(['Content-Type', type]);
    const request = this.#build(dialog, { method: 'ACK', headers, body: message.body, seq: sent.seq });
    if (request === undefined) return nok('requested protocol/transport not available');
    const bytes = writeMessage(`ACK ${request.uri} SIP/2.0`, request.headers, request.body);
    sent.ack = { bytes, target: request.target };
    this.#context.send(bytes, request.target);
    link.send(sentFrame(command.id, endpointOf(request.target), sent.transaction.id, undefined, bytes));
  }

  /** CANCEL of a re-INVITE that is still ringing (RFC 3261 section 9.1). */
  #cancel(link: AppLink, command: SipCommand, headers: readonly Header[]): void {
    const invite = this.#context.transactions.clientById(command.transactionId);
    if (invite?.isInvite !== true || !invite.proceeding) {
      const text = `Server error: unable to cancel unknown transaction id: ${command.transactionId}`;
      return link.send(replyFrame(command.id, 'NOK', text));
    }
    const reason = headerValue(headers, 'reason');
    const { request } = invite;
    const kept = request.headers.filter(([name]) => CANCEL_HEADERS.has(name));
    const lines = kept.map(([name, value]): HeaderLine => [
      name,
      name === 'CSeq' ? value.replace(' INVITE', ' CANCEL') : value,
    ]);
    if (reason !== undefined) lines.push(['Reason', reason]);
    const cancel: OutgoingRequest = { ...request, method: 'CANCEL', headers: lines, body: EMPTY };
    const silent: ClientUser = { onResponse: () => undefined, onFailure: () => undefined };
    const transaction = this.#context.transactions.client(cancel, silent);
    link.send(sentFrame(command.id, endpointOf(cancel.target), transaction.id, undefined, transaction.bytes));
    transaction.start();
  }

  /** Ends a call by ourselves and tells the application so, as if unasked: drachtio-srf emits `destroy`. */
  endUnasked(dialog: Dialog, reason: string): void {
    const { transactions, owners, pick } = this.#context;
    const headers: HeaderLine[] = [['Reason', `SIP;cause=200;text="${reason}"`]];
    const request = this.#build(dialog, { method: 'BYE', headers, body: EMPTY });
    const link = owners.get(dialog) ?? pick('BYE');
    this.#end(dialog);
    if (request === undefined) return;
    const silent: ClientUser = { onResponse: () => undefined, onFailure: () => undefined };
    const transaction = transactions.client(request, silent);
    link?.send(
      notificationFrame({
        source: 'application',
        peer: endpointOf(request.target),
        transactionId: 'unsolicited',
        dialogId: dialog.id,
        message: transaction.bytes,
      }),
    );
    transaction.start();
  }
}

const CANCEL_HEADERS = new Set(['Via', 'Max-Forwards', 'Route', 'From', 'To', 'Call-ID', 'CSeq']);
