import { englishRules } from './english/rules.ts';
import { identityRules } from './identity.ts';
import type { WrittenFormRules } from './types.ts';

export { englishRules, identityRules };
export type * from './types.ts';

/**
 * The rules for a model's language.
 *
 * @param language BCP 47 ("en", "en-GB", "de"); of a language without rules only the first letter is changed
 */
export const rulesOf = (language: string): WrittenFormRules =>
  /^en(?:-|$)/iu.test(language) ? englishRules : identityRules;
