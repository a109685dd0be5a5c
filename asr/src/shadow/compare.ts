/** Differences beyond this many in a row are not looked through: a bound for hour-long calls. */
const BAND = 1000;
const FAR = 1e9;

/**
 * Words that have to be changed, inserted or deleted to make one sequence of the other (Levenshtein distance, all costs 1). Exact
 * while it is at most BAND, an upper bound above.
 */
export function wordDifferences(
  from: readonly string[],
  to: readonly string[],
  band = BAND + Math.abs(from.length - to.length),
): number {
  let previous = new Uint32Array(to.length + 1);
  let current = new Uint32Array(to.length + 1);
  for (let j = 0; j <= to.length; j++) previous[j] = j;
  for (let i = 1; i <= from.length; i++) {
    const low = Math.max(1, i - band);
    const high = Math.min(to.length, i + band);
    current[low - 1] = low === 1 ? i : FAR;
    for (let j = low; j <= high; j++) {
      const substitution = previous[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      // The row before ends one word earlier.
      const deletion = j === i + band ? FAR : previous[j]! + 1;
      current[j] = Math.min(substitution, deletion, current[j - 1]! + 1);
    }
    [previous, current] = [current, previous];
  }
  return previous[to.length]!;
}
