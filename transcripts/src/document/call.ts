import {
  type CallId,
  type CallInfo,
  type ChannelId,
  type ChannelTotals,
  partsOfChannel,
  type RecognitionState,
} from '@earshot/contracts';
import { type ChannelCorrection, corrected, withCorrection } from '../assemble/corrections.ts';
import { ChannelDocument } from './channel.ts';

/** How far a channel is, for the proof of completeness and the warning when it lacks. */
export interface ChannelProof {
  readonly index: number;
  readonly endTick: number;
  readonly settledTick: number;
  /** The ledger has no hole before it. */
  readonly ledgerTick: number;
}

/**
 * A channel that never opened and whose end nobody reported counts as complete only this long after the end of the
 * call: the message of a media worker that was replaced at that moment may still come.
 */
export const UNOPENED_GRACE_MS = 5000;

/**
 * Media workers tell a channel's ledger before its end. What is not there by then is on the way from a successor, or lost: the transcript does
 * not wait for it longer than this.
 */
export const LEDGER_GRACE_MS = 3000;
/** The media worker of an ended call that is said to wait has so long to say that it has its audio; workers repeat it at each connection. */
const WAITING_GRACE_MS = 60_000;

/** The live document of one call: what is needed to judge messages about it. Everything else is in the call log. */
export class CallDocument {
  readonly callId: CallId;
  /** call.started was taken (or found in the log). */
  known = false;
  /** When call.ended was taken or found in the log, ms of the caller's monotonic clock. */
  endedAtMs: number | null = null;
  /** The transcript was found complete; the log follows. */
  complete = false;
  /** Nothing of it is kept or recognised for now. */
  paused = false;
  #recognition: RecognitionState | null = null;
  /** A media worker said it: it has the audio. */
  recognitionTold = false;
  warned = false;
  /** Finals of it were given up before it was known: its channels are to be spoken again. */
  discarded = false;
  readonly channels = new Map<number, ChannelDocument>();
  #roles: string[] = [];
  #corrections: readonly ChannelCorrection[];
  /** When nothing but a ledger lacked, same clock as endedAtMs. */
  #settledAtMs: number | null = null;

  /** @param corrections as the call log has them */
  constructor(callId: CallId, corrections: readonly ChannelCorrection[] = []) {
    this.callId = callId;
    this.#corrections = corrections;
  }

  describe(call: Pick<CallInfo, 'channels' | 'paused'>): void {
    this.known = true;
    this.paused = call.paused === true;
    this.#roles = [];
    for (const info of corrected(call.channels, this.#corrections)) this.#roles[info.index] = info.role;
    for (const info of call.channels) this.channel(info.channel);
  }

  /** Words of a call that was recorded first come when there is room: that they lack is no fault until it is `current`. */
  get recognition(): RecognitionState {
    return this.#recognition ?? 'current';
  }

  set recognition(state: RecognitionState) {
    this.#recognition = state;
  }

  /** Whether words may lack without a fault: they are owed by a media worker, which has said so. */
  isExcused(nowMs: number): boolean {
    if (this.recognition === 'current') return false;
    return this.recognitionTold || nowMs - (this.endedAtMs ?? nowMs) < WAITING_GRACE_MS;
  }

  /** As the gateway has it begin; its media worker knows better, and may be faster. */
  beginsAs(state: RecognitionState): void {
    this.#recognition ??= state;
  }

  /** Somebody said who speaks on a channel, and it is in the log. */
  correct(correction: ChannelCorrection): void {
    this.#corrections = withCorrection(this.#corrections, correction);
    this.#roles[correction.index] = correction.role;
  }

  roleOf(index: number): string {
    return this.#roles[index] ?? 'unknown';
  }

  /** The channel's fence, made on first sight. @throws RangeError on what is no channel id */
  channel(channel: ChannelId): ChannelDocument {
    const { index } = partsOfChannel(channel);
    let document = this.channels.get(index);
    if (document === undefined) {
      document = new ChannelDocument(channel, index, null);
      this.channels.set(index, document);
    }
    return document;
  }

  /** @param totals of call.ended; empty when the media worker could not be asked */
  end(totals: readonly ChannelTotals[], nowMs: number): void {
    this.endedAtMs ??= nowMs;
    for (const total of totals) this.channel(total.channel).supposeEnd(total.endTick);
  }

  /**
   * The proof that every tick received is settled, or null while something lacks. Complete means: the call has ended
   * and each channel's accepted tick reached the end of its timeline; its ledger too, unless it does not come.
   */
  proof(nowMs: number): readonly ChannelProof[] | null {
    if (!this.known || this.endedAtMs === null) return null;
    const rows: ChannelProof[] = [];
    for (const channel of this.channels.values()) {
      const graceIsOver = !this.isExcused(nowMs) && nowMs - this.endedAtMs >= UNOPENED_GRACE_MS;
      const end = channel.endTick ?? (!channel.opened && graceIsOver ? 0 : null);
      if (end === null || channel.acceptedTick < end) return null;
      rows.push({
        index: channel.index,
        endTick: end,
        settledTick: channel.acceptedTick,
        ledgerTick: channel.ledger.tick,
      });
    }
    this.#settledAtMs ??= nowMs;
    const ledgerComplete = rows.every(({ endTick, ledgerTick }) => ledgerTick >= endTick);
    if (!ledgerComplete && nowMs - this.#settledAtMs < LEDGER_GRACE_MS) return null;
    return rows.sort((a, b) => a.index - b.index);
  }

  /** What keeps the call from being complete, for the log. */
  missing(): { index: number; settledTick: number; endTick: number | null; opened: boolean }[] {
    return [...this.channels.values()]
      .filter(({ endTick, acceptedTick }) => endTick === null || acceptedTick < endTick)
      .map(({ index, acceptedTick, endTick, opened }) => ({
        index,
        settledTick: acceptedTick,
        endTick,
        opened,
      }));
  }
}
