import { randomInt, randomUUID } from 'node:crypto';
import { isSecure } from './addressing.ts';
import { resolveTarget } from '../dialog/routing.ts';
import type { HeaderLine } from '../parse/build.ts';
import { isCallId, isToken } from '../parse/chars.ts';
import { headerValue } from '../parse/message.ts';
import { parseNameAddr, tagOf } from '../parse/uri.ts';
import { parseCSeq } from '../parse/via.ts';
import type { ClientUser, OutgoingRequest } from '../transaction/client.ts';
import { newBranch, newTag } from '../transaction/layer.ts';
import type { Proto } from '../transport/flow.ts';
import type { AppMessage } from '../wire/command.ts';
import type { AppLink, SipCommand } from '../wire/connection.ts';
import { notificationFrame, NOWHERE, replyFrame, sentFrame } from '../wire/leader.ts';
import { appHeaders, contentType, endpointOf, forApplication, localResponse, peerOf } from './app-view.ts';
import type { Context } from './context.ts';

/** Methods that make a dialog, or need one. */
const REFUSED = new Set(['INVITE', 'ACK', 'BYE', 'UPDATE', 'PRACK', 'SUBSCRIBE', 'NOTIFY', 'REFER']);

/** Requests of the application outside dialogs, such as OPTIONS to see whether a peer is there. */
export class OutsideRequests {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  handle(link: AppLink, command: SipCommand, message: AppMessage, method: string): void {
    const nok = (text: string): void => link.send(replyFrame(command.id, 'NOK', text));
    if (REFUSED.has(method)) return nok(`Server error: ${method} outside a dialog is not supported`);
    const type = contentType(message);
    if (type === 'missing') return nok('missing content-type');
    const request = this.#build(command, message, method);
    if (request === undefined) return nok('requested protocol/transport not available');
    const transaction = this.#context.transactions.client(request, listener(link));
    const { target } = request;
    link.send(sentFrame(command.id, endpointOf(target), transaction.id, undefined, transaction.bytes));
    transaction.start();
  }

  #build(command: SipCommand, message: AppMessage, method: string): OutgoingRequest | undefined {
    const { addressing } = this.#context;
    const uri = message.start.kind === 'request' ? message.start.uri : '';
    const fallback: Proto = (['udp', 'tcp', 'tls'] as const).find((proto) => addressing.has(proto)) ?? 'udp';
    const target = resolveTarget(command.proxyUri === '' ? uri : command.proxyUri, fallback, undefined);
    if (target === undefined || !addressing.has(target.proto)) return undefined;
    const ours = { ...addressing.ofTarget(target), secure: isSecure(uri) };
    const given = (key: string): string | undefined =>
      headerValue(message.headers, key)?.replaceAll('@localhost', `@${ours.hostPort}`);
    const callId = given('call-id') ?? '';
    const seq = parseCSeq(given('cseq') ?? '')?.seq ?? randomInt(1, 2 ** 30);
    const branch = newBranch();
    const type = contentType(message);
    const headers: HeaderLine[] = [
      ['Via', addressing.via(target, branch)],
      ['Max-Forwards', '70'],
      ['From', withTag(given('from') ?? `<sip:${ours.hostPort}>`)],
      ['To', given('to') ?? `<${uri}>`],
      ['Call-ID', isCallId(callId) ? callId : randomUUID()],
      ['CSeq', `${seq} ${method}`],
      ...appHeaders(message.headers, ours),
      ...(type === 'application/sdp' ? [['Content-Type', type] as const] : []),
    ];
    if (given('contact') === undefined) headers.push(['Contact', addressing.contact(ours)]);
    return { method, uri, headers, body: message.body, branch, target };
  }
}

function withTag(from: string): string {
  const address = parseNameAddr(from);
  const tag = address === undefined ? undefined : tagOf(address);
  if (tag !== undefined && isToken(tag)) return from;
  // Bare, since parameters of an addr-spec without brackets would be the header's.
  return `${from.includes('<') ? from : `<${from}>`};tag=${newTag()}`;
}

const listener = (link: AppLink): ClientUser => ({
  onResponse: (response, flow, transaction) => {
    if (response.status === 100) return;
    const message = forApplication(response);
    const ids = { transactionId: transaction.id, dialogId: '' };
    link.send(notificationFrame({ source: 'network', peer: peerOf(flow), ...ids, message }));
  },
  onFailure: (failure, transaction) => {
    const message = localResponse(transaction, failure === 'timeout' ? 408 : 503);
    const ids = { transactionId: transaction.id, dialogId: '' };
    link.send(notificationFrame({ source: 'network', peer: NOWHERE, ...ids, message }));
  },
});
