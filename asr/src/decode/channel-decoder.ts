import { type ChannelId, type SegmentId, type Word, segmentIdOf } from '@earshot/contracts';
import { CtcCollapse } from './ctc.ts';
import { FrameMap } from './frame-map.ts';
import { ENDPOINT_TICKS, MAX_SEGMENT_TICKS, type ModelTiming, framesFor } from './timing.ts';
import { WORD_MARK } from './tokens.ts';
import { WordBuilder } from './word-builder.ts';

export interface FinalSegment {
  readonly segmentId: SegmentId;
  readonly fromTick: number;
  readonly toTick: number;
  readonly words: readonly Word[];
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
  /** Called in order, from within frames(), gap() and end(). */
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
 * One channel's way from best tokens to segments of words. A segment opens with its first token at the tick that is
 * settled then, and ends at a pause, at a gap, or after 15 s. Deterministic in the samples and gaps, however they were cut
 * into messages.
 */
export class ChannelDecoder {
  readonly #options: DecoderOptions;
  readonly #timing: ModelTiming;
  readonly #map = new FrameMap();
  readonly #collapse: CtcCollapse;
  readonly #endpointFrames: number;
  #words: WordBuilder[] = [];
  #frame = 0;
  /** The stream sample after the last real audio. */
  #realEnd = 0;
  #lastTokenFrame = 0;
  #settledTick: number;
  #decidedTick: number;
  #rev = 0;

  constructor(options: DecoderOptions) {
    this.#options = options;
    this.#timing = options.timing;
    this.#collapse = new CtcCollapse(options.blank);
    this.#endpointFrames = framesFor(ENDPOINT_TICKS, options.timing);
    this.#settledTick = options.outputFromTick;
    this.#decidedTick = options.fromTick;
    this.#map.jump(
      options.fromTick - alignmentSamples(options.fromTick, options.outputFromTick, options.timing),
    );
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

  /** The open segment, or null when it has no words (yet). */
  openSegment(): OpenSegment | null {
    const words = this.#visibleWords();
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
   */
  frames(real: number, ids: Uint16Array, best: Float32Array, offset: number, count: number): void {
    this.#realEnd = this.#map.fed + real;
    this.#map.feed(this.#timing.chunkSamples, real);
    this.#decidedTick = Math.max(this.#decidedTick, this.#map.endTick);
    for (let i = offset; i < offset + count; i++) this.#oneFrame(ids[i]!, best[i]!);
    this.#settleQuiet();
  }

  /** The flush is through: everything before toTick is decided, and audio goes on at toTick. */
  gap(toTick: number): void {
    this.#finish(Math.min(this.#map.endTick, toTick));
    this.#collapse.reset();
    this.#map.jump(toTick);
    this.#decidedTick = Math.max(this.#decidedTick, toTick);
    this.#settle(toTick);
  }

  #oneFrame(id: number, logProbability: number): void {
    const frame = this.#frame++;
    const kind = this.#collapse.next(id);
    if (kind === 'blank') {
      const pause = frame - this.#lastTokenFrame >= this.#endpointFrames;
      if (pause && this.#words.length > 0 && !this.#inPadding) this.#finish(this.#certainTick());
    } else {
      const endStream = (frame + 1) * this.#timing.frameSamples - this.#timing.frameDelaySamples;
      const endTick = this.#map.endTickOf(endStream);
      this.#lastTokenFrame = frame;
      if (kind === 'token') this.#token(this.#options.pieces[id] ?? '', endStream, endTick, logProbability);
      else this.#words.at(-1)?.extend(endTick, logProbability);
    }
    if (this.#words.length > 0) this.#limit(this.#frameEndTick());
  }

  #token(piece: string, endStream: number, endTick: number, logProbability: number): void {
    const begins = piece.startsWith(WORD_MARK);
    const text = begins ? piece.slice(WORD_MARK.length) : piece;
    const current = this.#words.at(-1);
    // Not only at the end of each chunk: so a segment has the same id however its audio fell into chunks.
    this.#settleQuiet();
    if (current !== undefined && !begins) current.append(text, endTick, logProbability);
    else this.#words.push(this.#newWord(text, endStream, endTick, logProbability));
    if (text !== '') this.#rev++;
    this.#dropSuppressed();
  }

  #newWord(text: string, endStream: number, endTick: number, logProbability: number): WordBuilder {
    const lead = this.#timing.frameSamples + this.#timing.wordLeadSamples;
    const previous = this.#words.at(-1);
    // Tokens that come in the padding all end where the audio ended: the word before makes room.
    if (previous !== undefined && previous.endTick >= endTick) {
      previous.endTick = Math.max(previous.startTick + 1, Math.floor((previous.startTick + endTick) / 2));
    }
    const floor = previous?.endTick ?? this.#wordFloor();
    const start = Math.min(this.#map.startTick(endStream - lead), endTick - 1);
    return new WordBuilder(text, Math.max(start, floor), Math.max(endTick, floor + 1), logProbability);
  }

  /** Before output begins a word keeps its true start, so that its middle tells on which side it lies. */
  #wordFloor(): number {
    return this.#settledTick > this.#options.outputFromTick ? this.#settledTick : this.#options.fromTick;
  }

  /** Whole words whose middle lies before the output's beginning are somebody else's: an earlier attempt's. */
  #dropSuppressed(): void {
    while (this.#words.length > 1 && this.#isSuppressed(this.#words[0]!)) this.#words.shift();
  }

  #isSuppressed(word: WordBuilder): boolean {
    return (word.startTick + word.endTick) / 2 < this.#options.outputFromTick;
  }

  #visibleWords(): Word[] {
    const words: Word[] = [];
    for (const builder of this.#words) {
      if (builder.text === '' || this.#isSuppressed(builder)) continue;
      const word = builder.toWord();
      words.push(word.startTick < this.#settledTick ? { ...word, startTick: this.#settledTick } : word);
    }
    return words;
  }

  /** The segment lasted long enough: its words up to the widest pause become final, the others stay open. */
  #limit(nowTick: number): void {
    if (nowTick - this.#settledTick <= MAX_SEGMENT_TICKS - this.#timing.frameSamples) return;
    const cut = widestGap(this.#words);
    if (cut === 0) {
      this.#finish(Math.max(this.#words.at(-1)!.endTick, this.#settledTick));
      return;
    }
    const before = this.#words[cut - 1]!.endTick;
    const after = this.#words[cut]!.startTick;
    const middle = this.#map.onGrid(Math.floor((before + after) / 2), this.#timing.frameSamples);
    const rest = this.#words.slice(cut);
    this.#words = this.#words.slice(0, cut);
    this.#finish(Math.max(before, middle));
    this.#words = rest;
    this.#rev++;
  }

  #finish(toTick: number): void {
    const words = this.#visibleWords();
    if (words.length > 0) {
      const fromTick = this.#settledTick;
      const segmentId = segmentIdOf(this.#options.channel, fromTick);
      const end = Math.max(toTick, words.at(-1)!.endTick);
      this.#settle(end);
      this.#options.onFinal({ segmentId, fromTick, toTick: end, words });
    }
    this.#words = [];
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
    const { frameSamples, flushSamples, frameDelaySamples } = this.#timing;
    const margin = framesFor(flushSamples + frameDelaySamples, this.#timing) * frameSamples;
    return this.#map.startTick(this.#frame * frameSamples - margin);
  }
}

/** Index of the word that begins after the widest pause (the last such), or 0 when there are not two words. */
export function widestGap(
  words: readonly { readonly startTick: number; readonly endTick: number }[],
): number {
  let cut = 0;
  let widest = -1;
  for (let i = 1; i < words.length; i++) {
    const width = words[i]!.startTick - words[i - 1]!.endTick;
    if (width >= widest) {
      widest = width;
      cut = i;
    }
  }
  return cut;
}
