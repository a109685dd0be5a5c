import { type Parsed, cardinal, ordinal, ordinalText } from './cardinals.ts';
import { AMBIGUOUS_MONTHS, DIGITS, MONTHS, TEENS, TENS, WEEKDAYS, isLetter, setOf } from './lexicon.ts';
import { scanRun, textOf } from './runs.ts';
import type { Matcher, Tokens } from './tokens.ts';

/** Words that are hardly ever anything but a kind of street. */
const STREETS = setOf('street avenue road boulevard lane parkway highway terrace crescent');
/** Words that are a kind of street only behind a house number where an address is expected. */
const MAYBE_STREETS = setOf('drive court place way circle square close trail row hill park gardens');
const BEFORE_ADDRESS = setOf('at is to address lives live living in on');
/** No part of a street's name. */
const NO_NAME = setOf(
  'a an the of in to for and or on at my your our his her its is was are it i you we they this that with from by as ' +
    'minute minutes hour hours day days week weeks month months year years dollar dollars pound pounds euro euros ' +
    'cent cents percent mile miles block blocks people times time more less about down up off side busy same wrong ' +
    'which what one next back',
);
const MAX_NAME_WORDS = 3;

const titled = (key: string): string => key.charAt(0).toUpperCase() + key.slice(1);

/** "four twenty two oak street" → 422 Oak Street. */
export const matchAddress: Matcher = (tokens, from) => {
  const street = ordinal(tokens, from);
  if (street !== null && street.to > from + 1) return numberedStreet(tokens, from, street);
  const house = houseNumber(tokens, from);
  if (house === null) return null;
  const name: string[] = [];
  let at = house.to;
  while (name.length < MAX_NAME_WORDS) {
    const nth = ordinal(tokens, at);
    const key = tokens.at(at);
    if (nth !== null) {
      name.push(ordinalText(nth.value));
      at = nth.to;
    } else if (isNameWord(key)) {
      name.push(titled(key));
      at++;
    } else return null;
    const kind = tokens.at(at);
    if (STREETS.has(kind) || (MAYBE_STREETS.has(kind) && tokens.near(from, BEFORE_ADDRESS, 2)))
      return { from, to: at + 1, text: `${house.text} ${name.join(' ')} ${titled(kind)}`, kind: 'address' };
  }
  return null;
};

/** "forty second street" → 42nd Street, not number 40. */
function numberedStreet(tokens: Tokens, from: number, { value, to }: Parsed): ReturnType<Matcher> {
  const kind = tokens.at(to);
  if (!STREETS.has(kind)) return null;
  return { from, to: to + 1, text: `${ordinalText(value)} ${titled(kind)}`, kind: 'address' };
}

const isNameWord = (key: string): boolean =>
  key.length > 1 &&
  !NO_NAME.has(key) &&
  !DIGITS.has(key) &&
  !TEENS.has(key) &&
  !TENS.has(key) &&
  !WEEKDAYS.has(key) &&
  (!MONTHS.has(key) || AMBIGUOUS_MONTHS.has(key)) &&
  /^\p{Ll}+$/u.test(key);

function houseNumber(tokens: Tokens, from: number): { text: string; to: number } | null {
  if (tokens.at(from) === 'a') return null;
  const atoms = scanRun(tokens, from, false);
  const lastAtom = atoms.at(-1);
  const whole = cardinal(tokens, from);
  if (whole !== null && whole.to >= (lastAtom?.to ?? 0)) {
    // "twenty fifth avenue" has no house number, "twelve fifth avenue" has.
    const isWhole = beforeOrdinal(tokens, whole.to, from) === whole.to;
    return whole.value === 0 || !isWhole ? null : { text: String(whole.value), to: whole.to };
  }
  if (lastAtom === undefined || atoms.length > 5 || atoms.some((atom) => atom.kind === 'sign')) return null;
  const to = beforeOrdinal(tokens, lastAtom.to, from);
  const kept = atoms.filter((atom) => atom.to <= to);
  return kept.length === 0 ? null : { text: textOf(kept), to: kept.at(-1)?.to ?? to };
}

/** "twelve forty second street": the forty belongs to the street. */
function beforeOrdinal(tokens: Tokens, to: number, from: number): number {
  return TENS.has(tokens.at(to - 1)) && ordinal(tokens, to - 1) !== null && to - 1 > from ? to - 1 : to;
}

const FLATS = setOf('apartment apt unit suite flat room');

/** "apartment four b" → apartment 4B. */
export const matchFlat: Matcher = (tokens, from) => {
  if (!FLATS.has(tokens.at(from - 1))) return null;
  const atoms = scanRun(tokens, from, false);
  const last = atoms.at(-1);
  if (last === undefined || atoms.length > 4) return null;
  const letter = tokens.at(last.to);
  const next = tokens.at(last.to + 1);
  const isMine = isLetter(letter) && letter !== 'i' && !isLetter(next) && !(letter === 'a' && next !== '');
  const text = textOf(atoms) + (isMine ? letter.toUpperCase() : '');
  return { from, to: isMine ? last.to + 1 : last.to, text, kind: isMine ? 'code' : 'number' };
};
