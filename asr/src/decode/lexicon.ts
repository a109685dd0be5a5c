/** Letters that words may be of: a place keeps in 31 bits which of them may follow. */
const MOST_LETTERS = 31;
const NO_LETTER = 255;
const NO_WORD = 0xffff;

/** The place of the empty beginning, and where no word of the lexicon is any more. */
export const WORD_START = 0;
export const NO_PLACE = -1;

/**
 * Words as a tree of letters, each place's children next to each other: which letters follow is a mask, and where a child lies
 * is the number of bits before its own. A step takes some nanoseconds.
 */
export class Lexicon {
  readonly #codes: ReadonlyMap<string, number>;
  readonly #masks: Int32Array;
  readonly #children: Uint32Array;
  readonly #words: Uint16Array;
  /** The best value of a word that begins like this. */
  readonly #best: Float32Array;

  /**
   * @param words rising by code points @param first index of the first one that counts
   * @param valueOf of each word; see bestValue()
   * @throws RangeError for more than 31 different letters
   */
  constructor(words: readonly string[], first: number, valueOf: (word: number) => number) {
    const letters = new Set<string>();
    let most = 1;
    for (let i = first; i < words.length; i++) {
      for (const letter of words[i]!) letters.add(letter);
      most += words[i]!.length;
    }
    const alphabet = [...letters].sort();
    if (alphabet.length > MOST_LETTERS) {
      throw new RangeError(`words of ${alphabet.length} different letters, ${MOST_LETTERS} at most`);
    }
    const codes = new Map(alphabet.map((letter, code) => [letter, code]));
    this.#codes = codes;
    const coded = words.map((word, i) =>
      i < first ? new Uint8Array() : Uint8Array.from(word, (letter) => codes.get(letter)!),
    );
    // Places breadth first; each stands for a range of the sorted words.
    const from = new Int32Array(most);
    const to = new Int32Array(most);
    const depth = new Uint8Array(most);
    const masks = new Int32Array(most);
    const children = new Uint32Array(most);
    const ends = new Uint16Array(most).fill(NO_WORD);
    from[0] = first;
    to[0] = words.length;
    let count = 1;
    for (let at = 0; at < count; at++) {
      const level = depth[at]!;
      let i = from[at]!;
      if (i < to[at]! && coded[i]!.length === level) ends[at] = i++;
      children[at] = count;
      while (i < to[at]!) {
        const letter = coded[i]![level]!;
        masks[at]! |= 1 << letter;
        from[count] = i;
        while (i < to[at]! && coded[i]![level] === letter) i++;
        to[count] = i;
        depth[count++] = level + 1;
      }
    }
    const best = new Float32Array(count).fill(-Infinity);
    for (let at = count - 1; at >= 0; at--) {
      if (ends[at] !== NO_WORD) best[at] = valueOf(ends[at]!);
      for (let child = 0; child < bits(masks[at]!); child++) {
        best[at] = Math.max(best[at]!, best[children[at]! + child]!);
      }
    }
    this.#masks = masks.slice(0, count);
    this.#children = children.slice(0, count);
    this.#words = ends.slice(0, count);
    this.#best = best;
  }

  /** @returns the codes of a piece's letters; NO_LETTER for those that no word has */
  codesOf(text: string): Uint8Array {
    return Uint8Array.from([...text], (letter) => this.#codes.get(letter) ?? NO_LETTER);
  }

  /** @returns the place after these letters, NO_PLACE when no word goes on like that */
  step(place: number, letters: Uint8Array): number {
    for (let i = 0; i < letters.length && place >= 0; i++) {
      const letter = letters[i]!;
      const mask = this.#masks[place]!;
      if (letter >= MOST_LETTERS || ((mask >>> letter) & 1) === 0) return NO_PLACE;
      place = this.#children[place]! + bits(mask & ((1 << letter) - 1));
    }
    return place;
  }

  /** @returns the word that ends here, or -1 */
  wordAt(place: number): number {
    const word = place < 0 ? NO_WORD : this.#words[place]!;
    return word === NO_WORD ? -1 : word;
  }

  /** The best value of the words that begin like this. */
  bestValue(place: number): number {
    return this.#best[place]!;
  }
}

/** How many bits are set. */
function bits(x: number): number {
  x -= (x >>> 1) & 0x55555555;
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
