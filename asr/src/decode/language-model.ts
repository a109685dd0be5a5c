import { Lexicon, NO_PLACE, WORD_START } from './lexicon.ts';
import { type Ngrams, SENTENCE_START, UNKNOWN_WORD } from './ngram-file.ts';
import { WORD_MARK } from './tokens.ts';

/** How much a language model counts beside what was heard. Natural logarithms throughout. */
export interface LanguageModelWeights {
  /** What its log-probabilities are multiplied with. */
  readonly weight: number;
  /** What each word gains: without it few long words are preferred to many short ones. */
  readonly insertion: number;
  /** What each letter costs of a word that is not in its list; times weight. */
  readonly letterCost: number;
  /** Likewise what such a word costs as a whole, beside its probability as an unknown one. */
  readonly unknownCost: number;
}

/** Where a hypothesis stands in the language model: the words that are whole, and the one that is being spelled. */
export interface SpelledWord {
  history: number;
  /** In the lexicon; NO_PLACE outside of it, BETWEEN when no word has begun. */
  spelled: number;
  letters: number;
  /** What the word that is being spelled has counted so far. */
  open: number;
}

/** A word of a phrase that is preferred counts as no rarer than this (natural): names are in no list. */
const WANTED_LOG = -7;

/** No word has begun since the beginning. */
export const BETWEEN = -2;

/**
 * A language model as a beam search uses it: words of trigrams, spelled by the recogniser's pieces however it cuts them, and any
 * other word letter by letter at a cost. While a word is being spelled it counts as much as the likeliest word that begins like
 * this; when it is whole, as much as after the two words before it.
 */
export class LanguageModel {
  /** The change of a hypothesis' value in the last advance() or end(). */
  gained = 0;
  readonly #ngrams: Ngrams;
  readonly #lexicon: Lexicon;
  readonly #weights: LanguageModelWeights;
  readonly #codes: readonly Uint8Array[];
  readonly #begins: Uint8Array;
  /** Where a piece that begins a word leads to. */
  readonly #starts: Int32Array;

  /** @param pieces the recogniser's, where WORD_MARK begins a word @throws RangeError for more than 31 different letters */
  constructor(ngrams: Ngrams, weights: LanguageModelWeights, pieces: readonly string[]) {
    this.#ngrams = ngrams;
    this.#weights = weights;
    this.#lexicon = new Lexicon(ngrams.words, SENTENCE_START + 1, (word) => ngrams.unigramLog(word));
    this.#codes = pieces.map((piece) => this.#lexicon.codesOf(piece.replace(WORD_MARK, '')));
    this.#begins = Uint8Array.from(pieces, (piece) => (piece.startsWith(WORD_MARK) ? 1 : 0));
    this.#starts = Int32Array.from(this.#codes, (codes) => this.#lexicon.step(WORD_START, codes));
  }

  /** Whether a piece begins a word, and so ends the one before. */
  begins(piece: number): boolean {
    return this.#begins[piece] === 1;
  }

  /**
   * One more piece of the word that is being spelled, or, with a piece that begins one or after end(), the first of a new one.
   * @param from may be the same as to @param wanted it is of a phrase that is preferred (WANTED_LOG)
   */
  advance(from: SpelledWord, piece: number, to: SpelledWord, wanted = false): void {
    const codes = this.#codes[piece]!;
    const { spelled, open } = from;
    to.history = from.history;
    if (spelled === BETWEEN) {
      to.spelled = this.#starts[piece]!;
      to.letters = codes.length;
    } else {
      to.spelled = this.#lexicon.step(spelled, codes);
      to.letters = from.letters + codes.length;
    }
    to.open = this.#openValue(to.spelled, to.letters, wanted);
    this.gained = to.open - open;
  }

  /** No piece that begins a word can gain more. */
  get mostOfBeginning(): number {
    // A word of no list may be given something instead of costing it.
    return Math.max(this.#weights.insertion, this.#openValue(NO_PLACE, 0, false));
  }

  /** No piece that goes on with the word can gain more: the likeliest word is no likelier then, but one in no list may be. */
  mostOfGoingOn({ spelled, letters, open }: SpelledWord): number {
    if (spelled === NO_PLACE) return 0;
    if (spelled === BETWEEN) return this.mostOfBeginning;
    return Math.max(0, this.#openValue(NO_PLACE, letters, false) - open);
  }

  /** The word that is being spelled, if any, is whole. @param wanted see advance() */
  end(from: SpelledWord, to: SpelledWord, wanted = false): void {
    const { spelled, letters, history, open } = from;
    to.history = history;
    this.gained = -open;
    // A mark alone is no word.
    if (letters > 0) {
      const { weight, insertion } = this.#weights;
      const word = this.#lexicon.wordAt(spelled);
      const log = this.#ngrams.logOf(history, word < 0 ? UNKNOWN_WORD : word);
      to.history = this.#ngrams.next;
      const own = word < 0 ? log - this.#spellingCost(letters) : log;
      this.gained += insertion + weight * (wanted ? Math.max(own, WANTED_LOG) : own);
    }
    to.spelled = BETWEEN;
    to.letters = 0;
    to.open = 0;
  }

  #openValue(spelled: number, letters: number, wanted: boolean): number {
    const { weight, insertion } = this.#weights;
    const log =
      spelled === NO_PLACE
        ? this.#ngrams.unigramLog(UNKNOWN_WORD) - this.#spellingCost(letters)
        : this.#lexicon.bestValue(spelled);
    return insertion + weight * (wanted ? Math.max(log, WANTED_LOG) : log);
  }

  #spellingCost(letters: number): number {
    return this.#weights.unknownCost + this.#weights.letterCost * letters;
  }
}
