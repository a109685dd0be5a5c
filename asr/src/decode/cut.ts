/** Where the words of an open segment may be parted. */
export interface Span {
  readonly startTick: number;
  readonly endTick: number;
}

export const middleOf = (word: Span): number => (word.startTick + word.endTick) / 2;

/**
 * Index of the word that begins after the widest pause (the last such).
 * @param from the first index that may be chosen, 1 or more
 * @returns 0 when there is none
 */
export function widestGap(
  words: readonly Span[],
  from = 1,
  allowed: (index: number) => boolean = () => true,
): number {
  let cut = 0;
  let widest = -Infinity;
  for (let i = Math.max(1, from); i < words.length; i++) {
    const width = words[i]!.startTick - words[i - 1]!.endTick;
    if (width >= widest && allowed(i)) {
      widest = width;
      cut = i;
    }
  }
  return cut;
}

/**
 * The frame boundary that parts two words: nearest to the middle between them, after the middle of the first and not after
 * that of the second, so that a replay from there drops the one and keeps the other.
 * @param floor it may not lie before @param floorOf the frame boundary at or before a tick
 * @returns null when there is none: the words are too short to be parted
 */
export function cutTick(
  before: Span,
  after: Span,
  floor: number,
  frameSamples: number,
  floorOf: (tick: number) => number,
): number | null {
  const lowest = Math.max(floor, Math.floor(middleOf(before)) + 1);
  const highest = Math.floor(middleOf(after));
  const ideal = Math.max(lowest, Math.floor((before.endTick + after.startTick) / 2));
  const below = floorOf(ideal);
  const above = below + frameSamples;
  const fits = (tick: number): boolean => tick >= lowest && tick <= highest;
  const nearest = ideal - below <= above - ideal ? [below, above] : [above, below];
  return nearest.find(fits) ?? null;
}
