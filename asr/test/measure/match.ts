/** Pairs the words of two sequences (Levenshtein). @returns [reference index, hypothesis index] of equal words, rising */
export function matched(reference: readonly string[], hypothesis: readonly string[]): [number, number][] {
  const rows = reference.length;
  const columns = hypothesis.length;
  const cost = Array.from({ length: rows + 1 }, (_, i) =>
    Array.from({ length: columns + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  for (let i = 1; i <= rows; i++) {
    for (let j = 1; j <= columns; j++) {
      const swap = cost[i - 1]![j - 1]! + (reference[i - 1] === hypothesis[j - 1] ? 0 : 1);
      cost[i]![j] = Math.min(swap, cost[i - 1]![j]! + 1, cost[i]![j - 1]! + 1);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = rows, j = columns; i > 0 && j > 0;) {
    const equal = reference[i - 1] === hypothesis[j - 1];
    if (cost[i]![j] === cost[i - 1]![j - 1]! + (equal ? 0 : 1)) {
      if (equal) pairs.push([i - 1, j - 1]);
      i--;
      j--;
    } else if (cost[i]![j] === cost[i - 1]![j]! + 1) i--;
    else j--;
  }
  return pairs.reverse();
}

/** The value below which a share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
