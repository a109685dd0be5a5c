import type { RecognitionState } from '../call.ts';
import type { CallId, ChannelId } from '../ids.ts';
import type { LedgerPart } from '../ledger.ts';

/**
 * media worker ↔ transcripts, on transcripts' `commit` socket (the worker dials).
 *
 * Opening a channel on an engine: the worker says `attempt`, transcripts fences out every older attempt, waits
 * for finals of the channel that are on their way into the database, and answers `resume` with the tick to go on from.
 * The worker then opens the engine up to 4 s before the tick (docs/adr/0010, 0011). When transcripts itself was replaced the worker does this for all its
 * channels (the link broke), and transcripts reads the tick from the call log.
 */
export type ToCommit =
  | { readonly type: 'hello'; readonly worker: number; readonly pid: number }
  | { readonly type: 'attempt'; readonly channel: ChannelId; readonly attempt: number }
  /** The timeline of the channel ended; the transcript is complete when the channel is settled up to here. */
  | { readonly type: 'ended'; readonly channel: ChannelId; readonly endTick: number }
  /**
   * What became of the channel's ticks from fromTick to toTick, instead of what was said of them before. Sent when something other
   * than audio has ended, at least once a minute, and before `ended`; again after a reconnect from the last `ledgered` on.
   */
  | ({
      readonly type: 'ledger';
      readonly channel: ChannelId;
      /** Only where nothing was said yet: a new worker's reading of the spool, which does not know why there is a gap. */
      readonly fill: boolean;
    } & LedgerPart)
  /**
   * low: the disk was nearly full when the channel's call began, nothing of it is recorded. full: its audio cannot be written, from the
   * tick on. writable: it can be again, or by a worker that took it over. Sent when that changes, and again after a reconnect.
   */
  | {
      readonly type: 'disk';
      readonly channel: ChannelId;
      readonly state: 'low' | 'full' | 'writable';
      readonly tick: number;
    }
  /** How recognition goes with a call that was recorded first. Sent when that changes, and again after a reconnect. */
  | { readonly type: 'recognition'; readonly callId: CallId; readonly state: RecognitionState }
  /** An active channel has had no packet for 3 s since it was promised one, or has one again. Sent when that changes. */
  | {
      readonly type: 'media';
      readonly channel: ChannelId;
      readonly state: 'missing' | 'present';
      readonly tick: number;
    };

export type FromCommit =
  | { readonly type: 'hello'; readonly pid: number }
  /** `attempt` may be higher than asked for, if transcripts has seen a higher one: use it. */
  | { readonly type: 'resume'; readonly channel: ChannelId; readonly attempt: number; readonly tick: number }
  /** Everything before tick is durable. Sent after the database commit. */
  | { readonly type: 'committed'; readonly channel: ChannelId; readonly tick: number }
  /** The ledger is durable up to there. */
  | { readonly type: 'ledgered'; readonly channel: ChannelId; readonly toTick: number };
