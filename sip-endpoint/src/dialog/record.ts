import { parseSipUri } from '../parse/uri.ts';
import type { Proto } from '../transport/flow.ts';

/** All of a dialog that must outlive this process (RFC 3261 section 12): one line of the dialog file. */
export interface DialogRecord {
  /** `<Call-ID>;from-tag=<tag in the From of the INVITE>`: the id that the application knows. */
  readonly id: string;
  readonly callId: string;
  readonly role: 'uas' | 'uac';
  readonly localTag: string;
  readonly remoteTag: string;
  /** From (ours) and To (theirs) of requests that we send, tags included. */
  readonly localParty: string;
  readonly remoteParty: string;
  /** CSeq of the last request in each direction. */
  localSeq: number;
  remoteSeq: number;
  remoteTarget: string;
  readonly routeSet: readonly string[];
  /** Transport and addresses of the dialog's first request. */
  readonly proto: Proto;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Made by an INVITE to a `sips:` URI. */
  readonly secure?: boolean;
  /** Our latest 2xx to an INVITE, while its ACK is waited for. */
  unacknowledged?: Unacknowledged;
}

/** A 2xx that a successor of this process has to repeat (RFC 3261 section 13.3.1.4). */
export interface Unacknowledged {
  /** CSeq of its INVITE. */
  readonly seq: number;
  /** Id of the INVITE's transaction, as the application knows it. */
  readonly transactionId: string;
  /** The response, a byte string. */
  readonly response: string;
  readonly proto: Proto;
  readonly host: string;
  readonly port: number;
}

export const dialogId = (callId: string, fromTag: string): string => `${callId};from-tag=${fromTag}`;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isProto = (value: unknown): value is Proto => value === 'udp' || value === 'tcp' || value === 'tls';

function isUnacknowledged(value: unknown): value is Unacknowledged {
  if (typeof value !== 'object' || value === null) return false;
  const u = value as Record<string, unknown>;
  const texts = isText(u['transactionId']) && isText(u['response']) && isText(u['host']);
  return texts && isCount(u['seq']) && isCount(u['port']) && isProto(u['proto']);
}

/** Reads a record from the dialog file; undefined when it is not one. */
export function readRecord(value: unknown): DialogRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const r = value as Record<string, unknown>;
  const texts = ['id', 'callId', 'localTag', 'localParty', 'remoteParty', 'peerAddress', 'localAddress'];
  if (!texts.every((name) => isText(r[name]))) return undefined;
  // Empty for a caller of RFC 2543 times (RFC 3261 section 12.1.1).
  if (typeof r['remoteTag'] !== 'string') return undefined;
  if (!['localSeq', 'remoteSeq', 'peerPort', 'localPort'].every((name) => isCount(r[name]))) return undefined;
  if (r['role'] !== 'uas' && r['role'] !== 'uac') return undefined;
  if (!isProto(r['proto'])) return undefined;
  if (!isText(r['remoteTarget']) || parseSipUri(r['remoteTarget']) === undefined) return undefined;
  if (r['unacknowledged'] !== undefined && !isUnacknowledged(r['unacknowledged'])) return undefined;
  if (!Array.isArray(r['routeSet']) || !r['routeSet'].every(isText)) return undefined;
  return value as DialogRecord;
}
