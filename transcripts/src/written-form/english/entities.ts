import { matchAddress, matchFlat } from './address.ts';
import { matchDayOfMonth, matchMonth, matchYear } from './calendar.ts';
import { matchClock } from './clock.ts';
import { matchDigits, matchInternational } from './digits.ts';
import { matchDoubtful } from './doubtful.ts';
import {
  DIGITS,
  LATER_ORDINALS,
  MONTHS,
  NATO,
  SCALES,
  TEENS,
  TENS,
  UNIT_ORDINALS,
  isLetter,
} from './lexicon.ts';
import { findLinks } from './links.ts';
import { matchPrice } from './prices.ts';
import { matchMoney, matchOrdinal, matchPercent, matchQuantity } from './quantities.ts';
import { matchSpelled } from './spelled.ts';
import type { Match, Matcher, Tokens } from './tokens.ts';

/** In order: what is more particular is asked first. */
const ON_NUMBER: readonly Matcher[] = [
  matchAddress,
  matchFlat,
  matchDoubtful,
  matchMoney,
  matchPercent,
  matchClock,
  matchDayOfMonth,
  matchIdiom,
  matchPrice,
  matchYear,
  matchOrdinal,
  matchSpelled,
  matchDigits,
  matchQuantity,
];
const ON_ORDINAL: readonly Matcher[] = [matchDayOfMonth, matchOrdinal];
const ON_MONTH: readonly Matcher[] = [matchMonth];
const ON_LETTER: readonly Matcher[] = [matchSpelled];
/** "a hundred", "a b one two". */
const ON_A: readonly Matcher[] = [matchDoubtful, matchMoney, matchPercent, matchSpelled, matchQuantity];
/** "oh two oh seven": zero, where enough digits follow; "o b r i e n". */
const ON_OH: readonly Matcher[] = [matchSpelled, matchDigits];
const ON_MULTIPLIER: readonly Matcher[] = [matchDigits];
const ON_PLUS: readonly Matcher[] = [matchInternational];
const ON_POINT: readonly Matcher[] = [matchPercent];

const BY_WORD: ReadonlyMap<string, readonly Matcher[]> = new Map([
  ...[...NATO.keys()].map((word) => [word, ON_LETTER] as const),
  ...[...MONTHS.keys()].map((word) => [word, ON_MONTH] as const),
  ['november', [matchMonth, matchSpelled]] as const,
  ...[...UNIT_ORDINALS.keys(), ...LATER_ORDINALS.keys()].map((word) => [word, ON_ORDINAL] as const),
  ...[...DIGITS.keys(), ...TEENS.keys(), ...TENS.keys()].map((word) => [word, ON_NUMBER] as const),
  ['a', ON_A],
  ['wi', ON_LETTER],
  ['oh', ON_OH],
  ['o', ON_OH],
  ['double', ON_MULTIPLIER],
  ['triple', ON_MULTIPLIER],
  ['plus', ON_PLUS],
  ['point', ON_POINT],
]);

const NONE: readonly Matcher[] = [];
const matchersOf = (key: string): readonly Matcher[] =>
  BY_WORD.get(key) ?? (isLetter(key) ? ON_LETTER : NONE);

/** "twenty four seven", "twenty twenty vision". */
function matchIdiom(tokens: Tokens, from: number): Match | null {
  if (tokens.has(from, 'twenty', 'twenty', 'vision'))
    return { from, to: from + 2, text: '20/20', kind: 'number' };
  if (!tokens.has(from, 'twenty', 'four', 'seven')) return null;
  const next = tokens.at(from + 3);
  if (DIGITS.has(next) || TEENS.has(next) || TENS.has(next) || SCALES.has(next) || next === 'hundred')
    return null;
  return { from, to: from + 3, text: '24/7', kind: 'time' };
}

/** All that is written differently from how it is said, in order and without overlap. */
export function findEntities(tokens: Tokens): readonly Match[] {
  const all = tokens.end;
  const links = findLinks(tokens);
  const found: Match[] = [];
  let from = 0;
  for (const link of links) {
    tokens.end = link.from;
    between(tokens, from, found);
    tokens.end = all;
    found.push(link);
    from = link.to;
  }
  between(tokens, from, found);
  return found;
}

function between(tokens: Tokens, from: number, found: Match[]): void {
  let before: Match | null = null;
  let at = from;
  while (at < tokens.end) {
    let match: Match | null = null;
    for (const matcher of matchersOf(tokens.at(at))) {
      match = matcher(tokens, at, before);
      if (match !== null) break;
    }
    if (match === null) {
      at++;
      continue;
    }
    found.push(match);
    if (match.kind !== null) before = match;
    at = match.to;
  }
}
