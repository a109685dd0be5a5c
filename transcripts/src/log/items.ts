import type {
  CallId,
  CallInfo,
  ChannelId,
  ChannelTotals,
  Endpoint,
  EndReason,
  LedgerRow,
  RecognitionState,
  RecordingFacts,
  RevisedSegment,
  TraceEntry,
  Word,
} from '@earshot/contracts';
import type { ChannelCorrection } from '../assemble/corrections.ts';
import type { ChannelProof } from '../document/call.ts';

/** One change of the call log, in the order of arrival. All are idempotent: the log itself says what is new. */
export type LogItem =
  | { readonly kind: 'started'; readonly callId: CallId; readonly call: CallInfo }
  | { readonly kind: 'updated'; readonly callId: CallId; readonly call: CallInfo }
  | {
      readonly kind: 'ended';
      readonly callId: CallId;
      readonly endedAtMs: number;
      readonly endReason: EndReason;
      readonly totals: readonly ChannelTotals[];
    }
  | {
      readonly kind: 'segment';
      readonly callId: CallId;
      readonly channel: ChannelId;
      readonly index: number;
      readonly fromTick: number;
      readonly toTick: number;
      /** At least one. */
      readonly words: readonly Word[];
      readonly endpoint?: Endpoint;
    }
  /** What became of a channel's ticks. */
  | {
      readonly kind: 'ledger';
      readonly callId: CallId;
      readonly channel: ChannelId;
      readonly index: number;
      readonly row: LedgerRow;
      /** Up to there the ledger has no hole once this is in it. */
      readonly reachTick: number;
    }
  /** A stream that was promised brings no packets, or does again. */
  | {
      readonly kind: 'media';
      readonly callId: CallId;
      readonly index: number;
      readonly state: 'missing' | 'present';
      readonly tick: number;
    }
  /** The disk does not keep a channel's audio, or does again. */
  | {
      readonly kind: 'disk';
      readonly callId: CallId;
      readonly index: number;
      readonly state: 'low' | 'full' | 'writable';
      readonly tick: number;
    }
  /** How recognition goes with a call that was recorded first. */
  | { readonly kind: 'recognition'; readonly callId: CallId; readonly state: RecognitionState }
  | { readonly kind: 'complete'; readonly callId: CallId; readonly proof: readonly ChannelProof[] }
  | { readonly kind: 'recording'; readonly callId: CallId; readonly recording: RecordingFacts }
  /** SIP messages of the call. */
  | { readonly kind: 'trace'; readonly callId: CallId; readonly entries: readonly TraceEntry[] }
  /** Somebody says who speaks on a channel. */
  | { readonly kind: 'corrected'; readonly callId: CallId; readonly correction: ChannelCorrection }
  /** The call's audio was recognised again. */
  | {
      readonly kind: 'revised';
      readonly callId: CallId;
      readonly retranscription: string;
      readonly model: string;
      readonly vocabulary: readonly string[];
      readonly segments: readonly RevisedSegment[];
    };

/** The durable fence of a channel: a row of the table channels. */
export interface ChannelRow {
  readonly channel: ChannelId;
  readonly callId: CallId;
  readonly index: number;
  readonly attempt: number;
  readonly committedTick: number;
  readonly endTick: number | null;
}

/** What became of an item. A refusal carries a code of the error catalogue. */
export type Outcome =
  | { readonly done: true }
  | {
      readonly done: false;
      readonly code: 'CALL_NOT_FOUND' | 'CALL_NOT_COMPLETE' | 'CHANNEL_NOT_FOUND' | 'INTERNAL';
    };

export const DONE: Outcome = { done: true };
