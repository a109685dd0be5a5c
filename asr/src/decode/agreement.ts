import { type Hypothesis, ROOT, type Token, same, prefix } from './hypothesis.ts';

/**
 * What of a prefix is whole words of another one too: without the word that goes on in one of them.
 * @param begins 1 for the pieces that begin a word
 */
export function sharedWords(tip: Token, other: Token, begins: Uint8Array): Token {
  const depth = Math.min(tip.depth, other.depth);
  let [a, b] = [prefix(tip, depth), prefix(other, depth)];
  while (!same(a, b)) [a, b] = [a.before ?? ROOT, b.before ?? ROOT];
  if (!goesOn(tip, a, begins) && !goesOn(other, a, begins)) return a;
  while (a.depth > 0 && begins[a.id] !== 1) a = a.before ?? ROOT;
  return a.before ?? ROOT;
}

/** Whether the last word of a prefix is longer in a prefix that begins with it. */
const goesOn = (tip: Token, first: Token, begins: Uint8Array): boolean =>
  tip.depth > first.depth && begins[prefix(tip, first.depth + 1).id] !== 1;

/** The newest of a prefix's tokens that went on only before a frame; at committed, where there is none since. */
export function olderThan(tip: Token, frame: number, committed: number): Token {
  let at = tip;
  while (at.depth > committed && at.lastFrame >= frame) at = at.before ?? ROOT;
  return at;
}

/**
 * Drops hypotheses that differ from the best one in tokens that are settled: those that began up to the frame `oldest`.
 * @param beam best first; the others move up @param dropped called with each that is dropped
 */
export function settle(
  beam: Hypothesis[],
  oldest: number,
  committed: number,
  dropped: (one: Hypothesis) => void,
): void {
  let settled = beam[0]!.tip;
  while (settled.depth > committed && settled.firstFrame > oldest) settled = settled.before ?? ROOT;
  let kept = 0;
  for (let i = 0; i < beam.length; i++) {
    const one = beam[i]!;
    if (beginsWith(one.tip, settled, oldest)) beam[kept++] = one;
    else dropped(one);
  }
  beam.length = kept;
}

/** A token's first frame may differ a little from one hypothesis to another. */
const JITTER_FRAMES = 3;

/** Whether a prefix begins with the settled one and goes on only later than that. */
function beginsWith(tip: Token, settled: Token, oldest: number): boolean {
  if (tip.depth < settled.depth) return false;
  let after: Token | null = null;
  let at = tip;
  for (; at.depth > settled.depth; at = at.before ?? ROOT) after = at;
  return same(at, settled) && (after === null || after.firstFrame > oldest - JITTER_FRAMES);
}

/**
 * Drops hypotheses whose first token since the last commit began up to the frame `oldest`, while the best one has none.
 * @param beam best first; the others move up @param dropped called with each that is dropped
 */
export function forget(
  beam: Hypothesis[],
  oldest: number,
  committed: number,
  dropped: (one: Hypothesis) => void,
): void {
  if (beam.length === 1 || beam[0]!.tip.depth > committed) return;
  let kept = 0;
  for (let i = 0; i < beam.length; i++) {
    const one = beam[i]!;
    const { depth } = one.tip;
    if (depth === committed || prefix(one.tip, committed + 1).firstFrame > oldest) beam[kept++] = one;
    else dropped(one);
  }
  beam.length = kept;
}
