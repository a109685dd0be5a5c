import { randomBytes } from 'node:crypto';
import {
  cseqOf,
  header,
  headerValues,
  type SipHeaders,
  type SipRequest,
  type SipResponse,
  tagOf,
} from './sip-message.ts';
import { SipFailure } from './sip-transaction.ts';

/** A response with the headers that RFC 3261 section 8.2.6.2 copies. */
export function responseTo(
  request: SipRequest,
  status: number,
  reason: string,
  headers: SipHeaders = [],
  body = '',
): SipResponse {
  const to = header(request, 'to') ?? '';
  return {
    kind: 'response',
    status,
    reason,
    headers: [
      ...headerValues(request, 'via').map((via): [string, string] => ['Via', via]),
      ['From', header(request, 'from') ?? ''],
      ['To', tagOf(to) === undefined ? `${to};tag=${newTag()}` : to],
      ['Call-ID', header(request, 'call-id') ?? ''],
      ['CSeq', header(request, 'cseq') ?? ''],
      ...headers,
    ],
    body: Buffer.from(body, 'utf8'),
  };
}

/** CANCEL, or the ACK of a refusal: the INVITE's own branch, number and route (sections 9.1, 17.1.1.3). */
export function withinTransaction(
  invite: SipRequest,
  method: 'CANCEL' | 'ACK',
  answer?: SipResponse,
): SipRequest {
  const sequence = cseqOf(invite)?.number ?? 1;
  const kept = (name: string) => headerValues(invite, name).map((value): [string, string] => [name, value]);
  const to = answer === undefined ? undefined : header(answer, 'to');
  return {
    kind: 'request',
    method,
    uri: invite.uri,
    headers: [
      ...kept('Via'),
      ['Max-Forwards', '70'],
      ...kept('Route'),
      ...kept('From'),
      ['To', to ?? header(invite, 'to') ?? ''],
      ...kept('Call-ID'),
      ['CSeq', `${sequence} ${method}`],
    ],
    body: Buffer.alloc(0),
  };
}

/** What a final answer of 300 or more says, with what the caller can do about it. */
export function rejection(response: SipResponse, cancelled = false): SipFailure {
  const retryAfterS = Number.parseInt(header(response, 'retry-after') ?? '', 10);
  const says = header(response, 'reason') ?? header(response, 'warning');
  const message = `${response.status} ${response.reason}${says === undefined ? '' : ` (${says})`}`;
  return new SipFailure(cancelled ? 'cancelled' : 'rejected', message, {
    status: response.status,
    retryAfterS: Number.isNaN(retryAfterS) ? undefined : retryAfterS,
  });
}

export function newTag(): string {
  return randomBytes(6).toString('hex');
}
