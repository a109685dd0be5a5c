/** What a span of the written form says, for whoever looks for entities later (redaction, search, rules). */
export type SpanKind =
  | 'number'
  | 'ordinal'
  | 'percent'
  | 'money'
  | 'date'
  | 'time'
  | 'phone'
  | 'card'
  | 'ssn'
  /** A run of digits that is none of the above: account, order and ticket numbers, codes of digits. */
  | 'digits'
  /** Letters and digits together: a booking code, a flight, a postcode. */
  | 'code'
  /** Letters said one by one. */
  | 'spelled'
  /** Letters said one by one that are a word of their own: PIN, USB, Wi-Fi. */
  | 'acronym'
  | 'email'
  | 'url'
  | 'address';

/** Some words, next to one another, that are written differently from how they are said. */
export interface WrittenSpan {
  /** Index of the first word. */
  readonly fromWord: number;
  /** Index after the last word. */
  readonly toWord: number;
  /** As it stands in the written form, without punctuation that follows it. */
  readonly text: string;
  /** Where text begins in the whole written form, in UTF-16 code units. */
  readonly fromChar: number;
  readonly kind: SpanKind;
}

export interface WrittenForm {
  readonly text: string;
  /** In order, without overlap. Words outside of them are as said, but for casing, apostrophes and punctuation. */
  readonly spans: readonly WrittenSpan[];
}

/** What the rules need of a word: contracts' Word has it. */
export interface SpokenWord {
  readonly text: string;
  /** 1/8000 s. */
  readonly startTick: number;
  readonly endTick: number;
}

export interface WriteOptions {
  /**
   * More words will come: nothing is put after the last one, and digits at the end stay ungrouped, so that what is
   * shown already changes seldom.
   */
  readonly partial: boolean;
  /** The segment was cut while somebody spoke: nothing is put after the last word, for the sentence is not over. */
  readonly cut?: boolean;
}

export type WordTag = 'profanity';

/** How a language is written. Pure, and never throws, whatever the words. */
export interface WrittenFormRules {
  /** BCP 47, or "und" for rules that know no language. */
  readonly language: string;
  write(words: readonly SpokenWord[], options: WriteOptions): WrittenForm;
  /** What is to be said of one spoken word, by itself. */
  tagsOf(word: string): readonly WordTag[];
}
