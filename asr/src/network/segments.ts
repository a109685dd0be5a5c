import { type ChannelId, type Endpoint, type Word, segmentIdOf } from '@earshot/contracts';
import type { FinalSegment, OpenSegment } from '../decode/channel-decoder.ts';
import { widestGap } from '../decode/cut.ts';
import { ENDPOINT_TICKS, MAX_SEGMENT_TICKS } from '../decode/timing.ts';

export interface SegmentsOptions {
  readonly channel: ChannelId;
  readonly fromTick: number;
  readonly outputFromTick: number;
  /** Called in order. */
  readonly onFinal: (segment: FinalSegment) => void;
  /** A word came whose time was settled already: it is put right behind. */
  readonly onLate: () => void;
}

/**
 * From a speech server's words, in ticks, to segments. A segment opens with its first word at the tick that is settled then,
 * as a local model's does (decode/channel-decoder.ts), and ends where the server or a gap says, or after 15 s in its
 * widest pause. No word is dropped for its time but those that an earlier attempt spoke.
 */
export class Segments {
  readonly #options: SegmentsOptions;
  /** The server will not change them; their segment is still open. */
  #sure: Word[] = [];
  /** The server's guess of what follows. */
  #guess: readonly Word[] = [];
  #settledTick: number;
  #decidedTick: number;
  #rev = 0;

  constructor(options: SegmentsOptions) {
    this.#options = options;
    this.#settledTick = options.outputFromTick;
    this.#decidedTick = options.fromTick;
  }

  get decidedTick(): number {
    return this.#decidedTick;
  }

  get settledTick(): number {
    return this.#settledTick;
  }

  /** Rises with each change of the open segment's words. */
  get rev(): number {
    return this.#rev;
  }

  /** The server has words in hand that are not final. */
  get guessing(): boolean {
    return this.#guess.length > 0;
  }

  get open(): boolean {
    return this.#sure.length > 0 || this.#guess.length > 0;
  }

  /** The open segment, or null when it has no words. */
  openSegment(): OpenSegment | null {
    const words = [...this.#sure];
    for (const word of this.#guess) words.push(fitted(word, words.at(-1)?.endTick ?? this.#settledTick));
    if (words.length === 0) return null;
    const { channel } = this.#options;
    return {
      segmentId: segmentIdOf(channel, this.#settledTick),
      fromTick: this.#settledTick,
      rev: this.#rev,
      words,
    };
  }

  /** What follows the final words, as it is guessed now. */
  partial(words: readonly Word[]): void {
    const guess = words.filter((word) => !this.#isSuppressed(word));
    if (sameWords(guess, this.#guess)) return;
    this.#guess = guess;
    this.#rev++;
  }

  /** Words that will not change. They take the place of the guess. */
  final(words: readonly Word[]): void {
    this.#guess = [];
    for (const word of words) {
      if (this.#isSuppressed(word)) continue;
      const floor = this.#sure.at(-1)?.endTick ?? this.#settledTick;
      if (word.endTick <= floor) this.#options.onLate();
      this.#sure.push(fitted(word, floor));
    }
    this.#rev++;
    while (this.#sure.length > 0 && this.#sure.at(-1)!.endTick - this.#settledTick > MAX_SEGMENT_TICKS) {
      this.#cut();
    }
  }

  /** The open segment ends with its final words; a guess stays open. */
  close(endpoint: Endpoint): void {
    const last = this.#sure.at(-1);
    if (last === undefined) return;
    this.#emit(this.#sure, last.endTick, endpoint);
    this.#sure = [];
    this.#rev++;
  }

  /** What was guessed and never became final was nothing. */
  dropGuess(): void {
    this.partial([]);
  }

  /**
   * The server has recognised up to tick.
   * @param certainTick no word can begin before it any more that is not known yet
   */
  decided(tick: number, certainTick: number): void {
    this.#decidedTick = Math.max(this.#decidedTick, tick);
    const last = this.#sure.at(-1);
    if (last !== undefined && !this.guessing && this.#decidedTick - last.endTick >= ENDPOINT_TICKS) {
      this.close('pause');
    }
    if (!this.open) this.#settle(Math.min(certainTick, this.#decidedTick));
  }

  /** Everything before tick is decided, and nothing is in hand. The open segment ends. */
  reach(tick: number, endpoint: Endpoint): void {
    this.dropGuess();
    this.close(endpoint);
    this.#decidedTick = Math.max(this.#decidedTick, tick);
    this.#settle(tick);
  }

  #isSuppressed(word: Word): boolean {
    return (word.startTick + word.endTick) / 2 < this.#options.outputFromTick;
  }

  /** Emits as much of the final words as a segment may last, up to their widest pause. */
  #cut(): void {
    const limit = this.#settledTick + MAX_SEGMENT_TICKS;
    const fitting = this.#sure.findIndex(({ endTick }) => endTick > limit);
    const first = this.#sure[0]!;
    if (fitting === 0) {
      // The first word alone is beyond: the silence before it is settled, or the word itself is that long.
      if (first.startTick > this.#settledTick) this.#settle(first.startTick);
      else this.#emit(this.#sure.splice(0, 1), first.endTick, 'length');
      return;
    }
    const cut = widestGap(this.#sure, 1, (index) => index <= fitting);
    const words = this.#sure.splice(0, cut);
    this.#emit(words, words.at(-1)!.endTick, 'length');
  }

  #emit(words: readonly Word[], toTick: number, endpoint: Endpoint): void {
    const fromTick = this.#settledTick;
    const segmentId = segmentIdOf(this.#options.channel, fromTick);
    this.#settle(toTick);
    this.#decidedTick = Math.max(this.#decidedTick, toTick);
    this.#options.onFinal({ segmentId, fromTick, toTick, words: [...words], endpoint });
  }

  #settle(tick: number): void {
    this.#settledTick = Math.max(this.#settledTick, tick);
  }
}

/** The word, moved behind floor where it overlaps what was there before. At least one tick long. */
function fitted(word: Word, floor: number): Word {
  const startTick = Math.max(word.startTick, floor);
  return { ...word, startTick, endTick: Math.max(word.endTick, startTick + 1) };
}

const sameWords = (a: readonly Word[], b: readonly Word[]): boolean =>
  a.length === b.length && a.every(({ text }, i) => text === b[i]!.text);
