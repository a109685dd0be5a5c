import type { ChannelId } from '@earshot/contracts';
import type { FinalSegment, OpenSegment } from '../decode/channel-decoder.ts';
import type { ChannelOwner, WordsSink } from '../engine/sink.ts';
import type { Segments } from './segments.ts';

/** Audio that may be on its way, queued or with the server, undecided: its delay (5 s at most) and a good reserve. */
export const CREDIT_WINDOW_TICKS = 12 * 8000;
/** Progress and credit of a channel are at most this often, unless a final came or the channel ended. */
const REPORT_EVERY_MS = 250;
/** Media leaves an engine that says nothing for 5 s while audio waits; a channel that waits for the server says so. */
const REASSURE_EVERY_MS = 2000;

export interface ReportsOptions {
  readonly channel: ChannelId;
  readonly attempt: number;
  readonly fromTick: number;
  readonly outputFromTick: number;
  readonly owner: ChannelOwner;
  readonly sink: WordsSink;
  /** Monotonic ms. */
  readonly nowMs: () => number;
}

/** What was told of a channel, so that only news is told: words and progress to transcripts, credit to the media worker. */
export class Reports {
  readonly #options: ReportsOptions;
  #rev = 0;
  #decidedTick: number;
  #settledTick: number;
  #creditForTick: number;
  #atMs = -Infinity;
  #reassuredMs: number;
  #finals = 0;
  /** The partial that was sent last, while no final took its place. */
  #shown: OpenSegment | null = null;

  /** Gives the first credit. */
  constructor(options: ReportsOptions) {
    this.#options = options;
    this.#decidedTick = options.fromTick;
    this.#settledTick = options.outputFromTick;
    this.#creditForTick = options.fromTick;
    this.#reassuredMs = options.nowMs();
    this.#credit();
  }

  /** @param arrivalUs of the newest audio that the server took */
  final(segment: FinalSegment, arrivalUs: number): void {
    const { channel, attempt, sink } = this.#options;
    this.#finals++;
    this.#shown = null;
    sink.final(channel, attempt, segment, arrivalUs);
  }

  /** The newest partial, if it was not sent and may be. */
  partial(segments: Segments, arrivalUs: number): void {
    const { channel, attempt, sink } = this.#options;
    if (segments.rev === this.#rev || sink.congested) return;
    this.#rev = segments.rev;
    const open = segments.openSegment();
    const before = this.#shown;
    this.#shown = open;
    // What was guessed turned out to be nothing: there is no final to take its place.
    if (before !== null && before.fromTick !== open?.fromTick) {
      sink.partial(channel, attempt, { ...before, rev: this.#rev, words: [] }, arrivalUs);
    }
    if (open !== null) sink.partial(channel, attempt, open, arrivalUs);
  }

  /** @param nextTick what came so far @param ending everything at once */
  progress({ decidedTick, settledTick }: Segments, nextTick: number, ending: boolean): void {
    const { channel, attempt, sink } = this.#options;
    const nowMs = this.#options.nowMs();
    const due = ending || this.#finals > 0 || nowMs - this.#atMs >= REPORT_EVERY_MS;
    if (due && (decidedTick !== this.#decidedTick || settledTick !== this.#settledTick)) {
      this.#finals = 0;
      this.#atMs = nowMs;
      this.#decidedTick = decidedTick;
      this.#settledTick = settledTick;
      sink.progress(channel, attempt, decidedTick, settledTick);
    }
    const short = nextTick - this.#creditForTick >= CREDIT_WINDOW_TICKS / 2;
    if ((due || short) && decidedTick !== this.#creditForTick) {
      this.#creditForTick = decidedTick;
      this.#credit();
    }
  }

  /** A sign of life for a channel that waits. */
  reassure(): void {
    const nowMs = this.#options.nowMs();
    if (nowMs - this.#reassuredMs < REASSURE_EVERY_MS) return;
    this.#reassuredMs = nowMs;
    this.#credit();
  }

  #credit(): void {
    const { channel, attempt, owner } = this.#options;
    owner.credit(channel, attempt, this.#creditForTick + CREDIT_WINDOW_TICKS, this.#creditForTick);
  }
}
