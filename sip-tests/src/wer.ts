/** One step of the cheapest way from the reference to the hypothesis. */
export type AlignedWord =
  | { kind: 'correct' | 'substitution'; reference: string; hypothesis: string }
  | { kind: 'deletion'; reference: string }
  | { kind: 'insertion'; hypothesis: string };

export interface WordErrors {
  /** (substitutions + deletions + insertions) / reference words: 0 is right, it can be above 1. */
  rate: number;
  referenceWords: number;
  correct: number;
  substitutions: number;
  deletions: number;
  insertions: number;
  alignment: AlignedWord[];
}

/** Words as they are compared: lower case, no punctuation but the apostrophe inside a word. */
export function words(text: string): string[] {
  return (
    text
      .toLowerCase()
      .replaceAll('\u2019', "'")
      .match(/[\p{L}\p{N}]+(?:'[\p{L}\p{N}]+)*/gu) ?? []
  );
}

/**
 * Word error rate with its alignment, by Levenshtein distance over words with all costs 1. An empty
 * reference has the rate 0 with an empty hypothesis and otherwise the number of inserted words.
 */
export function wordErrors(reference: string | string[], hypothesis: string | string[]): WordErrors {
  const wanted = typeof reference === 'string' ? words(reference) : reference;
  const got = typeof hypothesis === 'string' ? words(hypothesis) : hypothesis;
  const width = got.length + 1;
  const costs = new Uint32Array((wanted.length + 1) * width);
  const cost = (i: number, j: number) => costs[i * width + j] ?? 0;
  for (let j = 0; j <= got.length; j += 1) costs[j] = j;
  for (let i = 1; i <= wanted.length; i += 1) {
    costs[i * width] = i;
    for (let j = 1; j <= got.length; j += 1) {
      const change = wanted[i - 1] === got[j - 1] ? 0 : 1;
      costs[i * width + j] = Math.min(cost(i - 1, j - 1) + change, cost(i - 1, j) + 1, cost(i, j - 1) + 1);
    }
  }
  const alignment = backtrace(wanted, got, cost);
  const count = (kind: AlignedWord['kind']) => alignment.filter((step) => step.kind === kind).length;
  const errors = cost(wanted.length, got.length);
  return {
    rate: errors / Math.max(1, wanted.length),
    referenceWords: wanted.length,
    correct: count('correct'),
    substitutions: count('substitution'),
    deletions: count('deletion'),
    insertions: count('insertion'),
    alignment,
  };
}

function backtrace(wanted: string[], got: string[], cost: (i: number, j: number) => number): AlignedWord[] {
  const steps: AlignedWord[] = [];
  let i = wanted.length;
  let j = got.length;
  while (i > 0 || j > 0) {
    const reference = wanted[i - 1];
    const hypothesis = got[j - 1];
    if (reference !== undefined && hypothesis !== undefined) {
      const same = reference === hypothesis;
      if (cost(i, j) === cost(i - 1, j - 1) + (same ? 0 : 1)) {
        steps.push({ kind: same ? 'correct' : 'substitution', reference, hypothesis });
        i -= 1;
        j -= 1;
        continue;
      }
    }
    if (reference !== undefined && (hypothesis === undefined || cost(i, j) === cost(i - 1, j) + 1)) {
      steps.push({ kind: 'deletion', reference });
      i -= 1;
    } else if (hypothesis !== undefined) {
      steps.push({ kind: 'insertion', hypothesis });
      j -= 1;
    }
  }
  return steps.reverse();
}
