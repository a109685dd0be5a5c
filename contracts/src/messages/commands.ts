import type { CallId, ChannelId } from '../ids.ts';
import type { Participant, Role } from '../call.ts';
import type { RecordingFacts } from '../recording.ts';
import type { Endpoint, VocabularyPhrase, Word } from './words.ts';

/**
 * post-call and dashboard-api → transcripts, on transcripts' `commands` socket: everyone else's way to change the
 * call log and the vocabulary. `done` follows the database commit; `refused` carries a code of the error catalogue. All are
 * idempotent: they are sent again when the link broke before the answer.
 */
export type ToCommands =
  | {
      readonly type: 'recording.ready';
      readonly id: number;
      readonly callId: CallId;
      readonly recording: RecordingFacts;
    }
  /** Makes the list or replaces it. */
  | {
      readonly type: 'vocabulary.put';
      readonly id: number;
      readonly name: string;
      readonly phrases: readonly VocabularyPhrase[];
    }
  | { readonly type: 'vocabulary.delete'; readonly id: number; readonly name: string }
  /** What was said so far becomes final, on every channel of the call. Done when the engines were told. */
  | { readonly type: 'call.finalise'; readonly id: number; readonly callId: CallId }
  /** Nothing of the call is kept or recognised until it goes on. Done when the media worker does so. */
  | {
      readonly type: 'call.pause';
      readonly id: number;
      readonly callId: CallId;
      readonly paused: boolean;
    }
  /** Somebody says who speaks on a channel. It holds against whatever the signalling says later. */
  | {
      readonly type: 'channel.correct';
      readonly id: number;
      readonly callId: CallId;
      readonly index: number;
      readonly role: Role;
      /** What is left out stays as it is. */
      readonly participant: Partial<Participant>;
      /** Who says so, for the evidence. */
      readonly by: string;
    }
  /**
   * The call's audio was recognised again: the words replace its transcript, once for each retranscription. A transcript that
   * does not fit into one frame comes in parts, which are `done` as they are taken; the last makes the change.
   */
  | {
      readonly type: 'transcript.revise';
      readonly id: number;
      readonly callId: CallId;
      readonly retranscription: string;
      readonly model: string;
      readonly vocabulary: readonly string[];
      /** 0 … parts - 1 */
      readonly part: number;
      readonly parts: number;
      readonly segments: readonly RevisedSegment[];
    };

export interface RevisedSegment {
  readonly channel: ChannelId;
  readonly fromTick: number;
  readonly toTick: number;
  /** At least one. */
  readonly words: readonly Word[];
  readonly endpoint?: Endpoint;
}

/** A command before it has an id. */
export type Command = ToCommands extends infer C ? (C extends ToCommands ? Omit<C, 'id'> : never) : never;

export type FromCommands =
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'refused'; readonly id: number; readonly code: string; readonly message: string };
