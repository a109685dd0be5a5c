import type { SpanKind } from '../types.ts';

/** The words of a segment as the matchers see them. Outside of [0, end) there are empty words. */
export class Tokens {
  /** Lower case, with straight apostrophes. */
  readonly keys: readonly string[];
  /** No match may reach beyond it. */
  end: number;
  readonly partial: boolean;

  constructor(keys: readonly string[], partial: boolean) {
    this.keys = keys;
    this.end = keys.length;
    this.partial = partial;
  }

  at(index: number): string {
    return index < this.end ? (this.keys[index] ?? '') : '';
  }

  /** The words from index on are these. */
  has(index: number, ...words: readonly string[]): boolean {
    return words.every((word, offset) => this.at(index + offset) === word);
  }

  /** More words may come behind a match that ends here. */
  mayGrow(to: number): boolean {
    return this.partial && to === this.keys.length;
  }

  /** One of the words stands in the `reach` words before index. */
  near(index: number, words: ReadonlySet<string>, reach: number): boolean {
    for (let i = index - 1; i >= 0 && i >= index - reach; i--) if (words.has(this.at(i))) return true;
    return false;
  }
}

/** What a matcher found. Kind null: these words stay as they are said, and no other matcher looks at them. */
export interface Match {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly kind: SpanKind | null;
}

/** Judges the words from an index on. */
export type Matcher = (tokens: Tokens, from: number, before: Match | null) => Match | null;

export const asSaid = (from: number, to: number): Match => ({ from, to, text: '', kind: null });
