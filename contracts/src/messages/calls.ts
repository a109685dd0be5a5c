import type { CallInfo, EndReason } from '../call.ts';
import type { CallId } from '../ids.ts';
import type { TraceEntry } from '../trace.ts';
import type { ChannelTotals } from './control.ts';

/**
 * gateway → transcripts, on transcripts' `calls` socket. Each message has an id that rises within a
 * connection; `ack` follows the database commit. What was not acknowledged is sent again after a reconnect: all are
 * idempotent.
 */
export type ToCalls =
  | { readonly type: 'call.started'; readonly id: number; readonly call: CallInfo }
  | { readonly type: 'call.updated'; readonly id: number; readonly call: CallInfo }
  | {
      readonly type: 'call.ended';
      readonly id: number;
      readonly callId: CallId;
      readonly endedAtMs: number;
      readonly endReason: EndReason;
      /** Empty when the media worker could not be asked: transcripts takes the ends that media reports itself. */
      readonly channels: readonly ChannelTotals[];
    }
  /** SIP messages of a call that was announced before. In order; an entry that is there already changes nothing. */
  | {
      readonly type: 'call.trace';
      readonly id: number;
      readonly callId: CallId;
      readonly entries: readonly TraceEntry[];
    }
  /** What `call.pause` asked for could not be done: the call is as it was. Not sent again: whoever asked has given up by then. */
  | {
      readonly type: 'call.pause.failed';
      readonly id: number;
      readonly callId: CallId;
      readonly paused: boolean;
    };

export type FromCalls =
  | { readonly type: 'ack'; readonly id: number }
  /**
   * Somebody asks that nothing of the call be kept or recognised, or that it go on. The gateway has the media worker do it, keeps it
   * in its journal, and answers with `call.updated`, or `call.pause.failed`.
   */
  | { readonly type: 'call.pause'; readonly callId: CallId; readonly paused: boolean };
