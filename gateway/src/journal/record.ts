import type { CallId, CallInfo, ChannelPorts, ChannelTotals, EndReason, Leg } from '@earshot/contracts';
import type { MediaMap } from '../call/session.ts';
import type { RecordingMetadata } from '../dialects/index.ts';

/** All that a gateway needs to go on with a call that its predecessor had. */
export interface CallRecord {
  readonly info: CallInfo;
  /** The SIP server's id of the dialog: `<Call-ID>;from-tag=<the caller's tag>`. */
  readonly dialogId: string;
  /** More than one when re-INVITEs added streams. */
  readonly legs: readonly Leg[];
  readonly ports: readonly ChannelPorts[];
  readonly media: MediaMap;
  /** The caller's last SDP; null until it sent one. An offer that repeats it gets the same answer. */
  readonly offerSdp: string | null;
  /** We made the offer, because the INVITE had none: the ACK brings the answer (RFC 3261 section 13.2.2.4). */
  readonly awaitingAnswer: boolean;
  readonly answer: {
    readonly sessionId: string;
    readonly version: number;
    readonly address: string;
    readonly sdp: string;
  };
  readonly metadata: RecordingMetadata | null;
}

export interface CallEnd {
  readonly endedAtMs: number;
  readonly endReason: EndReason;
  readonly channels: readonly ChannelTotals[];
}

/** A call of the journal and what transcripts has acknowledged of it. */
export interface JournalEntry {
  readonly call: CallRecord;
  readonly startedAcked: boolean;
  readonly updatePending: boolean;
  readonly end: CallEnd | null;
}

/** One line of the journal. */
export type JournalLine =
  | { readonly type: 'opened'; readonly call: CallRecord }
  | { readonly type: 'updated'; readonly call: CallRecord; readonly announce: boolean }
  | { readonly type: 'ended'; readonly callId: CallId; readonly end: CallEnd }
  | { readonly type: 'acked'; readonly callId: CallId; readonly what: 'started' | 'updated' }
  /** call.ended was acknowledged: nothing is left to do. */
  | { readonly type: 'settled'; readonly callId: CallId }
  /** A whole entry; what compaction writes. */
  | { readonly type: 'entry'; readonly entry: JournalEntry };

/** Applies a line. Lines about calls that are not known are of settled calls and change nothing. */
export function applyLine(entries: Map<CallId, JournalEntry>, line: JournalLine): void {
  switch (line.type) {
    case 'opened':
      entries.set(line.call.info.callId, {
        call: line.call,
        startedAcked: false,
        updatePending: false,
        end: null,
      });
      break;
    case 'updated':
      change(entries, line.call.info.callId, (entry) => ({
        ...entry,
        call: line.call,
        updatePending: entry.updatePending || line.announce,
      }));
      break;
    case 'ended':
      change(entries, line.callId, (entry) => ({ ...entry, end: line.end }));
      break;
    case 'acked':
      change(entries, line.callId, (entry) =>
        line.what === 'started' ? { ...entry, startedAcked: true } : { ...entry, updatePending: false },
      );
      break;
    case 'settled':
      entries.delete(line.callId);
      break;
    case 'entry':
      entries.set(line.entry.call.info.callId, line.entry);
      break;
  }
}

function change(
  entries: Map<CallId, JournalEntry>,
  callId: CallId,
  to: (entry: JournalEntry) => JournalEntry,
): void {
  const entry = entries.get(callId);
  if (entry !== undefined) entries.set(callId, to(entry));
}
