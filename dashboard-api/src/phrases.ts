import { DEFAULT_BOOST, type VocabularyPhrase, VOCABULARY_LIMITS } from '@earshot/contracts';

export type PhraseResult =
  { readonly kind: 'phrase'; readonly text: string } | { readonly kind: 'fault'; readonly fault: string };

/** Written between words, never spoken. */
const BETWEEN_WORDS = /[\s\-‐-―/_]+/gu;
/** Around words or inside, never spoken either. */
const MARKS = /[.,;:!?¿¡"“”„«»()[\]{}…]/gu;
const APOSTROPHES = /[‘’ʼ`´]/gu;
const SPOKEN = /^[\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)*'?(?: [\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)*'?)*$/u;

/** A phrase as the recogniser knows words: lower case, letters and apostrophes, one space between. */
export function normalisePhrase(written: string): PhraseResult {
  const text = written
    .normalize('NFC')
    .toLowerCase()
    .normalize('NFC')
    .replace(APOSTROPHES, "'")
    .replace(MARKS, ' ')
    .replace(BETWEEN_WORDS, ' ')
    .trim();
  if (text === '') return fault('has no words');
  if (/\p{N}/u.test(text)) {
    return fault('has digits: spell numbers as they are spoken, such as "two hundred" for 200');
  }
  if (text.length > VOCABULARY_LIMITS.phraseLength) {
    return fault(`is longer than ${VOCABULARY_LIMITS.phraseLength} characters`);
  }
  if (!SPOKEN.test(text)) {
    return fault('has characters that are not spoken: write symbols as words, such as "and" for &');
  }
  return { kind: 'phrase', text };
}

const fault = (what: string): PhraseResult => ({ kind: 'fault', fault: what });

export interface PhraseFault {
  readonly index: number;
  readonly fault: string;
}

/** All phrases of a list, each once with its strongest boost, or what is wrong with them. */
export function normalisePhrases(written: readonly { readonly text: string; readonly boost?: number }[]): {
  readonly phrases: VocabularyPhrase[];
  readonly faults: PhraseFault[];
} {
  const phrases = new Map<string, VocabularyPhrase>();
  const faults: PhraseFault[] = [];
  for (const [index, { text, boost = DEFAULT_BOOST }] of written.entries()) {
    const result = normalisePhrase(text);
    if (result.kind === 'fault') faults.push({ index, fault: result.fault });
    else if ((phrases.get(result.text)?.boost ?? -1) < boost)
      phrases.set(result.text, { text: result.text, boost });
  }
  return { phrases: [...phrases.values()], faults };
}
