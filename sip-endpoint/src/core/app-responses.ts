import { Dialog } from '../dialog/dialog.ts';
import { dialogId, type DialogRecord } from '../dialog/record.ts';
import { contactUri, routeSetOf } from '../dialog/routing.ts';
import { buildResponse, taggedTo, type HeaderLine } from '../parse/build.ts';
import { headerValue } from '../parse/message.ts';
import { tagOf } from '../parse/uri.ts';
import { newTag } from '../transaction/layer.ts';
import type { ServerTransaction } from '../transaction/server.ts';
import { sourceUri } from '../transport/flow.ts';
import type { AppMessage } from '../wire/command.ts';
import type { AppLink, SipCommand } from '../wire/connection.ts';
import { replyFrame, sentFrame } from '../wire/leader.ts';
import type { AckWaits } from './ack-waits.ts';
import { isSecure } from './addressing.ts';
import { appHeaders, chosenToTag, contentType, peerOf } from './app-view.ts';
import type { Context } from './context.ts';
import type { Pending, PendingRequests } from './pending.ts';
import { reliability, type ReliableProvisionals } from './reliable.ts';

const UNKNOWN = 'Response not sent due to unknown transaction';

/** Methods whose 2xx carries our Contact: they make a dialog or refresh its target. */
const WITH_CONTACT = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE']);

/** Responses that the application sends: completed, sent, and what they mean for the dialog. */
export class AppResponses {
  readonly #context: Context;
  readonly #pending: PendingRequests;
  readonly #acks: AckWaits;
  readonly #reliable: ReliableProvisionals;

  constructor(context: Context, pending: PendingRequests, acks: AckWaits, reliable: ReliableProvisionals) {
    this.#context = context;
    this.#pending = pending;
    this.#acks = acks;
    this.#reliable = reliable;
  }

  handle(link: AppLink, command: SipCommand, message: AppMessage, status: number, reason: string): void {
    const nok = (text: string): void => link.send(replyFrame(command.id, 'NOK', text));
    const pending = this.#pending.get(command.transactionId);
    if (pending === undefined) return nok(UNKNOWN);
    const { transaction } = pending;
    const reliable = wantsReliable(transaction, message, status);
    if (reliable && reliability(transaction.request) === 'unknown')
      return nok('Remote endpoint does not support 100rel');
    const rseq = reliable ? this.#reliable.next(transaction) : undefined;
    if (reliable && rseq === undefined) return nok('Server error: the response before awaits its PRACK');
    if (status > 100) transaction.toTag ??= chosenToTag(message) ?? newTag();
    const bytes = buildResponse(transaction.request, {
      status,
      reason: reason === '' ? 'Unspecified' : reason,
      toTag: transaction.toTag,
      headers: this.#headers(transaction, message, status, rseq),
      body: message.body,
    });
    if (!this.#context.transactions.respondBytes(transaction, status, bytes)) return nok(UNKNOWN);
    const dialog = transaction.isInvite ? this.#afterInvite(pending, link, status, bytes) : undefined;
    if (transaction.request.method === 'UPDATE' && status >= 200 && status < 300) this.#refresh(pending);
    if (rseq !== undefined) this.#reliable.start(transaction, rseq, bytes);
    if (status < 200) this.#pending.ringing(pending);
    else {
      this.#pending.remove(transaction.id);
      this.#reliable.stop(transaction);
    }
    link.send(sentFrame(command.id, peerOf(transaction.flow), transaction.id, dialog?.id ?? '', bytes));
  }

  #headers(
    transaction: ServerTransaction,
    message: AppMessage,
    status: number,
    rseq: number | undefined,
  ): HeaderLine[] {
    const { addressing } = this.#context;
    const ours = addressing.ofRequest(transaction.request, transaction.flow);
    const headers = appHeaders(message.headers, ours);
    if (rseq !== undefined) {
      headers.push(['RSeq', String(rseq)]);
      if (!requires100rel(message)) headers.push(['Require', '100rel']);
    }
    const wanted = WITH_CONTACT.has(transaction.request.method) && status > 100 && status < 300;
    if (wanted && headerValue(message.headers, 'contact') === undefined)
      headers.unshift(['Contact', addressing.contact(ours)]);
    const type = contentType(message);
    // The real server refuses this in requests only; a body that cannot be named is still delivered.
    if (type !== 'present')
      headers.push(['Content-Type', type === 'missing' ? 'application/octet-stream' : type]);
    return headers;
  }

  /** The dialog that a response to an INVITE makes, confirms, refreshes or ends. */
  #afterInvite(pending: Pending, link: AppLink, status: number, bytes: Buffer): Dialog | undefined {
    const { dialogs, owners } = this.#context;
    const { transaction } = pending;
    if (status <= 100) return pending.dialog;
    if (status >= 300) {
      if (pending.dialog?.confirmed === false) dialogs.remove(pending.dialog);
      return pending.dialog;
    }
    const known = pending.dialog;
    const dialog = known ?? new Dialog(recordOf(transaction), status >= 200);
    if (known === undefined) {
      pending.dialog = dialog;
      dialog.receivedInvite = transaction;
      dialog.connection = transaction.flow.connection;
      dialogs.add(dialog);
    }
    owners.set(dialog, link);
    if (status < 200) return dialog;
    if (pending.inDialog) this.#refresh(pending);
    dialog.confirmed = true;
    // Writes the record, too.
    this.#acks.start(dialog, transaction, bytes);
    return dialog;
  }

  /** Target refresh by a re-INVITE or UPDATE that we accept (RFC 3261 section 12.2.2). */
  #refresh({ dialog, transaction }: Pending): void {
    const target = contactUri(transaction.request);
    if (dialog === undefined || target === undefined) return;
    dialog.record.remoteTarget = target;
    this.#context.dialogs.changed(dialog);
  }
}

const requires100rel = (message: AppMessage): boolean =>
  (headerValue(message.headers, 'require') ?? '').toLowerCase().includes('100rel');

/** Where the application asks for it, and where the caller takes no other (RFC 3262 section 3). */
const wantsReliable = (
  { isInvite, request }: ServerTransaction,
  message: AppMessage,
  status: number,
): boolean =>
  isInvite &&
  status > 100 &&
  status < 200 &&
  (requires100rel(message) || reliability(request) === 'required');

/** The dialog of a UAS at its first response with a To tag (RFC 3261 section 12.1.1). */
function recordOf({ request, flow, toTag = '' }: ServerTransaction): DialogRecord {
  const remoteTag = tagOf(request.from) ?? '';
  return {
    id: dialogId(request.callId, remoteTag),
    callId: request.callId,
    role: 'uas',
    localTag: toTag,
    remoteTag,
    localParty: taggedTo(request, toTag),
    remoteParty: headerValue(request.headers, 'from') ?? '',
    localSeq: 0,
    remoteSeq: request.cseq.seq,
    remoteTarget: contactUri(request) ?? sourceUri(flow),
    routeSet: routeSetOf(request),
    proto: flow.proto,
    peerAddress: flow.remoteAddress,
    peerPort: flow.remotePort,
    localAddress: flow.localAddress,
    localPort: flow.localPort,
    ...(isSecure(request.uri) && { secure: true }),
  };
}
