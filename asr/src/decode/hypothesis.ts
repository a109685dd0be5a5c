import { BETWEEN, type SpelledWord } from './language-model.ts';
import { SENTENCE_START } from './ngram-file.ts';
import { NO_PHRASE } from './phrases.ts';

export interface BeamToken {
  readonly id: number;
  /** The frame in which it most likely began, and the last one in which it went on. */
  readonly firstFrame: number;
  readonly lastFrame: number;
  /** Natural, of its best frame. */
  readonly logProbability: number;
}

/** A prefix, from its newest token back. */
export interface Token extends BeamToken {
  readonly before: Token | null;
  /** Tokens in the prefix since the channel's beginning. */
  readonly depth: number;
  /** Two hashes of the prefix: together they name it. */
  readonly hashA: number;
  readonly hashB: number;
}

/** The empty prefix. */
export const ROOT: Token = {
  id: -1,
  before: null,
  depth: 0,
  hashA: 0,
  hashB: 0,
  firstFrame: -1,
  lastFrame: -1,
  logProbability: 0,
};

/** A prefix in the beam. Its fields are its own until the beam drops it and makes another one of it. */
export class Hypothesis implements SpelledWord {
  tip: Token = ROOT;
  /** Natural logarithms of the probability of all paths that end in a blank, and in the newest token. */
  blank = 0;
  token = -Infinity;
  /** Value of the phrases and of the language in it. */
  bonus = 0;
  /** In the phrases' tree. */
  place = NO_PHRASE;
  history = SENTENCE_START;
  spelled = BETWEEN;
  letters = 0;
  open = 0;
  /** The same after its last word's end, once it was asked for (hasEnd), and what that changes. */
  hasEnd = false;
  readonly end: SpelledWord = { history: 0, spelled: BETWEEN, letters: 0, open: 0 };
  endGain = 0;
  /** While a frame is being worked on. */
  kept = false;
  nextBlank = 0;
  nextToken = 0;
  /** As `token`, for its newest token beginning in this frame, and what came before that token. */
  restart = 0;
  restartAfter: Token = ROOT;

  /** The empty one. */
  begin(): void {
    this.tip = ROOT;
    this.blank = 0;
    this.token = -Infinity;
    this.bonus = 0;
    this.place = NO_PHRASE;
    this.history = SENTENCE_START;
    this.spelled = BETWEEN;
    this.letters = 0;
    this.open = 0;
    this.hasEnd = false;
  }

  /** What it is ranked by. */
  get score(): number {
    return logAdd(this.blank, this.token) + this.bonus;
  }

  /** One with one more token. @param logProbability of the new token in this frame */
  extend(extension: Extension, logProbability: number, frame: number): void {
    const before = extension.from!.tip;
    const { id } = extension;
    this.tip = {
      id,
      before,
      depth: before.depth + 1,
      hashA: hashA(before, id),
      hashB: hashB(before, id),
      firstFrame: frame,
      lastFrame: frame,
      logProbability,
    };
    this.blank = -Infinity;
    this.token = extension.token;
    this.bonus = extension.bonus;
    this.place = extension.place;
    this.history = extension.history;
    this.spelled = extension.spelled;
    this.letters = extension.letters;
    this.open = extension.open;
    this.hasEnd = false;
  }

  /** Without a new token: after a blank, or its newest token goes on, or that token begins only now. */
  goOn(logprobs: Float32Array, offset: number, frame: number): void {
    const { tip, nextBlank, nextToken, restart } = this;
    const logProbability = tip.id < 0 ? 0 : heard(logprobs, offset + tip.id);
    if (restart > logAdd(nextBlank, nextToken)) {
      this.tip = followed(tip, this.restartAfter, frame, frame, logProbability);
    } else if (nextToken > nextBlank) {
      const best = Math.max(tip.logProbability, logProbability);
      this.tip = followed(tip, tip.before, tip.firstFrame, frame, best);
    }
    this.blank = nextBlank;
    this.token = logAdd(nextToken, restart);
  }
}

/** A hypothesis with one more token, not yet worth an object. */
export class Extension implements SpelledWord {
  from: Hypothesis | null = null;
  id = 0;
  token = 0;
  bonus = 0;
  place = NO_PHRASE;
  history = 0;
  spelled = BETWEEN;
  letters = 0;
  open = 0;
}

/** The same token, heard at other times. */
function followed(
  { id, depth, hashA, hashB }: Token,
  before: Token | null,
  firstFrame: number,
  lastFrame: number,
  logProbability: number,
): Token {
  return { id, before, depth, hashA, hashB, firstFrame, lastFrame, logProbability };
}

/** As good as impossible. */
const LEAST_HEARD = -99;

/** A log-probability of a frame; where a model gives none (not a number, or minus infinity) the beam is not to end there. */
export function heard(logprobs: Float32Array, at: number): number {
  const given = logprobs[at]!;
  return given > LEAST_HEARD ? given : LEAST_HEARD;
}

/** What the smaller adds beyond this is less than a float32 tells apart. */
const NOTHING = -18;

/** log(exp(a) + exp(b)) */
export function logAdd(a: number, b: number): number {
  if (a < b) return b + (a - b > NOTHING ? Math.log1p(Math.exp(a - b)) : 0);
  return b - a > NOTHING ? a + Math.log1p(Math.exp(b - a)) : a;
}

/** The hashes of a prefix and one more token. */
export const hashA = (token: Token, id: number): number => (Math.imul(token.hashA, 0x01000193) + id + 1) | 0;
export const hashB = (token: Token, id: number): number =>
  (Math.imul(token.hashB ^ (id + 1), 0x5bd1e995) + 7) | 0;

/** Whether two prefixes are of the same tokens. */
export const same = (a: Token, b: Token): boolean =>
  a.depth === b.depth && a.hashA === b.hashA && a.hashB === b.hashB;

/** The first `depth` tokens of a prefix. */
export function prefix(tip: Token, depth: number): Token {
  let at = tip;
  while (at.depth > depth) at = at.before ?? ROOT;
  return at;
}

/** The same chain without what lies before depth; its links are what keeps the past in memory. */
export function cutOff(tip: Token, depth: number): Token {
  if (tip.depth <= depth) return { ...tip, before: null };
  return { ...tip, before: cutOff(tip.before ?? ROOT, depth) };
}
