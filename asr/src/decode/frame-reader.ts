import { CtcCollapse } from './ctc.ts';
import { ROOT, type Token } from './hypothesis.ts';
import type { OpenWords } from './open-words.ts';
import type { LanguageModel } from './language-model.ts';
import type { PhraseTree } from './phrases.ts';
import { PrefixBeam } from './prefix-beam.ts';
import { BEAM_SETTLE_TICKS, type ModelTiming, SURE_AFTER_TICKS, framesFor } from './timing.ts';

/**
 * A word is shown when all hypotheses up to e⁻² times as likely have it, or when it is a little older (SURE_AFTER_TICKS). Of the words
 * that partials showed of 96 synthetic sentences, with the shipped language model, 2.5 % changed without this and 1.0 % (10) with it; they
 * come 42 ms later in the mean. At 300 ms only with a margin of 0.5, else at 600, 8 changed, but 5 % came 0.12 s later.
 */
const SURE_MARGIN = 2;

/** A frame's result, somewhere in those of a step. */
export interface FrameResult {
  /** The best token of each frame and its log-probability (natural). */
  readonly ids: Uint16Array;
  readonly best: Float32Array;
  /** Those of all tokens, [frame, vocabulary]; null when nobody wanted them. */
  readonly all: Float32Array | null;
}

/** Makes words of frames. */
export interface FrameReader {
  /** Whether it reads FrameResult.all. */
  readonly wantsAll: boolean;
  /**
   * Takes a frame in.
   * @param at its place in the result @param frame its number @param settledTick the open segment begins there
   * @returns whether the words may be others now
   */
  frame(result: FrameResult, at: number, frame: number, settledTick: number): boolean;
  /** How many of the tokens since the last commit are not likely to be taken back. */
  readonly sureTokens: number;
  /** Frames without a token after which all tokens are sure; Infinity: they always are. */
  readonly sureFrames: number;
  /** Nothing more comes of this segment. @returns as frame() */
  finish(settledTick: number): boolean;
  /** The first `count` words are about to be taken off, and others stay. */
  commit(count: number): void;
  /** The segment is over. */
  drop(): void;
  /** There is a gap. */
  gap(): void;
}

export interface ReaderOptions {
  /** Where the words go. */
  readonly words: OpenWords;
  readonly timing: ModelTiming;
  readonly pieces: readonly string[];
  readonly blank: number;
  /** See ModelDescription; left out: `ctc`. */
  readonly repeats?: 'ctc' | 'each';
  readonly language?: LanguageModel | null;
  readonly phrases: PhraseTree | null;
}

/** A beam search where there is a language model or a phrase to go by, else the best tokens. */
export function readerOf(options: ReaderOptions): FrameReader {
  const { words, timing, pieces, blank, repeats = 'ctc', language = null, phrases } = options;
  if (phrases === null && language === null) return new GreedyReader(words, pieces, blank, repeats);
  const settleFrames = framesFor(BEAM_SETTLE_TICKS, timing);
  // Without a word, time is settled up to flushSamples ago: a word that begins before that is not to come up any more.
  const { flushSamples, frameDelaySamples, wordLeadSamples } = timing;
  const quietFrames = Math.max(1, framesFor(flushSamples + frameDelaySamples - wordLeadSamples, timing));
  const beam = new PrefixBeam({ blank, pieces, phrases, language, settleFrames, quietFrames });
  return new BeamReader(words, pieces, beam, framesFor(SURE_AFTER_TICKS, timing));
}

/** The best token of each frame counts. */
class GreedyReader implements FrameReader {
  readonly wantsAll = false;
  readonly sureTokens = Infinity;
  readonly sureFrames = Infinity;
  readonly #words: OpenWords;
  readonly #pieces: readonly string[];
  readonly #repeats: 'ctc' | 'each';
  readonly #collapse: CtcCollapse;

  /** @param repeats see ModelDescription */
  constructor(words: OpenWords, pieces: readonly string[], blank: number, repeats: 'ctc' | 'each') {
    this.#words = words;
    this.#pieces = pieces;
    this.#repeats = repeats;
    this.#collapse = new CtcCollapse(blank);
  }

  frame({ ids, best }: FrameResult, at: number, frame: number, settledTick: number): boolean {
    const id = ids[at]!;
    const logProbability = best[at]!;
    const kind = this.#collapse.next(id);
    if (kind === 'blank') return false;
    if (kind === 'repeat' && this.#repeats === 'ctc') {
      this.#words.extend(frame, logProbability);
      return false;
    }
    this.#words.token(this.#pieces[id] ?? '', frame, logProbability, settledTick);
    return true;
  }

  finish(): boolean {
    return false;
  }

  commit(): void {
    // What was heard does not depend on what was taken off.
  }

  drop(): void {
    // Likewise.
  }

  gap(): void {
    this.#collapse.reset();
  }
}

/** The words are those of a beam search's best hypothesis. */
class BeamReader implements FrameReader {
  readonly wantsAll = true;
  readonly sureFrames: number;
  readonly #words: OpenWords;
  readonly #pieces: readonly string[];
  readonly #beam: PrefixBeam;
  /** The tokens that the words were made of, since the last commit. */
  #read: Token[] = [];
  /** Those of them that are to be read again, oldest last. */
  readonly #fresh: Token[] = [];
  #frame = 0;

  /** @param sureFrames older tokens are taken for sure */
  constructor(words: OpenWords, pieces: readonly string[], beam: PrefixBeam, sureFrames: number) {
    this.sureFrames = sureFrames;
    this.#words = words;
    this.#pieces = pieces;
    this.#beam = beam;
  }

  frame({ all }: FrameResult, at: number, frame: number, settledTick: number): boolean {
    if (all === null) throw new RangeError('a beam search wants all log-probabilities');
    this.#frame = frame;
    if (!this.#beam.frame(all, at * this.#pieces.length, frame)) return false;
    this.#update(settledTick);
    return true;
  }

  finish(settledTick: number): boolean {
    if (!this.#beam.finish()) return false;
    this.#update(settledTick);
    return true;
  }

  commit(count: number): void {
    this.#beam.commit(this.#words.tokensUpTo(count));
    // What stays is read again from its beginning: the cut moved it.
    this.#read = [];
  }

  drop(): void {
    this.#beam.reset();
    this.#read = [];
  }

  get sureTokens(): number {
    return this.#beam.agreed(SURE_MARGIN, this.#frame - this.sureFrames);
  }

  gap(): void {
    // The segment ended at the gap, and the beam with it.
  }

  /** Words up to the first token that is another one stay as they are: a segment may be of a hundred. */
  #update(settledTick: number): void {
    const { committed } = this.#beam;
    const [read, fresh] = [this.#read, this.#fresh];
    let at = this.#beam.tip;
    fresh.length = 0;
    for (; at.depth > committed && read[at.depth - committed - 1] !== at; at = at.before ?? ROOT) {
      fresh.push(at);
    }
    const common = at.depth - committed;
    const kept = this.#words.keep(common);
    read.length = common;
    for (let i = fresh.length - 1; i >= 0; i--) read.push(fresh[i]!);
    for (let i = kept; i < read.length; i++) {
      const { id, firstFrame, lastFrame, logProbability } = read[i]!;
      this.#words.token(this.#pieces[id] ?? '', firstFrame, logProbability, settledTick);
      if (lastFrame > firstFrame) this.#words.extend(lastFrame, logProbability);
    }
  }
}
