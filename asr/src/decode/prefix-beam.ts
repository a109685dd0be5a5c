import {
  type BeamToken,
  Extension,
  Hypothesis,
  ROOT,
  type Token,
  cutOff,
  hashA,
  hashB,
  logAdd,
  prefix,
  same,
} from './hypothesis.ts';
import type { LanguageModel } from './language-model.ts';
import { NO_PHRASE, type PhraseTree } from './phrases.ts';

export interface PrefixBeamOptions {
  readonly blank: number;
  readonly pieces: readonly string[];
  /** null: none is preferred. */
  readonly phrases: PhraseTree | null;
  /** Left out or null: any words may follow any others. */
  readonly language?: LanguageModel | null;
  /** Hypotheses that are kept. */
  readonly width?: number;
  /** Tokens of a frame that are less likely than this (natural) are not tried. */
  readonly leastLogProbability?: number;
  /** A hypothesis that is so much (natural) behind the best one is dropped. */
  readonly farBehind?: number;
  /** Frames after which a token of the best hypothesis can no longer be another one. */
  readonly settleFrames?: number;
}

const WIDTH = 8;
const LEAST_LOG_PROBABILITY = -8;
const FAR_BEHIND = 16;
/** Of a frame, that are tried. */
const MOST_TOKENS = 20;
/**
 * With a language model, chosen on sentences of our own (20 % of the words wrong without it): 8 hypotheses left 9.7 % wrong, 16
 * 8.8 %, 24 8.4 %; tokens down to e⁻⁸ and hypotheses up to 16 behind changed nothing but the time, which they doubled.
 */
const LANGUAGE_WIDTH = 16;
const LANGUAGE_LEAST = -5;
const LANGUAGE_FAR_BEHIND = 10;
/** 1.5 s at 60 ms a frame: longer than a phrase's beginning holds on to what it was mistaken for. */
const SETTLE_FRAMES = 25;
/** A token's first frame may differ a little from one hypothesis to another. */
const JITTER_FRAMES = 3;

/**
 * CTC prefix beam search (Graves 2012, Hannun et al. 2014) with a language model and with phrases that are preferred: the sum
 * over all paths to a prefix, plus the value of its words and of the phrases in it, ranks it. Memory is bounded: after
 * settleFrames a token cannot change any more, hypotheses that differ there are dropped; and commit() cuts off what is final.
 */
export class PrefixBeam {
  readonly #blank: number;
  readonly #vocabulary: number;
  readonly #phrases: PhraseTree | null;
  readonly #language: LanguageModel | null;
  readonly #width: number;
  readonly #least: number;
  readonly #farBehind: number;
  readonly #mostTokens: number;
  readonly #settleFrames: number;
  /** Best first. */
  #beam: Hypothesis[] = [new Hypothesis()];
  /** Dropped ones, to be used again. */
  readonly #spare: Hypothesis[] = [];
  /** Depth up to which tokens are committed. */
  #committed = 0;
  readonly #ids: Int32Array;
  readonly #extensions: Extension[] = [];
  /** The best candidates of a frame, best first: their scores, and which hypothesis or, from beam.length on, extension. */
  readonly #topScores: Float64Array;
  readonly #top: Int32Array;
  #topCount = 0;

  constructor(options: PrefixBeamOptions) {
    this.#blank = options.blank;
    this.#vocabulary = options.pieces.length;
    this.#phrases = options.phrases;
    this.#language = options.language ?? null;
    const plain = this.#language === null;
    // What a phrase is to bring out may be far behind.
    const near = !plain && this.#phrases === null;
    this.#width = options.width ?? (plain ? WIDTH : LANGUAGE_WIDTH);
    this.#least = options.leastLogProbability ?? (near ? LANGUAGE_LEAST : LEAST_LOG_PROBABILITY);
    this.#farBehind = options.farBehind ?? (near ? LANGUAGE_FAR_BEHIND : FAR_BEHIND);
    this.#mostTokens = near ? MOST_TOKENS : this.#vocabulary;
    this.#settleFrames = options.settleFrames ?? SETTLE_FRAMES;
    this.#ids = new Int32Array(this.#vocabulary);
    this.#topScores = new Float64Array(this.#width);
    this.#top = new Int32Array(this.#width);
  }

  /**
   * Takes a frame in.
   * @param logprobs natural log-probabilities of all tokens, from offset on @param frame its number, rising
   * @returns false where nothing but a blank was likely: best() and agreed() are what they were
   */
  frame(logprobs: Float32Array, offset: number, frame: number): boolean {
    const count = this.#likely(logprobs, offset);
    const blank = logprobs[offset + this.#blank]!;
    if (count === 0) {
      // All hypotheses lose the same: their order stays. So it is in most frames.
      for (const one of this.#beam) {
        one.blank = logAdd(one.blank, one.token) + blank;
        one.token = -Infinity;
      }
      return false;
    }
    const made = this.#extend(logprobs, offset, blank, count);
    this.#select(made, logprobs, offset, frame);
    this.#settle(frame);
    return true;
  }

  /** Tokens that are committed. */
  get committed(): number {
    return this.#committed;
  }

  /** The newest token of the best hypothesis. */
  get tip(): Token {
    return this.#beam[0]!.tip;
  }

  /** The tokens of the best hypothesis since the last commit, oldest first. */
  best(): BeamToken[] {
    const tokens: BeamToken[] = [];
    for (let at = this.#beam[0]!.tip; at.depth > this.#committed; at = at.before!) {
      const { id, firstFrame, lastFrame, logProbability } = at;
      tokens.push({ id, firstFrame, lastFrame, logProbability });
    }
    return tokens.reverse();
  }

  /**
   * How many tokens of best(), from the first on, are not likely to be taken back: those that went on before frame `old`, and
   * those that all hypotheses have which are not more than `margin` (natural) behind.
   */
  agreed(margin: number, old: number): number {
    const { tip, score } = this.#beam[0]!;
    let least = tip;
    while (least.depth > this.#committed && least.lastFrame >= old) least = least.before ?? ROOT;
    let { depth } = tip;
    for (let i = 1; i < this.#beam.length && depth > least.depth; i++) {
      const one = this.#beam[i]!;
      if (one.score < score - margin) continue;
      let [a, b] = [prefix(tip, Math.min(depth, one.tip.depth)), prefix(one.tip, depth)];
      while (!same(a, b)) [a, b] = [a.before ?? ROOT, b.before ?? ROOT];
      ({ depth } = a);
    }
    return Math.max(depth, least.depth) - this.#committed;
  }

  /** The first count tokens of best() are final: hypotheses that have others are dropped. */
  commit(count: number): void {
    const depth = this.#committed + count;
    const last = prefix(this.#beam[0]!.tip, depth);
    this.#beam = this.#beam.filter(({ tip }) => tip.depth >= depth && same(prefix(tip, depth), last));
    this.#committed = depth;
    for (const one of this.#beam) one.tip = cutOff(one.tip, depth);
  }

  /**
   * Nothing more comes: words are whole, and phrases that are not give back what they were worth so far.
   * @returns whether best() is another one now
   */
  finish(): boolean {
    const [phrases, language] = [this.#phrases, this.#language];
    if (phrases === null && language === null) return false;
    const before = this.#beam[0]!;
    for (const one of this.#beam) {
      if (language !== null) {
        language.end(one, one, one.place !== NO_PHRASE);
        one.bonus += language.gained;
        one.hasEnd = false;
      }
      if (phrases !== null) {
        one.bonus += phrases.closing(one.place);
        one.place = NO_PHRASE;
      }
    }
    this.#beam.sort((a, b) => b.score - a.score);
    return this.#beam[0] !== before;
  }

  /** As at the beginning. */
  reset(): void {
    const first = this.#beam[0]!;
    for (let i = 1; i < this.#beam.length; i++) this.#spare.push(this.#beam[i]!);
    this.#beam.length = 1;
    first.begin();
    this.#committed = 0;
  }

  /** Hypotheses there are; for tests. */
  get size(): number {
    return this.#beam.length;
  }

  /** Collects the tokens that are worth trying: where they are many, the likeliest. */
  #likely(logprobs: Float32Array, offset: number): number {
    let least = this.#least;
    for (;;) {
      let count = 0;
      for (let id = 0; id < this.#vocabulary; id++) {
        if (logprobs[offset + id]! > least && id !== this.#blank) this.#ids[count++] = id;
      }
      if (count <= this.#mostTokens) return count;
      // A frame of which nothing is known costs no more than others: above e⁻³ there are no more than 20.
      if (least >= -3) return this.#mostTokens;
      least++;
    }
  }

  /** @returns how many extensions there are */
  #extend(logprobs: Float32Array, offset: number, blank: number, count: number): number {
    const beam = this.#beam;
    for (const one of beam) {
      one.nextBlank = logAdd(one.blank, one.token) + blank;
      one.nextToken = one.tip.id < 0 ? -Infinity : one.token + logprobs[offset + one.tip.id]!;
      one.restart = -Infinity;
    }
    let made = 0;
    for (const one of beam) {
      const total = one.nextBlank - blank;
      for (let k = 0; k < count; k++) {
        const id = this.#ids[k]!;
        const token = (id === one.tip.id ? one.blank : total) + logprobs[offset + id]!;
        if (token === -Infinity) continue;
        const known = this.#find(one.tip, id);
        if (known !== null) {
          known.restart = token;
          known.restartAfter = one.tip;
          continue;
        }
        const extension = (this.#extensions[made++] ??= new Extension());
        extension.from = one;
        extension.id = id;
        extension.token = token;
        this.#value(one, extension);
      }
    }
    return made;
  }

  /** What the extension's words and phrases are worth. */
  #value(from: Hypothesis, extension: Extension): void {
    const { id } = extension;
    let { bonus } = from;
    if (this.#phrases !== null) {
      extension.place = this.#phrases.advance(from.place, id);
      bonus += this.#phrases.gained;
    }
    const language = this.#language;
    if (language !== null) {
      const inPhrase = extension.place !== NO_PHRASE;
      if (language.begins(id)) {
        if (!from.hasEnd) {
          language.end(from, from.end, from.place !== NO_PHRASE);
          from.endGain = language.gained;
          from.hasEnd = true;
        }
        bonus += from.endGain;
        language.advance(from.end, id, extension, inPhrase);
      } else language.advance(from, id, extension, inPhrase);
      bonus += language.gained;
    }
    extension.bonus = bonus;
  }

  /** The hypothesis that is this prefix and one more token, if it is in the beam. */
  #find(tip: Token, id: number): Hypothesis | null {
    const depth = tip.depth + 1;
    for (const one of this.#beam) {
      if (one.tip.depth === depth && one.tip.id === id) {
        if (one.tip.hashA === hashA(tip, id) && one.tip.hashB === hashB(tip, id)) return one;
      }
    }
    return null;
  }

  /** The best of what stays as it is and what was extended make the next beam. */
  #select(made: number, logprobs: Float32Array, offset: number, frame: number): void {
    const beam = this.#beam;
    this.#topCount = 0;
    for (let i = 0; i < beam.length; i++) {
      const one = beam[i]!;
      one.kept = false;
      this.#rank(logAdd(one.nextBlank, logAdd(one.nextToken, one.restart)) + one.bonus, i);
    }
    for (let k = 0; k < made; k++) {
      const { token, bonus } = this.#extensions[k]!;
      this.#rank(token + bonus, beam.length + k);
    }
    const least = this.#topScores[0]! - this.#farBehind;
    const next: Hypothesis[] = [];
    // New tokens hang on the tips as they were before this frame.
    for (let i = 0; i < this.#topCount && this.#topScores[i]! >= least; i++) {
      const which = this.#top[i]!;
      if (which < beam.length) {
        beam[which]!.kept = true;
        next.push(beam[which]!);
        continue;
      }
      const extension = this.#extensions[which - beam.length]!;
      const one = this.#spare.pop() ?? new Hypothesis();
      one.extend(extension, logprobs[offset + extension.id]!, frame);
      next.push(one);
    }
    for (const one of beam) {
      if (!one.kept) this.#spare.push(one);
      else one.goOn(logprobs, offset, frame);
    }
    let most = -Infinity;
    for (const one of next) most = Math.max(most, one.blank, one.token);
    for (const one of next) {
      one.blank -= most;
      one.token -= most;
    }
    this.#beam = next;
  }

  /** Puts a candidate among the best, behind those that are as good. */
  #rank(score: number, which: number): void {
    const [scores, top] = [this.#topScores, this.#top];
    let at = this.#topCount;
    if (at === this.#width) {
      if (score <= scores[at - 1]!) return;
      at--;
    } else this.#topCount++;
    for (; at > 0 && scores[at - 1]! < score; at--) {
      scores[at] = scores[at - 1]!;
      top[at] = top[at - 1]!;
    }
    scores[at] = score;
    top[at] = which;
  }

  /** Drops what differs from the best hypothesis in tokens that are settled. */
  #settle(frame: number): void {
    const oldest = frame - this.#settleFrames;
    let settled = this.#beam[0]!.tip;
    while (settled.depth > this.#committed && settled.firstFrame > oldest) settled = settled.before ?? ROOT;
    let kept = 0;
    for (let i = 0; i < this.#beam.length; i++) {
      const one = this.#beam[i]!;
      if (agrees(one.tip, settled, oldest)) this.#beam[kept++] = one;
      else this.#spare.push(one);
    }
    this.#beam.length = kept;
  }
}

/** Whether a prefix begins with the settled one and goes on only later than that. */
function agrees(tip: Token, settled: Token, oldest: number): boolean {
  if (tip.depth < settled.depth) return false;
  let after: Token | null = null;
  let at = tip;
  for (; at.depth > settled.depth; at = at.before ?? ROOT) after = at;
  return same(at, settled) && (after === null || after.firstFrame > oldest - JITTER_FRAMES);
}
