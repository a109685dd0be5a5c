import type { VocabularyList, VocabularyPhrase } from '@earshot/contracts';

/** The list that channels get whose call names none. */
const DEFAULT_LIST = 'default';
/** A beam search looks each phrase up: more than this (in all lists of a channel) is left out, the later ones first. */
const MOST_PHRASES = 1000;

/** The vocabulary lists as transcripts last told them. Kept while its link is down. */
export class Vocabulary {
  #lists: ReadonlyMap<string, VocabularyList> = new Map();

  #known = false;

  /** False until transcripts has told them once. */
  get known(): boolean {
    return this.#known;
  }

  set(lists: readonly VocabularyList[]): void {
    this.#known = true;
    this.#lists = new Map(lists.map((list) => [list.name, list]));
  }

  get listCount(): number {
    return this.#lists.size;
  }

  /**
   * The phrases of a channel. A phrase that several lists have counts once, with its strongest boost.
   * @param names of lists; one that does not exist is left out. Undefined: the list `default`, if there is one
   */
  phrasesOf(names: readonly string[] | undefined): readonly VocabularyPhrase[] {
    const phrases = new Map<string, VocabularyPhrase>();
    for (const name of names ?? [DEFAULT_LIST]) {
      for (const phrase of this.#lists.get(name)?.phrases ?? []) {
        const known = phrases.get(phrase.text);
        if (known === undefined ? phrases.size < MOST_PHRASES : known.boost < phrase.boost) {
          phrases.set(phrase.text, phrase);
        }
      }
    }
    return [...phrases.values()];
  }
}
