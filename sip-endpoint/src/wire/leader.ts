import { randomUUID } from 'node:crypto';
import { encodeFrame } from './frame.ts';

/** Address tokens of a leader; all empty (port 0) for what did not come from the network. */
export interface Endpoint {
  readonly proto: string;
  readonly address: string;
  readonly port: number;
}

export const NOWHERE: Endpoint = { proto: '', address: '', port: 0 };

const pad = (value: number, digits: number): string => String(value).padStart(digits, '0');

/** `HH:MM:SS.uuuuuu`, UTC. JavaScript's clock has milliseconds; the rest are zeros. */
export function timeToken(date: Date): string {
  const time = `${pad(date.getUTCHours(), 2)}:${pad(date.getUTCMinutes(), 2)}:${pad(date.getUTCSeconds(), 2)}`;
  return `${time}.${pad(date.getUTCMilliseconds(), 3)}000`;
}

const peerTokens = (source: string, size: number, peer: Endpoint): string =>
  `${source}|${size}|${peer.proto}|${peer.address}|${peer.port}|${timeToken(new Date())}`;

export interface Notification {
  readonly source: 'network' | 'application';
  readonly peer: Endpoint;
  readonly transactionId: string;
  readonly dialogId: string;
  /** Where a request outside a dialog arrived; drachtio-srf shows it as `req.receivedOn`. */
  readonly receivedOn?: { readonly address: string; readonly port: number };
  readonly message: Buffer;
}

/** `<uuid>|sip|<source>|<bytes>|<proto>|<addr>|<port>|<time>|<txnId>|<dialogId>|[<addr>|<port>|]` and the message. */
export function notificationFrame(n: Notification): Buffer {
  const on = n.receivedOn === undefined ? '' : `${n.receivedOn.address}|${n.receivedOn.port}|`;
  const peer = peerTokens(n.source, n.message.length, n.peer);
  return encodeFrame(`${randomUUID()}|sip|${peer}|${n.transactionId}|${n.dialogId}|${on}\r\n`, n.message);
}

/** A reply without a message: `OK` and its tokens, `NO` (refused, connection closed) or `NOK` (failed). */
export function replyFrame(commandId: string, word: 'OK' | 'NO' | 'NOK', ...tokens: string[]): Buffer {
  return encodeFrame([randomUUID(), 'response', commandId, word, ...tokens].join('|'));
}

/** The reply to a SIP message that was sent: for a response with its dialog id, for a request without. */
export function sentFrame(
  commandId: string,
  peer: Endpoint,
  transactionId: string,
  dialogId: string | undefined,
  message: Buffer,
): Buffer {
  const ids = dialogId === undefined ? transactionId : `${transactionId}|${dialogId}|`;
  const tokens = peerTokens('application', message.length, peer);
  return encodeFrame(`${randomUUID()}|response|${commandId}|OK|${tokens}|${ids}|Msg sent:|\r\n`, message);
}
