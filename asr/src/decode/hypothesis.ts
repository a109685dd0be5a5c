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

export interface Hypothesis {
  tip: Token;
  /** Natural logarithms of the probability of all paths that end in a blank, and in the newest token. */
  blank: number;
  token: number;
  /** Value of the phrases in it. */
  bonus: number;
  place: number;
  /** While a frame is being worked on. */
  nextBlank: number;
  nextToken: number;
  /** As `token`, for its newest token beginning in this frame, and what came before that token. */
  restart: number;
  restartAfter: Token;
}

/** A hypothesis with one more token, not yet worth an object. */
export interface Extension {
  from: Hypothesis | null;
  id: number;
  token: number;
  bonus: number;
  place: number;
  score: number;
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

/** log(exp(a) + exp(b)) */
export function logAdd(a: number, b: number): number {
  if (a < b) [a, b] = [b, a];
  return b === -Infinity ? a : a + Math.log1p(Math.exp(b - a));
}

/** The hashes of a prefix and one more token. */
export const hashA = (token: Token, id: number): number => (Math.imul(token.hashA, 0x01000193) + id + 1) | 0;
export const hashB = (token: Token, id: number): number =>
  (Math.imul(token.hashB ^ (id + 1), 0x5bd1e995) + 7) | 0;

/** A new one. @param blank @param token natural logarithms, see Hypothesis */
export function hypothesis(
  tip: Token,
  blank: number,
  token: number,
  bonus = 0,
  place = NO_PHRASE,
): Hypothesis {
  return { tip, blank, token, bonus, place, nextBlank: 0, nextToken: 0, restart: 0, restartAfter: ROOT };
}

/** What a hypothesis is ranked by. */
export const scoreOf = (one: Hypothesis): number => logAdd(one.blank, one.token) + one.bonus;

/** Whether two prefixes are of the same tokens. */
export const same = (a: Token, b: Token): boolean =>
  a.depth === b.depth && a.hashA === b.hashA && a.hashB === b.hashB;

/** @param logProbability of the new token in this frame */
export function extended(
  { from, id, token, bonus, place }: Extension,
  logProbability: number,
  frame: number,
): Hypothesis {
  const before = from!.tip;
  const tip: Token = {
    id,
    before,
    depth: before.depth + 1,
    hashA: hashA(before, id),
    hashB: hashB(before, id),
    firstFrame: frame,
    lastFrame: frame,
    logProbability,
  };
  return hypothesis(tip, -Infinity, token, bonus, place);
}

/** A hypothesis without a new token: after a blank, or its newest token goes on, or that token begins only now. */
export function goOn(one: Hypothesis, logprobs: Float32Array, offset: number, frame: number): void {
  const { tip, nextBlank, nextToken, restart, restartAfter } = one;
  const logProbability = tip.id < 0 ? 0 : logprobs[offset + tip.id]!;
  if (restart > logAdd(nextBlank, nextToken)) {
    one.tip = { ...tip, before: restartAfter, firstFrame: frame, lastFrame: frame, logProbability };
  } else if (nextToken > nextBlank) {
    one.tip = { ...tip, lastFrame: frame, logProbability: Math.max(tip.logProbability, logProbability) };
  }
  one.blank = nextBlank;
  one.token = logAdd(nextToken, restart);
}

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
