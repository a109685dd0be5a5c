import type { RecognitionConfig } from '../call.ts';
import type { ChannelId } from '../ids.ts';

/**
 * media worker → asr engine, on the engine's `audio` socket (the engine listens). One connection a worker,
 * all its channels on it. A channel's ticks are contiguous from `open.fromTick` on: each `audio` or `gap` begins
 * where the last one ended. Audio may be sent up to the tick of the last `credit`.
 *
 * Every message names the channel's `attempt`: it rises by one each time the channel is opened again, and
 * what an older attempt says is dropped by everyone.
 */
export interface AsrChannelConfig extends RecognitionConfig {
  readonly priority: 'live' | 'catch-up';
}

export type ToAsr =
  | {
      readonly type: 'open';
      readonly channel: ChannelId;
      readonly attempt: number;
      /** First tick that will be sent. At most 4 s before outputFromTick, to warm the model up. */
      readonly fromTick: number;
      /** Words whose middle lies before this tick are suppressed: they are committed already. */
      readonly outputFromTick: number;
      readonly config: AsrChannelConfig;
    }
  /** Body of the frame: PCM s16le mono 8 kHz, one sample a tick. */
  | {
      readonly type: 'audio';
      readonly channel: ChannelId;
      readonly attempt: number;
      readonly startTick: number;
      /** Monotonic microseconds when the last packet in it arrived; for latency, never for timing words. */
      readonly arrivalUs: number;
    }
  /** Nothing to recognise up to toTick: gated silence, loss, hold. Finalises the open segment. */
  | { readonly type: 'gap'; readonly channel: ChannelId; readonly attempt: number; readonly toTick: number }
  /** The channel's timeline ends at tick. Everything before it is to be decided and reported. */
  | { readonly type: 'end'; readonly channel: ChannelId; readonly attempt: number; readonly tick: number }
  /** Forget the channel: it is opened elsewhere or no longer wanted. */
  | { readonly type: 'close'; readonly channel: ChannelId; readonly attempt: number };

export type FromAsr =
  | {
      readonly type: 'hello';
      readonly engine: number;
      readonly pid: number;
      readonly model: string;
      readonly chunkMs: number;
      /** A gap wipes out what the recogniser remembers: a channel that begins anew at one needs no warm-up. Left out: no. */
      readonly clearsAtGap?: boolean;
    }
  /**
   * Flow control and lag: audio may be sent up to uptoTick; everything before decidedTick has been
   * recognised. Sent after `open`, and as the channel moves on.
   */
  | {
      readonly type: 'credit';
      readonly channel: ChannelId;
      readonly attempt: number;
      readonly uptoTick: number;
      readonly decidedTick: number;
    }
  /** The engine cannot keep this channel (full, lost its transcripts link): open it again, elsewhere if possible. */
  | { readonly type: 'lost'; readonly channel: ChannelId; readonly attempt: number; readonly code: string };
