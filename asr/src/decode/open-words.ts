import type { Word } from '@earshot/contracts';
import type { ConfidenceMapping } from './confidence.ts';
import { cutTick, middleOf } from './cut.ts';
import type { FrameMap } from './frame-map.ts';
import { type ModelTiming, framesFor } from './timing.ts';
import { WORD_MARK } from './tokens.ts';
import { WordBuilder } from './word-builder.ts';

export interface OpenWordsOptions {
  readonly fromTick: number;
  readonly outputFromTick: number;
  readonly timing: ModelTiming;
  readonly map: FrameMap;
  readonly confidence: ConfidenceMapping | null;
}

/** The words of the open segment, from tokens to words with ticks. */
export class OpenWords {
  readonly #options: OpenWordsOptions;
  readonly #map: FrameMap;
  readonly #timing: ModelTiming;
  readonly #lead: number;
  readonly #tail: number;
  readonly #marginFrames: number;
  #list: WordBuilder[] = [];
  #lastTokenFrame = 0;
  #droppedTokens = 0;
  /** Where the first word begins that was left at the last cut, as what was before it told. */
  #cutFloor = 0;

  constructor(options: OpenWordsOptions) {
    const { timing } = options;
    this.#options = options;
    this.#map = options.map;
    this.#timing = timing;
    this.#lead = timing.frameSamples + timing.wordLeadSamples;
    this.#tail = timing.wordTailSamples ?? 0;
    this.#marginFrames = framesFor(timing.flushSamples + timing.frameDelaySamples, timing);
  }

  get list(): readonly WordBuilder[] {
    return this.#list;
  }

  get length(): number {
    return this.#list.length;
  }

  /** Frame of the newest token, repeats included. */
  get lastTokenFrame(): number {
    return this.#lastTokenFrame;
  }

  /** Every word there is lies before the output's beginning. */
  get allSuppressed(): boolean {
    return this.#list.every((word) => this.#isSuppressed(word));
  }

  /** Tokens that came since clear(), up to the end of the first `count` words. */
  tokensUpTo(count: number): number {
    return this.#list.slice(0, count).reduce((sum, { tokens }) => sum + tokens, this.#droppedTokens);
  }

  /** Before it no word can come any more, if none is open after `frames` frames. On a frame's boundary. */
  certainTick(frames: number): number {
    return this.#map.startTick((frames - this.#marginFrames) * this.#timing.frameSamples);
  }

  /** A new token. @param settledTick the segment begins there */
  token(piece: string, frame: number, logProbability: number, settledTick: number): void {
    const begins = piece.startsWith(WORD_MARK);
    const text = begins ? piece.slice(WORD_MARK.length) : piece;
    const current = this.#list.at(-1);
    this.#lastTokenFrame = frame;
    if (current !== undefined && !begins) current.append(text, this.#endOf(frame), frame, logProbability);
    else {
      this.#list.push(this.#newWord(text, frame, logProbability, settledTick));
      this.#dropSuppressed();
    }
  }

  /** The newest token goes on in this frame. */
  extend(frame: number, logProbability: number): void {
    this.#lastTokenFrame = frame;
    this.#list.at(-1)?.extend(this.#endOf(frame), frame, logProbability);
  }

  clear(): void {
    this.#list = [];
    this.#droppedTokens = 0;
  }

  /**
   * Takes the newest words back: those that are not wholly of the first `tokens` tokens that came since clear().
   * @returns how many tokens are left: the ones after them are to come again
   */
  keep(tokens: number): number {
    let left = this.#droppedTokens;
    let count = 0;
    for (; count < this.#list.length; count++) {
      const { tokens: own } = this.#list[count]!;
      if (left + own > tokens) break;
      left += own;
    }
    if (count === 0) {
      this.clear();
      return 0;
    }
    this.#list.length = count;
    const last = this.#list[count - 1]!;
    last.standAlone();
    this.#lastTokenFrame = last.lastFrame;
    return left;
  }

  /**
   * Takes words off the front; they end at or before limitTick, and the others begin there.
   * @returns those that are to be seen, in order
   */
  take(count: number, limitTick: number, settledTick: number): Word[] {
    const taken = this.#list.slice(0, count);
    this.#list = this.#list.slice(count);
    this.#droppedTokens = 0;
    let limit = limitTick;
    for (const word of taken.toReversed()) {
      word.endTick = Math.min(word.endTick, limit);
      limit = Math.min(word.startTick, word.endTick - 1);
    }
    // Where more words came than there are ticks, in the padding after a moment of audio, the last ones end a tick later.
    let floor = this.#floor(settledTick);
    for (const word of taken) {
      word.startTick = Math.max(Math.min(word.startTick, word.endTick - 1), floor);
      floor = word.endTick = Math.max(word.endTick, word.startTick + 1);
    }
    const next = this.#list[0];
    if (next !== undefined) this.#cutFloor = next.startTick = Math.max(next.startTick, limitTick);
    return this.#seen(taken, settledTick);
  }

  /**
   * The words that are to be seen.
   * @param settledTick the segment begins there @param held leave the last one out
   * @param tokens and those that are not wholly of so many tokens since clear()
   */
  visible(settledTick: number, held = false, tokens = Infinity): Word[] {
    let count = this.#list.length - (held ? 1 : 0);
    while (count > 0 && this.tokensUpTo(count) > tokens) count--;
    return this.#seen(this.#list.slice(0, Math.max(0, count)), settledTick);
  }

  /** The first word that is to be seen, or null. */
  get oldest(): WordBuilder | null {
    return this.#list.find((word) => this.#isVisible(word)) ?? null;
  }

  /** How many words, from the front, end at or before tick; those that are not to be seen count too. */
  endedBefore(tick: number): number {
    const open = this.#list.findIndex((word) => this.#isVisible(word) && word.endTick > tick);
    return open < 0 ? this.#list.length : open;
  }

  /** Where a segment of the first `index` words would end, or null when it cannot end there. */
  cutBefore(index: number, settledTick: number): number | null {
    const before = this.#list[index - 1];
    const after = this.#list[index];
    if (before === undefined || after === undefined) return null;
    const { frameSamples } = this.#timing;
    const floor = Math.max(settledTick, after.bornTick);
    return cutTick(before, after, floor, frameSamples, (tick) => this.#map.onGrid(tick, frameSamples));
  }

  #seen(list: readonly WordBuilder[], settledTick: number): Word[] {
    const words: Word[] = [];
    for (const builder of list) {
      if (!this.#isVisible(builder)) continue;
      const word = builder.toWord(this.#options.confidence);
      if (word.text === '') continue;
      words.push(word.startTick < settledTick ? { ...word, startTick: settledTick } : word);
    }
    return words;
  }

  #newWord(text: string, frame: number, logProbability: number, settledTick: number): WordBuilder {
    const previous = this.#list.at(-1);
    const floor = previous === undefined ? this.#floor(settledTick) : previous.startTick + 1;
    let start = this.#map.startTick(this.#streamEnd(frame) - this.#lead);
    let end = this.#endOf(frame);
    if (previous !== undefined && previous.endTick > start) {
      // Both are estimates: they meet in the middle. What comes in the padding all ends where the audio ended.
      start = Math.min(Math.floor((previous.endTick + start) / 2), end - 1);
      start = Math.max(start, floor);
      previous.giveWay(start);
    }
    start = Math.max(Math.min(start, end - 1), floor);
    end = Math.max(end, start + 1);
    return new WordBuilder(text, start, end, frame, this.certainTick(frame + 1), logProbability);
  }

  /**
   * Before output begins a word keeps its true start, so that its middle tells on which side it lies. What was said before a gap
   * is out when the gap comes: no word reaches over it.
   */
  #floor(settledTick: number): number {
    const { fromTick, outputFromTick } = this.#options;
    const floor = settledTick > outputFromTick ? settledTick : fromTick;
    return Math.max(floor, this.#map.runTick, this.#cutFloor);
  }

  #endOf(frame: number): number {
    return this.#map.endTickOf(this.#streamEnd(frame)) + this.#tail;
  }

  #streamEnd(frame: number): number {
    return (frame + 1) * this.#timing.frameSamples - this.#timing.frameDelaySamples;
  }

  /** Whole words whose middle lies before the output's beginning are somebody else's: an earlier attempt's. */
  #dropSuppressed(): void {
    while (this.#list.length > 1 && this.#isSuppressed(this.#list[0]!)) {
      this.#droppedTokens += this.#list.shift()!.tokens;
    }
  }

  #isSuppressed(word: WordBuilder): boolean {
    return middleOf(word) < this.#options.outputFromTick;
  }

  #isVisible(word: WordBuilder): boolean {
    return word.text !== '' && !this.#isSuppressed(word);
  }
}
