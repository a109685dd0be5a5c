import type { WrittenFormRules } from './types.ts';

/** The first letter in upper case. */
export const sentenceCase = (spoken: string): string => {
  const [first = ''] = spoken;
  return first.toLocaleUpperCase('en') + spoken.slice(first.length);
};

/** For languages without rules of their own: the words as said, the first letter in upper case. */
export const identityRules: WrittenFormRules = {
  language: 'und',
  write: (words) => ({ text: sentenceCase(words.map((word) => word.text).join(' ')), spans: [] }),
  tagsOf: () => [],
};
