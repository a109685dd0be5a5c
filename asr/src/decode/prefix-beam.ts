import { forget, olderThan, settle, sharedWords } from './agreement.ts';
import {
  type BeamToken,
  Extension,
  Hypothesis,
  ROOT,
  type Token,
  cutOff,
  hashA,
  hashB,
  heard,
  logAdd,
  prefix,
  same,
} from './hypothesis.ts';
import type { LanguageModel } from './language-model.ts';
import { NO_PHRASE, type PhraseTree } from './phrases.ts';
import { Ranking } from './ranking.ts';
import { WORD_MARK } from './tokens.ts';

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
  /** While the best hypothesis has no token, frames after which others lose theirs: a word that late would lie in settled time. */
  readonly quietFrames?: number;
}

const WIDTH = 8;
const LEAST_LOG_PROBABILITY = -8;
const FAR_BEHIND = 16;
/** Of a frame, that are tried. */
const MOST_TOKENS = 20;
/**
 * With a language model, chosen on sentences of our own: 16 hypotheses up to 10 behind left 10.6 % of the words wrong, 24 10.1 %, 48
 * up to 9 behind 9.7 %, 64 9.4 %, 96 9.5 %; tokens down to e⁻⁶ and more of them changed nothing but the time.
 */
const LANGUAGE_WIDTH = 64;
/** With phrases, too: they try twice the tokens, and keep what is far behind. */
const PHRASES_WIDTH = 24;
const LANGUAGE_LEAST = -5;
const LANGUAGE_FAR_BEHIND = 9;
/** 1.5 s at 60 ms a frame: longer than a phrase's beginning holds on to what it was mistaken for. */
const SETTLE_FRAMES = 25;

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
  readonly #quietFrames: number;
  /** 1 for the pieces that begin a word. */
  readonly #begins: Uint8Array;
  /** Best first. */
  #beam: Hypothesis[] = [new Hypothesis()];
  /** Dropped ones, to be used again. */
  readonly #spare: Hypothesis[] = [];
  readonly #drop = (one: Hypothesis): void => void this.#spare.push(one);
  /** Depth up to which tokens are committed. */
  #committed = 0;
  readonly #ids: Int32Array;
  readonly #extensions: Extension[] = [];
  readonly #longer: Hypothesis[] = [];
  /** Of a frame's candidates: hypotheses that stay as they are and, from beam.length on, extensions. */
  readonly #ranking: Ranking;

  constructor(options: PrefixBeamOptions) {
    this.#blank = options.blank;
    this.#vocabulary = options.pieces.length;
    this.#phrases = options.phrases;
    this.#language = options.language ?? null;
    const plain = this.#language === null;
    // What a phrase is to bring out may be far behind.
    const near = !plain && this.#phrases === null;
    this.#width = options.width ?? (near ? LANGUAGE_WIDTH : plain ? WIDTH : PHRASES_WIDTH);
    this.#least = options.leastLogProbability ?? (near ? LANGUAGE_LEAST : LEAST_LOG_PROBABILITY);
    this.#farBehind = options.farBehind ?? (near ? LANGUAGE_FAR_BEHIND : FAR_BEHIND);
    const most = plain ? Infinity : near ? MOST_TOKENS : 2 * MOST_TOKENS;
    this.#mostTokens = Math.min(this.#vocabulary, most);
    this.#settleFrames = options.settleFrames ?? SETTLE_FRAMES;
    this.#quietFrames = options.quietFrames ?? Infinity;
    this.#begins = Uint8Array.from(options.pieces, (piece) => (piece.startsWith(WORD_MARK) ? 1 : 0));
    this.#ids = new Int32Array(this.#vocabulary);
    this.#ranking = new Ranking(this.#width);
  }

  /**
   * Takes a frame in.
   * @param logprobs natural log-probabilities of all tokens, from offset on @param frame its number, rising
   * @returns false where nothing but a blank was likely: best() and agreed() are what they were
   */
  frame(logprobs: Float32Array, offset: number, frame: number): boolean {
    forget(this.#beam, frame - this.#quietFrames, this.#committed, this.#drop);
    const count = this.#likely(logprobs, offset);
    const blank = heard(logprobs, offset + this.#blank);
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
    settle(this.#beam, frame - this.#settleFrames, this.#committed, this.#drop);
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
   * those of words that all hypotheses have which are not more than `margin` (natural) behind, and the one too that were best
   * if nothing more came.
   */
  agreed(margin: number, old: number): number {
    const { tip, score } = this.#beam[0]!;
    const least = olderThan(tip, old, this.#committed);
    const ended = this.#bestEnded();
    let shared = tip;
    for (let i = 1; i < this.#beam.length && shared.depth > least.depth; i++) {
      const one = this.#beam[i]!;
      if (one === ended || one.score >= score - margin) shared = sharedWords(shared, one.tip, this.#begins);
    }
    return Math.max(shared.depth, least.depth) - this.#committed;
  }

  /**
   * The first count tokens of best() are final: hypotheses that have others are dropped, and so are those in which the last word
   * of these goes on, or still might: no cut is within a word.
   */
  commit(count: number): void {
    const depth = this.#committed + count;
    const best = this.#beam[0]!;
    const last = prefix(best.tip, depth);
    this.#beam = this.#beam.filter((one) => one === best || this.#beginsAfter(one.tip, last));
    this.#committed = depth;
    for (const one of this.#beam) one.tip = cutOff(one.tip, depth);
  }

  /**
   * Nothing more comes until reset(): words are whole, and phrases that are not give back what they were worth so far.
   * @returns whether best() is another one now
   */
  finish(): boolean {
    const [phrases, language] = [this.#phrases, this.#language];
    if (phrases === null && language === null) return false;
    const before = this.#beam[0]!;
    for (const one of this.#beam) {
      if (language !== null) one.bonus += this.#endOf(one, language);
      if (phrases !== null) one.bonus += phrases.closing(one.place);
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

  /** Best first; for tests. */
  get hypotheses(): readonly Hypothesis[] {
    return this.#beam;
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
      one.nextToken = one.tip.id < 0 ? -Infinity : one.token + heard(logprobs, offset + one.tip.id);
      one.restart = -Infinity;
    }
    const least = this.#leastKept();
    let made = 0;
    for (const one of beam) {
      const total = logAdd(one.blank, one.token);
      const longer = this.#longerByOne(one.tip);
      const [ofBeginning, ofGoingOn] = this.#mostGains(one);
      for (let k = 0; k < count; k++) {
        const id = this.#ids[k]!;
        const token = (id === one.tip.id ? one.blank : total) + heard(logprobs, offset + id);
        if (token === -Infinity) continue;
        const known = longer.find(({ tip }) => tip.id === id);
        if (known !== undefined) {
          known.restart = token;
          known.restartAfter = one.tip;
          continue;
        }
        if (token + one.bonus + (this.#begins[id] === 1 ? ofBeginning : ofGoingOn) < least) continue;
        const extension = (this.#extensions[made++] ??= new Extension());
        extension.from = one;
        extension.id = id;
        extension.token = token;
        this.#value(one, extension);
      }
    }
    return made;
  }

  /** What scores less is not in the next beam, as far as can be said before anything is extended. */
  #leastKept(): number {
    let [worst, best] = [Infinity, -Infinity];
    for (const { nextBlank, nextToken, bonus } of this.#beam) {
      const score = logAdd(nextBlank, nextToken) + bonus;
      worst = Math.min(worst, score);
      best = Math.max(best, score);
    }
    const far = best - this.#farBehind;
    return this.#beam.length < this.#width ? far : Math.max(far, worst);
  }

  /** What a token that begins a word, and one that goes on with it, can be worth at most. */
  #mostGains(one: Hypothesis): readonly [number, number] {
    const language = this.#language;
    if (language === null || this.#phrases !== null) return [Infinity, Infinity];
    return [this.#endOf(one, language) + language.mostOfBeginning, language.mostOfGoingOn(one)];
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
        bonus += this.#endOf(from, language);
        language.advance(from.end, id, extension, inPhrase);
      } else language.advance(from, id, extension, inPhrase);
      bonus += language.gained;
    }
    extension.bonus = bonus;
  }

  /** What the end of its word changes of a hypothesis, where there is a language model. */
  #endOf(one: Hypothesis, language: LanguageModel): number {
    if (!one.hasEnd) {
      language.end(one, one.end, this.#phrases?.endsWord(one.place));
      one.endGain = language.gained;
      one.hasEnd = true;
    }
    return one.endGain;
  }

  /** The hypothesis that finish() would put first. */
  #bestEnded(): Hypothesis {
    let [best, most] = [this.#beam[0]!, -Infinity];
    for (const one of this.#beam) {
      const ends = this.#language === null ? 0 : this.#endOf(one, this.#language);
      const score = one.score + ends + (this.#phrases?.closing(one.place) ?? 0);
      if (score > most) [best, most] = [one, score];
    }
    return best;
  }

  /** Whether a prefix is this one and then at least a word's first token. */
  #beginsAfter(tip: Token, first: Token): boolean {
    if (tip.depth <= first.depth) return false;
    const next = prefix(tip, first.depth + 1);
    return this.#begins[next.id] === 1 && same(next.before ?? ROOT, first);
  }

  /** The hypotheses of the beam that are that prefix and one more token. */
  #longerByOne(shorter: Token): readonly Hypothesis[] {
    const longer = this.#longer;
    longer.length = 0;
    const depth = shorter.depth + 1;
    for (const one of this.#beam) {
      const { tip } = one;
      if (tip.depth !== depth) continue;
      if (tip.hashA === hashA(shorter, tip.id) && tip.hashB === hashB(shorter, tip.id)) longer.push(one);
    }
    return longer;
  }

  /** The best of what stays as it is and what was extended make the next beam. */
  #select(made: number, logprobs: Float32Array, offset: number, frame: number): void {
    const [beam, ranking] = [this.#beam, this.#ranking];
    ranking.clear();
    for (let i = 0; i < beam.length; i++) {
      const one = beam[i]!;
      one.kept = false;
      ranking.add(logAdd(one.nextBlank, logAdd(one.nextToken, one.restart)) + one.bonus, i);
    }
    for (let k = 0; k < made; k++) {
      const { token, bonus } = this.#extensions[k]!;
      ranking.add(token + bonus, beam.length + k);
    }
    const least = ranking.scoreAt(0) - this.#farBehind;
    const next: Hypothesis[] = [];
    // New tokens hang on the tips as they were before this frame.
    for (let i = 0; i < ranking.count && ranking.scoreAt(i) >= least; i++) {
      const which = ranking.whichAt(i);
      if (which < beam.length) {
        beam[which]!.kept = true;
        next.push(beam[which]!);
        continue;
      }
      const extension = this.#extensions[which - beam.length]!;
      const one = this.#spare.pop() ?? new Hypothesis();
      one.extend(extension, heard(logprobs, offset + extension.id), frame);
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
}
