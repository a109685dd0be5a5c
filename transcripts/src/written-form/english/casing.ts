import { AMBIGUOUS_MONTHS, setOf } from './lexicon.ts';
import {
  CONTRACTIONS,
  FAMILY_NAMES,
  GIVEN_NAMES,
  MAYBE_FAMILY_NAMES,
  MAYBE_NAMES,
  PROPER_WORDS,
} from './names.ts';

/** Words that are no name where one could stand: "my name is on the account". */
const NO_NAME = setOf(
  'a an the and or but on in at of to for with from by as is are was were be been not no yes i you he she it we they ' +
    'my your his her our their this that these those there here how what when where who why which can could may ' +
    "will would should do does did have has had i'm i'd i'll i've it's that's correct spelled spelt misspelled still " +
    'already also just actually really very so too then than if because about up down out off over under calling ' +
    'speaking wrong right okay ok sorry please thanks thank good great fine sure well again going only um uh like ' +
    'under listed registered different the same first last full',
);
/** Signs may stand at it, where the text was written before. */
const noName = (key: string): boolean =>
  NO_NAME.has(key.replace(/[.,?!]+$/u, '')) || CONTRACTIONS.has(key) || key.includes("'t");
/** Behind two words that are a name, these show that it is over. */
const AFTER_NAME = setOf(
  "and i i'm calling speaking from with my how is s here at on can the a to may please that but what",
);
const TITLES: ReadonlyMap<string, string> = new Map([
  ['mr', 'Mr.'],
  ['mrs', 'Mrs.'],
  ['ms', 'Ms.'],
  ['mister', 'Mister'],
  ['missus', 'Missus'],
]);
/** Titles only before a known family name: "a doctor", "miss a payment". */
const MAYBE_TITLES = setOf('doctor dr miss professor judge officer sergeant captain sir');
const STREETS = setOf('street avenue boulevard');
const BEFORE_STREET = setOf('on at of to from off near');
const NO_STREET = setOf(
  'the a an my your his her our their this that which what same wrong main one busy side high next other back one-way',
);

const titled = (word: string): string => {
  const [first = ''] = word;
  return first.toUpperCase() + word.slice(first.length);
};

/**
 * How each word is cased and where it lacks an apostrophe. Words that stand in a span of their own are given back as
 * they are.
 *
 * @param keys lower case
 * @param isFree this word is in no span
 */
export function caseWords(
  words: readonly string[],
  keys: readonly string[],
  isFree: (index: number) => boolean,
): string[] {
  const written: string[] = [];
  /** The word before is a given name or a title: a family name may follow. */
  let expects: 'none' | 'family' | 'title' = 'none';
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const key = keys[i] ?? '';
    if (!isFree(i)) {
      written.push(word);
      expects = 'none';
      continue;
    }
    const title = TITLES.get(key) ?? (isTitle(keys, i) ? (key === 'dr' ? 'Dr.' : titled(word)) : undefined);
    const hasName = title !== undefined && i + 1 < keys.length && !noName(keys[i + 1] ?? '') && isFree(i + 1);
    if (hasName) {
      written.push(title);
      expects = 'title';
    } else if (isName(keys, i, expects)) {
      written.push(PROPER_WORDS.get(key) ?? nameText(word));
      expects = expects === 'none' ? 'family' : 'none';
    } else {
      written.push(
        street(keys, i) || isMonth(keys, i) || isLetterOfThing(keys, i) ? titled(word) : plain(word, key),
      );
      expects = 'none';
    }
  }
  return written;
}

const isTitle = (keys: readonly string[], i: number): boolean =>
  MAYBE_TITLES.has(keys[i] ?? '') && FAMILY_NAMES.has(keys[i + 1] ?? '') && keys[i - 1] !== 'my';

function isName(keys: readonly string[], i: number, expects: 'none' | 'family' | 'title'): boolean {
  const key = withoutS(keys[i] ?? '');
  if (expects === 'title') return !noName(key);
  if (expects === 'family') {
    const next = keys[i + 1];
    const isOver = next === undefined || AFTER_NAME.has(next);
    if (FAMILY_NAMES.has(key)) return isOver || !MAYBE_FAMILY_NAMES.has(key);
    // An unknown family name, said where a name is expected, with its end in sight.
    const isIntroduced = isIntroduction(keys, i - 1);
    return isIntroduced && !noName(key) && isOver && key.length > 2;
  }
  if (GIVEN_NAMES.has(key)) return true;
  if (!isIntroduction(keys, i)) return false;
  if (MAYBE_NAMES.has(key)) return true;
  return isSelf(keys, i) && !noName(key) && /^\p{Ll}{3,}$/u.test(key);
}

const withoutS = (key: string): string => (key.endsWith("'s") ? key.slice(0, -2) : key);

/** "my name is NAME": whatever follows is a name unless it cannot be one. */
const isSelf = (keys: readonly string[], i: number): boolean =>
  (keys[i - 1] === 'is' && keys[i - 2] === 'name' && keys[i - 3] === 'my') ||
  (keys[i - 1] === "name's" && keys[i - 2] === 'my');

function isIntroduction(keys: readonly string[], i: number): boolean {
  if (isSelf(keys, i)) return true;
  const [third, second, last] = [keys[i - 3], keys[i - 2], keys[i - 1]];
  if (last === 'is' && (second === 'name' || second === 'this'))
    return (
      second === 'name' || keys[i + 1] === 'speaking' || keys[i + 1] === 'from' || keys[i + 1] === 'calling'
    );
  if (
    (last === 'to' || last === 'with') &&
    (second === 'speaking' || second === 'spoke' || second === 'speak')
  )
    return true;
  return last === 'name' && second === 'first' && third === 'my';
}

function nameText(word: string): string {
  if (word.startsWith("o'")) return `O'${titled(word.slice(2))}`;
  return word.startsWith('mc') && word.length > 4 ? `Mc${titled(word.slice(2))}` : titled(word);
}

/** "on oak street". */
function street(keys: readonly string[], i: number): boolean {
  const isStreet = (at: number): boolean =>
    STREETS.has(keys[at] ?? '') &&
    !NO_STREET.has(keys[at - 1] ?? '') &&
    /^\p{Ll}{3,}$/u.test(keys[at - 1] ?? '') &&
    BEFORE_STREET.has(keys[at - 2] ?? '');
  return isStreet(i) || isStreet(i + 1);
}

/** "in may", "the end of march": elsewhere these are verbs. */
const isMonth = (keys: readonly string[], i: number): boolean =>
  AMBIGUOUS_MONTHS.has(keys[i] ?? '') && BEFORE_MONTH.has(keys[i - 1] ?? '');
const BEFORE_MONTH = setOf('in since until during of');

/** "plan b", "row c"; "a" and "i" may be words there. */
const isLetterOfThing = (keys: readonly string[], i: number): boolean =>
  LETTERED.has(keys[i - 1] ?? '') && /^[b-hj-z]$/u.test(keys[i] ?? '');
const LETTERED = setOf(
  'plan option gate row vitamin grade section group unit type model block terminal hepatitis',
);

function plain(word: string, key: string): string {
  if (key === 'i' || key.startsWith("i'")) return titled(word);
  const contraction = CONTRACTIONS.get(key);
  if (contraction !== undefined) return contraction.startsWith("i'") ? titled(contraction) : contraction;
  const proper = PROPER_WORDS.get(key);
  if (proper !== undefined) return proper;
  if (!key.endsWith("'s")) return word;
  const owner = PROPER_WORDS.get(key.slice(0, -2));
  return owner === undefined ? word : `${owner}'s`;
}
