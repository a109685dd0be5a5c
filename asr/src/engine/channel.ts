import { type ChannelId, type VocabularyPhrase, tickOfMs } from '@earshot/contracts';
import { ChannelDecoder, type OpenSegment, alignmentSamples } from '../decode/channel-decoder.ts';
import { PartialLedger } from '../decode/partial-ledger.ts';
import { languageModelOf } from '../models/language.ts';
import type { ModelDescription, StepBuffers } from '../models/model.ts';
import { ChannelInput } from './channel-input.ts';
import type { ChannelOwner, WordsSink } from './sink.ts';

/** Audio older than this waits behind that of live channels. A chunk of theirs is 0.4 s old when it is full. */
const CATCH_UP_AFTER_US = 3_000_000;
/** Audio that may be on its way or queued, in ticks. Ten chunks of 300 ms: replay is never short of one. */
export const CREDIT_WINDOW_TICKS = 3 * 8000;
/** A sender beyond twice its credit is broken. */
const QUEUE_LIMIT_SAMPLES = 2 * CREDIT_WINDOW_TICKS + 8000;
/** Progress and credit of a channel are at most this often, unless a final came or the channel ended. */
const REPORT_EVERY_MS = 250;

export interface ChannelOpening {
  readonly channel: ChannelId;
  readonly attempt: number;
  readonly fromTick: number;
  readonly outputFromTick: number;
  readonly live: boolean;
  /** A word is final at most so long (ms) after its end; null: by endpointing alone. */
  readonly maxDelayMs: number | null;
  /** To be preferred. With none, and a model without a language model, the channel is decoded by its best tokens. */
  readonly phrases: readonly VocabularyPhrase[];
}

/** A channel of the engine: its queue, its row of state, its decoder, and what was reported of it. */
export class Channel {
  readonly id: ChannelId;
  readonly attempt: number;
  readonly live: boolean;
  readonly row: number;
  readonly owner: ChannelOwner;
  /** It has a chunk and waits for a batch, or is in one. */
  scheduled = false;
  closed = false;
  readonly #input: ChannelInput;
  readonly #decoder: ChannelDecoder;
  readonly #sink: WordsSink;
  readonly #clearAtGap: boolean;
  readonly #partials = new PartialLedger();
  readonly #phraseCount: number;
  #fresh = true;
  #sentRev = 0;
  /** The partial that was sent last, while no final took its place. */
  #shown: OpenSegment | null = null;
  #sentDecided: number;
  #sentSettled: number;
  #sentCreditFor: number;
  #reportedMs = -Infinity;
  #finals = 0;

  constructor(
    opening: ChannelOpening,
    row: number,
    owner: ChannelOwner,
    sink: WordsSink,
    model: ModelDescription,
  ) {
    const { channel, attempt, fromTick, outputFromTick, live } = opening;
    this.id = channel;
    this.attempt = attempt;
    this.live = live;
    this.row = row;
    this.owner = owner;
    this.#sink = sink;
    this.#clearAtGap = model.clearAtGap;
    this.#phraseCount = opening.phrases.length;
    this.#input = new ChannelInput({
      fromTick,
      chunkSamples: model.timing.chunkSamples,
      flushSamples: model.timing.flushSamples,
      alignmentSamples: alignmentSamples(fromTick, outputFromTick, model.timing),
      limitSamples: QUEUE_LIMIT_SAMPLES,
    });
    this.#decoder = new ChannelDecoder({
      channel,
      fromTick,
      outputFromTick,
      timing: model.timing,
      pieces: model.pieces,
      blank: model.blank,
      repeats: model.repeats,
      confidence: model.confidence ?? null,
      maxDelayTicks: opening.maxDelayMs === null ? null : tickOfMs(opening.maxDelayMs),
      language: languageModelOf(model),
      // A transducer has no log-probabilities of all tokens: it cannot be told what to prefer.
      phrases: model.repeats === 'ctc' ? opening.phrases : [],
      onFinal: (segment) => {
        this.#finals++;
        this.#shown = null;
        this.#partials.final(segment.words, segment.toTick);
        this.#sink.final(this.id, this.attempt, segment, this.#input.arrivalUs);
      },
    });
    this.#sentDecided = fromTick;
    this.#sentSettled = outputFromTick;
    this.#sentCreditFor = fromTick;
    owner.credit(channel, attempt, fromTick + CREDIT_WINDOW_TICKS, fromTick);
  }

  /**
   * Whether the next chunk is of now. A channel that was opened again has what was said meanwhile to catch up with, and one
   * opened for it (`catch-up`) is never live. @param nowUs monotonic microseconds, as arrivals are
   */
  isLive(nowUs: number): boolean {
    const oldestUs = this.#input.oldestArrivalUs ?? nowUs;
    return this.live && nowUs - oldestUs <= CATCH_UP_AFTER_US;
  }

  /** Came, and is not yet decided. */
  get lagTicks(): number {
    return Math.max(0, this.#input.nextTick - this.#decoder.decidedTick);
  }

  /** Decided and not yet settled: what another engine would have to hear again. */
  get openTicks(): number {
    return this.#decoder.decidedTick - this.#decoder.settledTick;
  }

  /** Its rows of a batch are to bring all log-probabilities, not only the best (StepBuffers.full). */
  get wantsFull(): boolean {
    return this.#decoder.wantsAll;
  }

  /** @returns false when far more came than the credit allowed */
  audio(startTick: number, arrivalUs: number, body: Uint8Array): boolean {
    return this.#input.audio(startTick, arrivalUs, body);
  }

  gap(toTick: number): void {
    this.#input.gap(toTick);
  }

  end(tick: number): void {
    this.#input.end(tick);
  }

  /** Somebody asks for what was said so far: the open segment's words become final now. */
  finalise(nowMs: number): void {
    this.#decoder.finalise();
    this.report(nowMs);
  }

  /** Words in partials that were sent, each once, and how many of them were taken back or changed since. For metrics. */
  get partialWords(): { readonly shown: number; readonly changed: number } {
    return this.#partials;
  }

  /** Phrases that are not preferred: the model is a transducer, or has not the letters. For metrics. */
  get ignoredPhrases(): number {
    return this.#phraseCount - this.#decoder.phraseCount;
  }

  /**
   * Applies gaps that are due.
   * @returns `chunk` when it is ready for a batch, `ended` when its end was reported, else `idle`
   */
  advance(nowMs: number): 'idle' | 'chunk' | 'ended' {
    for (;;) {
      const next = this.#input.next();
      switch (next.kind) {
        case 'chunk':
          return 'chunk';
        case 'idle':
          this.report(nowMs);
          return 'idle';
        case 'gap':
          this.#decoder.gap(next.tick);
          this.#fresh ||= this.#clearAtGap;
          break;
        case 'end':
          this.#decoder.gap(next.tick, 'end');
          this.report(nowMs, { ending: true });
          this.#sink.ended(this.id, this.attempt, next.tick);
          return 'ended';
      }
    }
  }

  /** Puts its next chunk into a row of the batch. @returns samples of real audio in it */
  fill(buffers: StepBuffers, batchRow: number, chunkSamples: number): number {
    buffers.channels[batchRow] = this.row;
    buffers.fresh[batchRow] = this.#fresh ? 1 : 0;
    this.#fresh = false;
    return this.#input.fill(buffers.pcm, batchRow * chunkSamples);
  }

  /** Takes the results of its row of the batch. @param real what fill() returned */
  take(buffers: StepBuffers, batchRow: number, framesPerChunk: number, real: number): void {
    const { ids, best, logprobs } = buffers;
    const all = this.wantsFull ? logprobs : null;
    this.#decoder.frames(real, ids, best, batchRow * framesPerChunk, framesPerChunk, all);
  }

  /**
   * Sends what changed: the newest partial, credit, progress.
   * @param stepped a chunk of it went through: credit at once, so that a replay runs at the engine's speed; likewise when
   * half of the credit is used up by gaps
   * @param ending everything at once
   */
  report(nowMs: number, { stepped = false, ending = false } = {}): void {
    this.sendPartial();
    const due = ending || this.#finals > 0 || nowMs - this.#reportedMs >= REPORT_EVERY_MS;
    const { decidedTick, settledTick } = this.#decoder;
    if (due && (decidedTick !== this.#sentDecided || settledTick !== this.#sentSettled)) {
      this.#finals = 0;
      this.#reportedMs = nowMs;
      this.#sentDecided = decidedTick;
      this.#sentSettled = settledTick;
      this.#sink.progress(this.id, this.attempt, decidedTick, settledTick);
    }
    const short = this.#input.nextTick - this.#sentCreditFor >= CREDIT_WINDOW_TICKS / 2;
    if ((due || stepped || short) && decidedTick !== this.#sentCreditFor) {
      this.#sentCreditFor = decidedTick;
      this.owner.credit(this.id, this.attempt, decidedTick + CREDIT_WINDOW_TICKS, decidedTick);
    }
  }

  /** The newest partial, if it was not sent and may be. */
  sendPartial(): void {
    if (this.#decoder.rev === this.#sentRev || this.#sink.congested) return;
    this.#sentRev = this.#decoder.rev;
    const open = this.#decoder.openSegment();
    this.#takeBack();
    if (open !== null) this.#show(open);
  }

  /** What a beam heard may turn out to be nothing: the segment is gone without a final, and its words with it. */
  #takeBack(): void {
    const { isOpen, settledTick, rev } = this.#decoder;
    if (this.#shown === null || (isOpen && settledTick === this.#shown.fromTick)) return;
    this.#show({ ...this.#shown, rev, words: [] });
  }

  #show(segment: OpenSegment): void {
    this.#shown = segment.words.length === 0 ? null : segment;
    this.#partials.partial(segment.words);
    this.#sink.partial(this.id, this.attempt, segment, this.#input.arrivalUs);
  }
}
