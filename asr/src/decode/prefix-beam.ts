import {
  type BeamToken,
  type Extension,
  type Hypothesis,
  ROOT,
  type Token,
  cutOff,
  extended,
  goOn,
  hashA,
  hashB,
  hypothesis,
  logAdd,
  prefix,
  same,
  scoreOf,
} from './hypothesis.ts';
import { NO_PHRASE, type PhraseTree } from './phrases.ts';

export interface PrefixBeamOptions {
  readonly blank: number;
  readonly pieces: readonly string[];
  /** null: none is preferred. */
  readonly phrases: PhraseTree | null;
  /** Hypotheses that are kept. */
  readonly width?: number;
  /** Tokens of a frame that are less likely than this (natural) are not tried. */
  readonly leastLogProbability?: number;
  /** Frames after which a token of the best hypothesis can no longer be another one. */
  readonly settleFrames?: number;
}

const WIDTH = 8;
const LEAST_LOG_PROBABILITY = -8;
/** A hypothesis that is so much (natural) behind the best one is dropped. */
const FAR_BEHIND = 16;
/** 1.5 s at 60 ms a frame: longer than a phrase's beginning holds on to what it was mistaken for. */
const SETTLE_FRAMES = 25;
/** A token's first frame may differ a little from one hypothesis to another. */
const JITTER_FRAMES = 3;

/**
 * CTC prefix beam search (Graves 2012, Hannun et al. 2014) with phrases that are preferred: the sum over all paths to a
 * prefix, plus the value of the phrases in it, ranks it. Memory is bounded: after settleFrames a token cannot change any
 * more, hypotheses that differ there are dropped; and commit() cuts off what is final.
 */
export class PrefixBeam {
  readonly #blank: number;
  readonly #vocabulary: number;
  readonly #phrases: PhraseTree | null;
  readonly #width: number;
  readonly #least: number;
  readonly #settleFrames: number;
  /** Best first. */
  #beam: Hypothesis[] = [hypothesis(ROOT, 0, -Infinity)];
  /** Depth up to which tokens are committed. */
  #committed = 0;
  readonly #ids: Int32Array;
  readonly #extensions: Extension[] = [];

  constructor(options: PrefixBeamOptions) {
    this.#blank = options.blank;
    this.#vocabulary = options.pieces.length;
    this.#phrases = options.phrases;
    this.#width = options.width ?? WIDTH;
    this.#least = options.leastLogProbability ?? LEAST_LOG_PROBABILITY;
    this.#settleFrames = options.settleFrames ?? SETTLE_FRAMES;
    this.#ids = new Int32Array(this.#vocabulary);
  }

  /**
   * Takes a frame in.
   * @param logprobs natural log-probabilities of all tokens, from offset on @param frame its number, rising
   * @returns whether best() is another one now
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
    const before = this.#beam[0]!.tip;
    const extensions = this.#extend(logprobs, offset, blank, count);
    this.#select(extensions, logprobs, offset, frame);
    this.#settle(frame);
    return this.#beam[0]!.tip !== before;
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

  /** The first count tokens of best() are final: hypotheses that have others are dropped. */
  commit(count: number): void {
    const depth = this.#committed + count;
    const last = prefix(this.#beam[0]!.tip, depth);
    this.#beam = this.#beam.filter(({ tip }) => tip.depth >= depth && same(prefix(tip, depth), last));
    this.#committed = depth;
    for (const one of this.#beam) one.tip = cutOff(one.tip, depth);
  }

  /**
   * Nothing more comes: phrases that are not whole give back what they were worth so far.
   * @returns whether best() is another one now
   */
  finish(): boolean {
    const phrases = this.#phrases;
    if (phrases === null) return false;
    const before = this.#beam[0]!;
    for (const one of this.#beam) {
      one.bonus += phrases.closing(one.place);
      one.place = NO_PHRASE;
    }
    this.#beam.sort((a, b) => scoreOf(b) - scoreOf(a));
    return this.#beam[0] !== before;
  }

  /** As at the beginning. */
  reset(): void {
    this.#beam = [hypothesis(ROOT, 0, -Infinity)];
    this.#committed = 0;
  }

  /** Hypotheses there are; for tests. */
  get size(): number {
    return this.#beam.length;
  }

  /** Collects the tokens that are worth trying. */
  #likely(logprobs: Float32Array, offset: number): number {
    let count = 0;
    for (let id = 0; id < this.#vocabulary; id++) {
      if (logprobs[offset + id]! > this.#least && id !== this.#blank) this.#ids[count++] = id;
    }
    return count;
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
      const total = logAdd(one.blank, one.token);
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
        const place = this.#phrases === null ? NO_PHRASE : this.#phrases.advance(one.place, id);
        const bonus = one.bonus + (this.#phrases?.gained ?? 0);
        const slot = (this.#extensions[made] ??= {
          from: null,
          id: 0,
          token: 0,
          bonus: 0,
          place: 0,
          score: 0,
        });
        made++;
        slot.from = one;
        slot.id = id;
        slot.token = token;
        slot.bonus = bonus;
        slot.place = place;
        slot.score = token + bonus;
      }
    }
    return made;
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
    const ranked: { readonly score: number; readonly one?: Hypothesis; readonly extension?: Extension }[] =
      this.#beam.map((one) => ({
        one,
        score: logAdd(one.nextBlank, logAdd(one.nextToken, one.restart)) + one.bonus,
      }));
    for (let k = 0; k < made; k++) {
      const extension = this.#extensions[k]!;
      ranked.push({ score: extension.score, extension });
    }
    ranked.sort((a, b) => b.score - a.score);
    const least = ranked[0]!.score - FAR_BEHIND;
    const next: Hypothesis[] = [];
    // New tokens hang on the tips as they were before this frame.
    for (const { one, extension, score } of ranked.slice(0, this.#width)) {
      if (score < least) break;
      if (one !== undefined) next.push(one);
      else if (extension !== undefined)
        next.push(extended(extension, logprobs[offset + extension.id]!, frame));
    }
    for (const one of this.#beam) goOn(one, logprobs, offset, frame);
    let top = -Infinity;
    for (const one of next) top = Math.max(top, one.blank, one.token);
    for (const one of next) {
      one.blank -= top;
      one.token -= top;
    }
    this.#beam = next;
  }

  /** Drops what differs from the best hypothesis in tokens that are settled. */
  #settle(frame: number): void {
    const oldest = frame - this.#settleFrames;
    let settled = this.#beam[0]!.tip;
    while (settled.depth > this.#committed && settled.firstFrame > oldest) settled = settled.before ?? ROOT;
    const { depth } = settled;
    this.#beam = this.#beam.filter(({ tip }) => {
      if (tip.depth < depth) return false;
      let after: Token | null = null;
      let at = tip;
      for (; at.depth > depth; at = at.before ?? ROOT) after = at;
      return same(at, settled) && (after === null || after.firstFrame > oldest - JITTER_FRAMES);
    });
  }
}
