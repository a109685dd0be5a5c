import type { WordErrors } from '../../../sip-tests/src/wer.ts';
import { round } from '../statistics.ts';

export interface WerFigure {
  /** 0..1, above it with many insertions; null without words. */
  readonly wer: number | null;
  readonly words: number;
  readonly substitutions: number;
  readonly deletions: number;
  readonly insertions: number;
}

/** Word errors of many sentences: each word counts once, however long its sentence is. */
export class Tally {
  #words = 0;
  #substitutions = 0;
  #deletions = 0;
  #insertions = 0;

  add({ referenceWords, substitutions, deletions, insertions }: WordErrors): void {
    this.#words += referenceWords;
    this.#substitutions += substitutions;
    this.#deletions += deletions;
    this.#insertions += insertions;
  }

  join(other: Tally | undefined): void {
    if (other === undefined) return;
    this.#words += other.#words;
    this.#substitutions += other.#substitutions;
    this.#deletions += other.#deletions;
    this.#insertions += other.#insertions;
  }

  get figure(): WerFigure {
    const errors = this.#substitutions + this.#deletions + this.#insertions;
    return {
      wer: this.#words === 0 ? null : round(errors / this.#words, 4),
      words: this.#words,
      substitutions: this.#substitutions,
      deletions: this.#deletions,
      insertions: this.#insertions,
    };
  }
}
