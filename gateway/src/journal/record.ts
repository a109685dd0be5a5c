import type { CallId, CallInfo, ChannelPorts, ChannelTotals, EndReason, Leg } from '@earshot/contracts';
import type { SessionTimer } from '../call/session-timer.ts';
import type { MediaMap } from '../call/session.ts';
import type { RecordingMetadata, Stitch } from '../dialects/index.ts';

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
  /** Null, and left out by gateways before this: the session does not expire. */
  readonly timer?: SessionTimer | null;
  /** What makes other dialogs part of the call. Null, and left out by gateways before this: none can be. */
  readonly stitch?: Stitch | null;
}

/** The last dialog of a call is over, and another may go on with it. */
export interface Waiting extends Omit<CallEnd, 'channels'> {
  /** Of the monotonic clock that all processes of a machine share, milliseconds. */
  readonly untilMs: number;
}

export interface CallEnd {
  readonly endedAtMs: number;
  readonly endReason: EndReason;
  readonly channels: readonly ChannelTotals[];
}

/** A call of the journal and what transcripts has acknowledged of it. */
export interface JournalEntry {
  /** Of its dialog; while the call waits for the next one, of the last. */
  readonly call: CallRecord;
  /** Of its further dialogs. */
  readonly further?: readonly CallRecord[];
  readonly waiting?: Waiting | null;
  readonly startedAcked: boolean;
  readonly updatePending: boolean;
  readonly end: CallEnd | null;
}

/** One line of the journal. */
export type JournalLine =
  | { readonly type: 'opened'; readonly call: CallRecord }
  | { readonly type: 'updated'; readonly call: CallRecord; readonly announce: boolean }
  /** A further dialog of a call, or the next one of a call that waits. */
  | { readonly type: 'joined'; readonly call: CallRecord }
  /** A dialog is over and the call is not. `waiting` when it was the last one. */
  | {
      readonly type: 'left';
      readonly callId: CallId;
      readonly dialogId: string;
      readonly waiting: Waiting | null;
    }
  /** What is known of a call changed while it waits. */
  | { readonly type: 'described'; readonly info: CallInfo }
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
        ...withDialogs(
          dialogsOf(entry).map((dialog) => (dialog.dialogId === line.call.dialogId ? line.call : dialog)),
          line.call.info,
        ),
        updatePending: entry.updatePending || line.announce,
      }));
      break;
    case 'joined':
      change(entries, line.call.info.callId, (entry) => ({
        ...entry,
        // Of one that waits or has ended, all dialogs are over.
        ...withDialogs(
          [...(entry.waiting || entry.end !== null ? [] : dialogsOf(entry)), line.call],
          line.call.info,
        ),
        waiting: null,
        end: null,
        updatePending: true,
      }));
      break;
    case 'left':
      change(entries, line.callId, (entry) => {
        if (line.waiting !== null) return { ...entry, waiting: line.waiting };
        const left = dialogsOf(entry).filter(({ dialogId }) => dialogId !== line.dialogId);
        return left.length === 0 ? entry : { ...entry, ...withDialogs(left, entry.call.info) };
      });
      break;
    case 'described':
      change(entries, line.info.callId, (entry) => ({
        ...entry,
        ...withDialogs(dialogsOf(entry), line.info),
        updatePending: true,
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

/** Of each dialog of an entry; of one that waits, that of its last. */
export const dialogsOf = ({ call, further = [] }: JournalEntry): readonly CallRecord[] => [call, ...further];

/** What is known of the call is the same in all its dialogs. */
function withDialogs(
  dialogs: readonly CallRecord[],
  info: CallInfo,
): Required<Pick<JournalEntry, 'call' | 'further'>> {
  const [call, ...further] = dialogs.map((dialog) => ({ ...dialog, info }));
  return { call: call!, further };
}

function change(
  entries: Map<CallId, JournalEntry>,
  callId: CallId,
  to: (entry: JournalEntry) => JournalEntry,
): void {
  const entry = entries.get(callId);
  if (entry !== undefined) entries.set(callId, to(entry));
}
