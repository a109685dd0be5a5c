import type { ChannelId } from '@earshot/contracts';
import { LedgerReach } from './ledger-reach.ts';

/** Why a message from an engine is not taken. The label of earshot_words_dropped_total. */
export type Refusal =
  /** From an attempt that was fenced out. */
  | 'stale-attempt'
  /** From an attempt that no media worker announced. */
  | 'unannounced-attempt'
  /** Words before the accepted tick: a replay of what is taken already. */
  | 'replayed'
  /** fromTick and toTick contradict each other. */
  | 'malformed';

/**
 * The fence of one channel (ARCHITECTURE.md, rules 1 and 3): which attempt may speak, and from which tick on.
 *
 * committedTick <= acceptedTick: what lies between is on its way into the database.
 */
export class ChannelDocument {
  readonly channel: ChannelId;
  readonly index: number;
  /** The highest attempt seen; 0 when none was. */
  attempt: number;
  /** Finals are taken from here on. */
  acceptedTick: number;
  /** Everything before it is in the call log. */
  committedTick: number;
  /** End of the channel's timeline, once known. */
  endTick: number | null;
  /** True when media itself reported endTick, which outweighs the totals of call.ended. */
  endReported = false;
  /** endTick as the call log has it. */
  committedEndTick: number | null;
  /** Finals taken and not yet committed. */
  queued = 0;
  readonly ledger: LedgerReach;
  /** Where the open segment begins whose words were shown last; null: they were taken back, or are final. */
  shownFromTick: number | null = null;
  #contested = false;
  #endAtLeast = 0;
  /**
   * False until an attempt is announced: after a load from the call log (the old one's engine is not ours), and after
   * what the attempt said was discarded.
   */
  #open: boolean;

  constructor(
    channel: ChannelId,
    index: number,
    saved: { attempt: number; committedTick: number; endTick: number | null; ledgerTick?: number } | null,
  ) {
    this.channel = channel;
    this.index = index;
    this.attempt = saved?.attempt ?? 0;
    this.acceptedTick = saved?.committedTick ?? 0;
    this.committedTick = this.acceptedTick;
    this.endTick = saved?.endTick ?? null;
    this.committedEndTick = this.endTick;
    this.#open = saved === null;
    this.ledger = new LedgerReach(saved?.ledgerTick);
  }

  /** True when the channel was ever opened on an engine. */
  get opened(): boolean {
    return this.attempt > 0;
  }

  /**
   * What its owner may be told is durable. A media worker is done with a channel that is committed to its end, and will
   * not report that end again: so the end itself must be in the log before. Null when there is nothing to tell.
   */
  get tellableTick(): number | null {
    const endIsDurable = this.endTick === null || this.endTick === this.committedEndTick;
    return endIsDurable || this.committedTick < this.endTick! ? this.committedTick : null;
  }

  /** Fences out every attempt so far. @returns the attempt to use: as asked, or higher than any seen */
  raise(asked: number): number {
    this.attempt = Math.max(asked, this.attempt + 1);
    this.#open = true;
    return this.attempt;
  }

  /** Whether a message of this attempt may speak. An unknown channel takes the first attempt that it hears. */
  admit(attempt: number): Refusal | null {
    if (this.attempt === 0 && this.#open && attempt > 0) this.attempt = attempt;
    if (attempt < this.attempt || !this.#open) return 'stale-attempt';
    return attempt > this.attempt ? 'unannounced-attempt' : null;
  }

  /** Whether a partial may be shown. */
  admitPartial(attempt: number, fromTick: number): Refusal | null {
    return this.admit(attempt) ?? (fromTick < this.acceptedTick ? 'replayed' : null);
  }

  /** Takes a final: moves the accepted tick to its end. Words are counted in queued until they are committed. */
  accept(attempt: number, fromTick: number, toTick: number, hasWords: boolean): Refusal | null {
    const refusal = this.admit(attempt);
    if (refusal !== null) return refusal;
    if (!Number.isSafeInteger(fromTick) || !Number.isSafeInteger(toTick) || toTick < fromTick)
      return 'malformed';
    // An empty stretch after fromTick is a word that starts where the last one ended: toTick === fromTick would
    // give the next final the same id.
    if (hasWords && toTick === fromTick) return 'malformed';
    if (fromTick < this.acceptedTick) return 'replayed';
    this.acceptedTick = toTick;
    if (hasWords) this.queued++;
    return null;
  }

  /** Moves the accepted tick without words: decided silence. */
  settle(attempt: number, settledTick: number): Refusal | null {
    const refusal = this.admit(attempt);
    if (refusal !== null) return refusal;
    if (!Number.isSafeInteger(settledTick)) return 'malformed';
    this.acceptedTick = Math.max(this.acceptedTick, settledTick);
    return null;
  }

  /** Finals that were taken will not be logged: the next attempt is to speak them again, and none before it. */
  discard(): void {
    this.acceptedTick = this.committedTick;
    this.queued = 0;
    this.#open = false;
  }

  /** The end as its media worker has it. */
  reportEnd(endTick: number): void {
    this.endTick = Math.max(endTick, this.#endAtLeast);
    this.endReported = true;
  }

  /** The end as call.ended has it; what media itself reported outweighs it, unless two media workers report. */
  supposeEnd(endTick: number): void {
    if (!this.endReported) this.endTick = Math.max(endTick, this.#endAtLeast);
    else if (this.#contested) this.endTick = Math.max(endTick, this.endTick ?? 0);
  }

  /** Two live media workers have the channel's leg: it ends where the last of them ends, lest it seem complete before. */
  contest(): void {
    this.#contested = true;
  }

  /** Another media worker than the channel's own says that it ends here. */
  alsoEnds(endTick: number): void {
    this.#contested = true;
    this.#endAtLeast = Math.max(this.#endAtLeast, endTick);
    if (this.endTick !== null) this.endTick = Math.max(this.endTick, endTick);
  }
}
