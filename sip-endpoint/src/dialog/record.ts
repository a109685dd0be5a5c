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
}

export const dialogId = (callId: string, fromTag: string): string => `${callId};from-tag=${fromTag}`;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Reads a record from the dialog file; undefined when it is not one. */
export function readRecord(value: unknown): DialogRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const r = value as Record<string, unknown>;
  const texts = [
    'id',
    'callId',
    'localTag',
    'remoteTag',
    'localParty',
    'remoteParty',
    'peerAddress',
    'localAddress',
  ];
  if (!texts.every((name) => isText(r[name]))) return undefined;
  if (!['localSeq', 'remoteSeq', 'peerPort', 'localPort'].every((name) => isCount(r[name]))) return undefined;
  if (r['role'] !== 'uas' && r['role'] !== 'uac') return undefined;
  if (r['proto'] !== 'udp' && r['proto'] !== 'tcp') return undefined;
  if (!isText(r['remoteTarget']) || parseSipUri(r['remoteTarget']) === undefined) return undefined;
  if (!Array.isArray(r['routeSet']) || !r['routeSet'].every(isText)) return undefined;
  return value as DialogRecord;
}
