/** Vocabulary lists: phrases that a tenant's or a call's recognition is to prefer. */
export const VOCABULARY_LIMITS = {
  lists: 100,
  /** Of one list. */
  phrases: 1000,
  /** Of all lists together: they travel to each engine in one frame. */
  phrasesInAll: 25_000,
  /** Of one phrase, in characters. */
  phraseLength: 64,
  /** That one call may name. */
  listsOfCall: 16,
} as const;

/** The list of a call that names none. */
export const DEFAULT_VOCABULARY = 'default';
export const DEFAULT_BOOST = 2;
export const MAX_BOOST = 10;
/** A list's name, in an address and in a SIP header. */
export const VOCABULARY_NAME_PATTERN = '^[a-z0-9][a-z0-9_-]{0,63}$';

/** RecognitionConfig.maxDelayMs. */
export const MAX_DELAY_LIMITS = { minMs: 300, maxMs: 20_000 } as const;
