/** The best of many candidates, best first; of equal ones those that came first. Candidates are numbers of the caller's. */
export class Ranking {
  readonly #scores: Float64Array;
  readonly #which: Int32Array;
  #count = 0;

  /** @param width candidates that are kept, at least 1 */
  constructor(width: number) {
    this.#scores = new Float64Array(width);
    this.#which = new Int32Array(width);
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  /** @param at 0 for the best, below count */
  scoreAt(at: number): number {
    return this.#scores[at]!;
  }

  whichAt(at: number): number {
    return this.#which[at]!;
  }

  add(score: number, which: number): void {
    const [scores, candidates] = [this.#scores, this.#which];
    let at = this.#count;
    if (at === scores.length) {
      if (score <= scores[at - 1]!) return;
      at--;
    } else this.#count++;
    for (; at > 0 && scores[at - 1]! < score; at--) {
      scores[at] = scores[at - 1]!;
      candidates[at] = candidates[at - 1]!;
    }
    scores[at] = score;
    candidates[at] = which;
  }
}
