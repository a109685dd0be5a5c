import type { VocabularyPhrase } from '@earshot/contracts';
import { WORD_MARK } from './tokens.ts';

/** A place in the tree: some phrases' first letters have been heard. */
interface Place {
  readonly next: Map<string, number>;
  /** Letters and marks from the root. */
  readonly depth: number;
  /** What the best phrase through here has given so far. */
  given: number;
  /** Worth of the best phrase that ends here; 0: none does. */
  ends: number;
  /** Worth of the whole phrases on the way here if its last word ends here, and the depth at which the last of them ended. */
  whole: number;
  wholeDepth: number;
  /** Likewise of the words before its last one: they are kept when that one is another. */
  kept: number;
  keptDepth: number;
  /** A word of a phrase ends here. */
  endsWord: boolean;
  /** The longest other beginning of a phrase that ends in the same letters. */
  fail: number;
}

export const NO_PHRASE = 0;

/**
 * Phrases as a tree of letters (Aho and Corasick 1975), walked piece by piece: so a phrase is found however its letters fall
 * into pieces. A phrase is worth its boost times the fewest pieces that it can be written in, and each of its letters an equal
 * share of that, whatever piece it comes in. The share is given as the letters come, and taken back when the phrase
 * breaks off or its last word goes on.
 */
export class PhraseTree {
  /** Phrases in it: all but those without words, and those with letters that the model's pieces do not have. */
  readonly count: number;
  /** The change of value in the last advance(). */
  gained = 0;
  readonly #places: Place[] = [];
  readonly #letters: readonly (readonly string[])[];

  /** @param pieces the model's, where WORD_MARK begins a word */
  constructor(phrases: readonly VocabularyPhrase[], pieces: readonly string[]) {
    const { letters, known, longest } = writingOf(pieces);
    this.#letters = letters;
    this.#add(0);
    let usable = 0;
    for (const { text, boost } of phrases) {
      const written = markedOf(text);
      const count = written === '' ? Infinity : fewestPieces(written, known, longest);
      if (count === Infinity) continue;
      this.#insert([...written], Math.max(0, boost) * count);
      usable++;
    }
    this.count = usable;
    this.#link();
  }

  /** @param place where the letters so far led, NO_PHRASE at first @returns where a piece leads; see gained */
  advance(place: number, piece: number): number {
    this.gained = 0;
    for (const letter of this.#letters[piece] ?? []) place = this.#step(place, letter);
    return place;
  }

  /** What is to be added to the value when nothing more comes: a phrase that is not whole gives back its share. */
  closing(place: number): number {
    const { whole, given } = this.#places[place]!;
    return whole - given;
  }

  /** Whether the word that led here is of a phrase if it ends here: "kowal" is not because of "kowalczyk". */
  endsWord(place: number): boolean {
    return this.#places[place]!.endsWord;
  }

  #step(place: number, letter: string): number {
    const here = this.#places[place]!;
    const next = here.next.get(letter);
    if (next !== undefined) {
      this.gained += this.#places[next]!.given - here.given;
      return next;
    }
    // The way breaks off, between two words or within one: what was whole is kept, and what is left may begin another phrase.
    const between = letter === WORD_MARK;
    this.gained += (between ? here.whole : here.kept) - here.given;
    const free = here.depth - (between ? here.wholeDepth : here.keptDepth);
    for (let at = here.fail; at !== NO_PHRASE; at = this.#places[at]!.fail) {
      const there = this.#places[at]!;
      const after = there.next.get(letter);
      if (there.depth > free || after === undefined) continue;
      this.gained += this.#places[after]!.given;
      return after;
    }
    return this.#places[NO_PHRASE]!.next.get(letter) ?? NO_PHRASE;
  }

  #add(depth: number): number {
    const none = { given: 0, ends: 0, whole: 0, wholeDepth: 0, kept: 0, keptDepth: 0, endsWord: false };
    return this.#places.push({ next: new Map(), depth, ...none, fail: NO_PHRASE }) - 1;
  }

  #insert(letters: readonly string[], worth: number): void {
    const spoken = letters.filter((letter) => letter !== WORD_MARK).length;
    let at = NO_PHRASE;
    let heard = 0;
    for (const letter of letters) {
      if (letter !== WORD_MARK) heard++;
      else if (at !== NO_PHRASE) this.#places[at]!.endsWord = true;
      let next = this.#places[at]!.next.get(letter);
      if (next === undefined) {
        next = this.#add(this.#places[at]!.depth + 1);
        this.#places[at]!.next.set(letter, next);
      }
      at = next;
      this.#places[at]!.given = Math.max(this.#places[at]!.given, (worth * heard) / spoken);
    }
    this.#places[at]!.ends = Math.max(this.#places[at]!.ends, worth);
    this.#places[at]!.endsWord = true;
  }

  /** Breadth first: what is kept on the way, and where a way that breaks off goes on. */
  #link(): void {
    const queue = [NO_PHRASE];
    for (const at of queue) {
      const here = this.#places[at]!;
      for (const [letter, child] of here.next) {
        const below = this.#places[child]!;
        const between = letter === WORD_MARK;
        below.kept = between ? here.whole : here.kept;
        below.keptDepth = between ? here.wholeDepth : here.keptDepth;
        if (at !== NO_PHRASE) below.fail = this.#failOf(here.fail, letter);
        below.endsWord ||= this.#places[below.fail]!.endsWord;
        this.#close(below);
        queue.push(child);
      }
    }
  }

  /** The worth of a way that ends here: a whole phrase, or what was kept and perhaps a phrase at its end. */
  #close(place: Place): void {
    place.whole = place.kept;
    place.wholeDepth = place.keptDepth;
    for (let at = place.fail; at !== NO_PHRASE; at = this.#places[at]!.fail) {
      const { depth, whole, wholeDepth } = this.#places[at]!;
      if (depth > place.depth - place.keptDepth || whole === 0) continue;
      place.whole = place.kept + whole;
      place.wholeDepth = place.depth - depth + wholeDepth;
      break;
    }
    if (place.ends <= 0 || place.ends < place.whole) return;
    place.whole = place.ends;
    place.wholeDepth = place.depth;
  }

  #failOf(from: number, letter: string): number {
    for (let at = from; ; at = this.#places[at]!.fail) {
      const next = this.#places[at]!.next.get(letter);
      if (next !== undefined) return next;
      if (at === NO_PHRASE) return NO_PHRASE;
    }
  }
}

/** What phrases are written with. */
interface Writing {
  /** Of each piece. */
  readonly letters: readonly (readonly string[])[];
  readonly known: ReadonlySet<string>;
  /** Letters of the longest piece. */
  readonly longest: number;
  /** The trees that were made last, by their phrases. */
  readonly trees: Map<string, PhraseTree>;
}

const writings = new WeakMap<readonly string[], Writing>();
/** Calls use few different sets of lists. */
const KEPT_TREES = 16;

function writingOf(pieces: readonly string[]): Writing {
  let writing = writings.get(pieces);
  if (writing === undefined) {
    const letters = pieces.map((piece) => [...piece.toLowerCase()]);
    const known = new Set(letters.map((list) => list.join('')));
    const longest = letters.reduce((most, { length }) => Math.max(most, length), 1);
    writings.set(pieces, (writing = { letters, known, longest, trees: new Map() }));
  }
  return writing;
}

/** The tree of these phrases, made once for all channels that have the same: a thousand phrases take some 9 ms. */
export function phraseTreeOf(phrases: readonly VocabularyPhrase[], pieces: readonly string[]): PhraseTree {
  const { trees } = writingOf(pieces);
  const key = phrases.map(({ text, boost }) => `${boost} ${text}`).join('\n');
  const tree = trees.get(key) ?? new PhraseTree(phrases, pieces);
  trees.delete(key);
  trees.set(key, tree);
  for (const oldest of trees.keys()) {
    if (trees.size <= KEPT_TREES) break;
    trees.delete(oldest);
  }
  return tree;
}

/** A mark before each word. */
function markedOf(text: string): string {
  const words = text
    .toLowerCase()
    .split(/\s+/u)
    .filter((word) => word !== '');
  return words.map((word) => WORD_MARK + word).join('');
}

/** @returns how many pieces the text can be written in at least, Infinity when it cannot */
function fewestPieces(written: string, pieces: ReadonlySet<string>, longest: number): number {
  const letters = [...written];
  const fewest: number[] = [0];
  for (let end = 1; end <= letters.length; end++) {
    let best = Infinity;
    for (let from = Math.max(0, end - longest); from < end; from++) {
      if (fewest[from] !== Infinity && pieces.has(letters.slice(from, end).join('')))
        best = Math.min(best, fewest[from]! + 1);
    }
    fewest.push(best);
  }
  return fewest[letters.length]!;
}
