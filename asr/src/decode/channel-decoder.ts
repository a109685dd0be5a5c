import {
  type ChannelId,
  type Endpoint,
  type SegmentId,
  type VocabularyPhrase,
  type Word,
  segmentIdOf,
} from '@earshot/contracts';
import type { ConfidenceMapping } from './confidence.ts';
import { widestGap } from './cut.ts';
import { FrameMap } from './frame-map.ts';
import { type FrameReader, type FrameResult, readerOf } from './frame-reader.ts';
import type { LanguageModel } from './language-model.ts';
import { OpenWords } from './open-words.ts';
import { phraseTreeOf } from './phrases.ts';
import {
  ENDPOINT_TICKS,
  HOLD_TICKS,
  MAX_SEGMENT_TICKS,
  type ModelTiming,
  completeAfterFrames,
  framesFor,
} from './timing.ts';

export interface FinalSegment {
  readonly segmentId: SegmentId;
  readonly fromTick: number;
  readonly toTick: number;
  readonly words: readonly Word[];
  /** Why it ended. */
  readonly endpoint: Endpoint;
}

export interface OpenSegment {
  readonly segmentId: SegmentId;
  readonly fromTick: number;
  readonly rev: number;
  readonly words: readonly Word[];
}

export interface DecoderOptions {
  readonly channel: ChannelId;
  readonly fromTick: number;
  readonly outputFromTick: number;
  readonly timing: ModelTiming;
  readonly pieces: readonly string[];
  readonly blank: number;
  /** `ctc`: a token that is best in neighbouring frames counts once. `each`: it counts each time (transducers). */
  readonly repeats?: 'ctc' | 'each';
  /** The model's calibration; left out: confidence is the geometric mean of the tokens' probabilities. */
  readonly confidence?: ConfidenceMapping | null;
  /** A word is final at most so long after its end, as far as a chunk and flushSamples allow; null: by endpointing alone. */
  readonly maxDelayTicks?: number | null;
  /** With one, or with any phrases, frames() wants all log-probabilities and decodes by a beam search that goes by them. */
  readonly language?: LanguageModel | null;
  readonly phrases?: readonly VocabularyPhrase[];
  /** Called in order, from within frames(), gap() and finalise(). */
  readonly onFinal: (segment: FinalSegment) => void;
}

/**
 * Zero samples to feed before the first audio, so that outputFromTick falls on a frame's boundary. Settled ticks lie on
 * frame boundaries: a replay from one then hears the same audio in the same frames as the first run did.
 */
export function alignmentSamples(fromTick: number, outputFromTick: number, timing: ModelTiming): number {
  const over = (outputFromTick - fromTick) % timing.frameSamples;
  return over === 0 ? 0 : timing.frameSamples - over;
}

/**
 * One channel's way from tokens to segments of words. A segment opens with its first token at the tick that is settled then,
 * and ends at a pause, at a gap, after 15 s, when the call's longest delay is reached, or on request. But for requests it
 * is deterministic in the samples and gaps, however they were cut into messages.
 */
export class ChannelDecoder {
  /** Phrases that are preferred: those that the model's pieces can write. */
  readonly phraseCount: number;
  readonly #options: DecoderOptions;
  readonly #timing: ModelTiming;
  readonly #map = new FrameMap();
  readonly #words: OpenWords;
  readonly #reader: FrameReader;
  readonly #endpointFrames: number;
  readonly #completeFrames: number;
  readonly #holdFrames: number;
  /** How old a word's end may get in the audio; null: any age. */
  readonly #delayTicks: number | null;
  #frame = 0;
  /** The stream sample after the last real audio. */
  #realEnd = 0;
  #settledTick: number;
  #decidedTick: number;
  #rev = 0;
  /** Words that began before this frame are asked for. */
  #requestedFrame = 0;

  constructor(options: DecoderOptions) {
    const { timing, fromTick, outputFromTick, maxDelayTicks, pieces } = options;
    this.#options = options;
    this.#timing = timing;
    this.#words = new OpenWords({
      fromTick,
      outputFromTick,
      timing,
      map: this.#map,
      confidence: options.confidence ?? null,
    });
    const wanted = options.phrases ?? [];
    const phrases = wanted.length === 0 ? null : phraseTreeOf(wanted, pieces);
    this.phraseCount = phrases?.count ?? 0;
    this.#reader = readerOf({
      ...options,
      words: this.#words,
      phrases: this.phraseCount === 0 ? null : phrases,
    });
    this.#completeFrames = completeAfterFrames(timing);
    this.#holdFrames = framesFor(timing.wordHoldSamples ?? HOLD_TICKS, timing);
    this.#endpointFrames = Math.max(framesFor(ENDPOINT_TICKS, timing), this.#completeFrames);
    // A frame is seen at the end of its chunk, and the next at worst a chunk later: that is too late.
    this.#delayTicks =
      typeof maxDelayTicks === 'number' ? Math.max(0, maxDelayTicks - timing.chunkSamples) : null;
    this.#settledTick = outputFromTick;
    this.#decidedTick = fromTick;
    this.#map.jump(fromTick - alignmentSamples(fromTick, outputFromTick, timing));
  }

  /** All audio and gaps before it went through. */
  get decidedTick(): number {
    return this.#decidedTick;
  }

  /** Where the open segment begins; with none, up to where no word can come any more. */
  get settledTick(): number {
    return this.#settledTick;
  }

  /** Rises with each change of the open segment's words. */
  get rev(): number {
    return this.#rev;
  }

  /** Whether a segment is open, be its words to be shown (yet) or not. */
  get isOpen(): boolean {
    return this.#words.length > 0;
  }

  /** Whether frames() wants all log-probabilities. */
  get wantsAll(): boolean {
    return this.#reader.wantsAll;
  }

  /** The open segment, or null when it has no words to be shown (yet). */
  openSegment(): OpenSegment | null {
    const held = this.#frame - 1 - this.#words.lastTokenFrame < this.#holdFrames;
    const words = this.#words.visible(this.#settledTick, held, this.#reader.sureTokens);
    if (words.length === 0) return null;
    const { channel } = this.#options;
    return {
      segmentId: segmentIdOf(channel, this.#settledTick),
      fromTick: this.#settledTick,
      rev: this.#rev,
      words,
    };
  }

  /**
   * One step's result.
   * @param real samples of the chunk that were real audio (or alignment), from its start
   * @param ids best token of each frame, `count` of them from `offset` on @param best their log-probabilities
   * @param all log-probabilities of all tokens, natural, [frame, vocabulary], its frames numbered as those of ids; wanted
   * when there are phrases
   */
  frames(
    real: number,
    ids: Uint16Array,
    best: Float32Array,
    offset: number,
    count: number,
    all: Float32Array | null = null,
  ): void {
    this.#realEnd = this.#map.fed + real;
    this.#map.feed(this.#timing.chunkSamples, real);
    this.#decidedTick = Math.max(this.#decidedTick, this.#map.endTick);
    const result: FrameResult = { ids, best, all };
    for (let i = offset; i < offset + count; i++) {
      const frame = this.#frame++;
      // Not only at the end of each chunk: so a segment has the same id however its audio fell into chunks.
      this.#settleQuiet();
      if (this.#reader.frame(result, i, frame, this.#settledTick)) this.#rev++;
      if (this.#words.length > 0) this.#endpoint(frame);
    }
    this.#settleQuiet();
  }

  /** The flush is through: everything before toTick is decided, and audio goes on at toTick. */
  gap(toTick: number, endpoint: 'gap' | 'end' = 'gap'): void {
    this.#finish(Math.min(this.#map.endTick, toTick), endpoint);
    this.#reader.gap();
    this.#map.jump(toTick);
    this.#decidedTick = Math.max(this.#decidedTick, toTick);
    this.#settle(toTick);
  }

  /**
   * The words said so far become final together, with the endpoint `request`, as soon as the last of them is whole: when the next
   * word begins, or after the silence that the model needs to end a word. The cut is on a frame's boundary like any other, so that a replay from it loses and doubles
   * nothing, though a replay from before it makes other segments.
   */
  finalise(): void {
    // In the padding a gap follows at once.
    if (this.#words.length === 0 || this.#inPadding) return;
    this.#requestedFrame = this.#frame;
    this.#request(this.#frame - 1);
  }

  /** Ends the open segment, or a part of it, if it is time. */
  #endpoint(frame: number): void {
    const quiet = frame - this.#words.lastTokenFrame;
    // What was held back, or not sure, is shown from here on.
    if (quiet === this.#holdFrames || quiet === this.#reader.sureFrames + 1) this.#rev++;
    if (!this.#inPadding) {
      if (quiet >= this.#endpointFrames) {
        this.#finish(this.#certainTick(), 'pause');
        return;
      }
      // Nothing of it is to be seen: as in the first run, where it was final by now, the settled tick goes on.
      if (quiet >= this.#completeFrames && this.#words.allSuppressed) {
        this.#drop();
        return;
      }
      this.#delay(quiet);
      if (this.#requestedFrame > 0) this.#request(frame);
    }
    this.#limit();
  }

  /** The segment lasted long enough: its words up to the widest pause become final, the others stay open. */
  #limit(): void {
    const nowTick = this.#frameEndTick();
    if (nowTick - this.#settledTick <= MAX_SEGMENT_TICKS - this.#timing.frameSamples) return;
    if (this.#words.length === 0 || this.#cut(1, 'length')) return;
    this.#finish(this.#map.onGrid(nowTick, this.#timing.frameSamples), 'length');
  }

  /** The oldest word's end is as long ago as the call allows. */
  #delay(quiet: number): void {
    const oldest = this.#words.oldest;
    if (this.#delayTicks === null || oldest === null) return;
    const dueTick = this.#frameEndTick() - this.#delayTicks;
    if (oldest.endTick > dueTick) return;
    if (quiet >= this.#completeFrames) this.#finish(this.#certainTick(), 'delay');
    else this.#cut(this.#words.endedBefore(dueTick), 'delay');
  }

  #request(frame: number): void {
    const { list, lastTokenFrame } = this.#words;
    const asked = list.findIndex(({ firstFrame }) => firstFrame >= this.#requestedFrame);
    if (asked < 0 && frame - lastTokenFrame >= this.#completeFrames) {
      this.#finish(this.#certainTick(), 'request');
      this.#requestedFrame = 0;
      return;
    }
    if (asked < 0) return;
    for (let index = asked; index > 0; index--) {
      const tick = this.#words.cutBefore(index, this.#settledTick);
      if (tick === null) continue;
      this.#finishFirst(index, tick, 'request');
      break;
    }
    this.#requestedFrame = 0;
  }

  /**
   * Ends the segment in the widest pause there is after its first words.
   * @param from at least so many words become final @returns false when there is no such place
   */
  #cut(from: number, endpoint: Endpoint): boolean {
    const tickAt = (index: number): number | null => this.#words.cutBefore(index, this.#settledTick);
    const index = widestGap(this.#words.list, from, (at) => tickAt(at) !== null);
    const tick = index === 0 ? null : tickAt(index);
    if (tick === null) return false;
    this.#finishFirst(index, tick, endpoint);
    return true;
  }

  /** The first words become final, the others stay open. */
  #finishFirst(count: number, toTick: number, endpoint: Endpoint): void {
    const fromTick = this.#settledTick;
    this.#reader.commit(count);
    this.#emit(this.#words.take(count, toTick, fromTick), toTick, endpoint);
    this.#settle(toTick);
    this.#rev++;
  }

  /** All words become final. */
  #finish(toTick: number, endpoint: Endpoint): void {
    if (this.#reader.finish(this.#settledTick)) this.#rev++;
    const words = this.#words.take(this.#words.length, toTick, this.#settledTick);
    this.#emit(words, toTick, endpoint);
    this.#drop();
  }

  #emit(words: readonly Word[], toTick: number, endpoint: Endpoint): void {
    if (words.length === 0) return;
    const fromTick = this.#settledTick;
    const segmentId = segmentIdOf(this.#options.channel, fromTick);
    const end = Math.max(toTick, words.at(-1)!.endTick);
    this.#settle(end);
    this.#options.onFinal({ segmentId, fromTick, toTick: end, words, endpoint });
  }

  #drop(): void {
    this.#words.clear();
    this.#reader.drop();
  }

  /**
   * With no word open, time is settled up to where none can come. In padding the gap that follows does it; nor does a
   * segment end by itself there: how much padding there is depends on how the audio fell into chunks.
   */
  #settleQuiet(): void {
    if (this.#words.length === 0 && !this.#inPadding) this.#settle(this.#certainTick());
  }

  #settle(tick: number): void {
    this.#settledTick = Math.max(this.#settledTick, tick);
  }

  #frameEndTick(): number {
    return this.#map.endTickOf(this.#frameEnd);
  }

  /** The stream sample after the audio that the newest frame shows. */
  get #frameEnd(): number {
    return this.#frame * this.#timing.frameSamples - this.#timing.frameDelaySamples;
  }

  get #inPadding(): boolean {
    return this.#frameEnd > this.#realEnd;
  }

  /** Before it no word can come any more, if none is open. On a frame's boundary. */
  #certainTick(): number {
    return this.#words.certainTick(this.#frame);
  }
}
