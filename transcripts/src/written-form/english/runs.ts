import { contextOf } from './context.ts';
import { DIGITS, NATO, TEENS, TENS, isLetter, isOh, setOf } from './lexicon.ts';
import type { Tokens } from './tokens.ts';

/**
 * How many atoms a run has at most. Longer than any number that people dictate in one breath, and a bound on what is
 * looked at again when a matcher takes only the beginning.
 */
const MAX_ATOMS = 64;

export interface Atom {
  readonly from: number;
  readonly to: number;
  /** What is written: digits, one or more lower-case letters, or a separator. */
  readonly text: string;
  /** One digit (or one digit doubled), a number of two digits, letters, a sign between. */
  readonly kind: 'digit' | 'pair' | 'letter' | 'sign';
}

const MULTIPLIERS = new Map([
  ['double', 2],
  ['triple', 3],
]);
const SIGNS = new Map([
  ['dash', '-'],
  ['hyphen', '-'],
  ['slash', '/'],
]);
/** After "oh" they say that it was no zero: "five five oh sorry". */
const AFTER_INTERJECTION = setOf(
  "i i'm i'll my wait no sorry yes yeah okay ok well right god dear it it's the you we hang hold let",
);
/** Before "one" they say that it is a pronoun: "this one", "no one". */
const BEFORE_PRONOUN = setOf('this that which no any every each another last only good wrong other someone');
const BIGGER = setOf('hundred thousand million billion');

const isNumberWord = (key: string): boolean => DIGITS.has(key) || TEENS.has(key) || TENS.has(key);
const digitOf = (key: string): number | undefined => (isOh(key) ? 0 : DIGITS.get(key));

/**
 * Digits said one after another, numbers of two digits among them: "five five five", "double seven", "twelve oh one".
 * Signs that are said are kept between digits, never at an end. With letters, what people spell is taken too ("a b
 * one two", "sierra mike nine"); "a" and "i" only where they are not words.
 */
export function scanRun(tokens: Tokens, from: number, letters: boolean): readonly Atom[] {
  const atoms: Atom[] = [];
  let at = from;
  while (atoms.length < MAX_ATOMS) {
    const atom = atomAt(tokens, at, atoms, letters);
    if (atom === null) break;
    atoms.push(atom);
    at = atom.to;
  }
  while (atoms.at(-1)?.kind === 'sign') atoms.pop();
  return atoms;
}

function atomAt(tokens: Tokens, at: number, before: readonly Atom[], letters: boolean): Atom | null {
  const key = tokens.at(at);
  const times = MULTIPLIERS.get(key);
  if (times !== undefined) return repeated(tokens, at, times, before, letters);
  if (isOh(key)) {
    if (ohIsDigit(tokens, at, before, letters)) return { from: at, to: at + 1, text: '0', kind: 'digit' };
    return letters && key === 'o' ? letterAt(tokens, at, before) : null;
  }
  const digit = DIGITS.get(key);
  if (digit !== undefined) return digitAt(tokens, at, digit, before);
  const teen = TEENS.get(key);
  const tens = TENS.get(key);
  if (teen !== undefined || tens !== undefined) {
    const unit = tens === undefined ? 0 : (DIGITS.get(tokens.at(at + 1)) ?? 0);
    const to = unit > 0 ? at + 2 : at + 1;
    if (BIGGER.has(tokens.at(to))) return null;
    return { from: at, to, text: String((teen ?? tens ?? 0) + unit), kind: 'pair' };
  }
  const sign = signAt(tokens, at, before);
  if (sign !== null) return sign;
  return letters ? letterAt(tokens, at, before) : null;
}

function digitAt(tokens: Tokens, at: number, digit: number, before: readonly Atom[]): Atom | null {
  if (BIGGER.has(tokens.at(at + 1))) {
    // "eight hundred" before seven digits is the code of a number that is free to call.
    if ((digit !== 8 && digit !== 9) || !tollFree(tokens, at, before)) return null;
    return { from: at, to: at + 2, text: `${digit}00`, kind: 'digit' };
  }
  if (digit === 1 && before.length === 0 && BEFORE_PRONOUN.has(tokens.at(at - 1))) return null;
  return { from: at, to: at + 1, text: String(digit), kind: 'digit' };
}

function tollFree(tokens: Tokens, at: number, before: readonly Atom[]): boolean {
  if (tokens.at(at + 1) !== 'hundred') return false;
  const digits = before.length === 1 && before[0]?.text === '0' ? 6 : 7;
  for (let i = at + 2; i < at + 2 + digits; i++) if (digitOf(tokens.at(i)) === undefined) return false;
  return true;
}

function repeated(
  tokens: Tokens,
  at: number,
  times: number,
  before: readonly Atom[],
  letters: boolean,
): Atom | null {
  const key = tokens.at(at + 1);
  const digit = digitOf(key);
  const isLetterO = letters && key === 'o' && before.at(-1)?.kind === 'letter';
  if (digit !== undefined && !isLetterO && !BIGGER.has(tokens.at(at + 2)))
    return { from: at, to: at + 2, text: String(digit).repeat(times), kind: 'digit' };
  if (letters && isLetter(key) && before.at(-1)?.kind === 'letter')
    return { from: at, to: at + 2, text: key.repeat(times), kind: 'letter' };
  return null;
}

/** "oh" and "o" are zero among digits; at their beginning only when enough of them follow. */
function ohIsDigit(tokens: Tokens, at: number, before: readonly Atom[], letters: boolean): boolean {
  const next = tokens.at(at + 1);
  if (next === 'clock') return false;
  const last = before.at(-1);
  if (last === undefined) {
    if (contextOf(tokens, at) !== null && isNumberWord(next)) return true;
    for (let i = at + 1; i < at + 4; i++)
      if (!isNumberWord(tokens.at(i)) && !isOh(tokens.at(i)) && !MULTIPLIERS.has(tokens.at(i))) return false;
    return true;
  }
  if (letters && tokens.at(at) === 'o' && last.kind === 'letter' && digitOf(next) === undefined) return false;
  return !AFTER_INTERJECTION.has(next);
}

/** Between digits "slash" and "dash" are signs, "dot" as well where addresses of machines are dictated. */
function signAt(tokens: Tokens, at: number, before: readonly Atom[]): Atom | null {
  const key = tokens.at(at);
  const last = before.at(-1);
  if (last === undefined || last.kind === 'sign') return null;
  const next = tokens.at(at + 1);
  const digitNext = isOh(next) || isNumberWord(next) || MULTIPLIERS.has(next);
  const sign = key === 'dot' && digitNext && last.kind !== 'letter' ? '.' : SIGNS.get(key);
  if (sign === undefined || !(digitNext || isLetter(next))) return null;
  return { from: at, to: at + 1, text: sign, kind: 'sign' };
}

function letterAt(tokens: Tokens, at: number, before: readonly Atom[]): Atom | null {
  const key = tokens.at(at);
  const letter = isLetter(key) ? key : NATO.get(key);
  if (letter === undefined) return null;
  const next = tokens.at(at + 1);
  if (key === 'x' && next === 'ray') return { from: at, to: at + 2, text: 'x', kind: 'letter' };
  // "five a m" is a time.
  if ((key === 'a' || key === 'p') && next === 'm' && before.at(-1)?.kind !== 'letter' && before.length > 0)
    return null;
  if ((key === 'a' || key === 'i') && !articleIsLetter(tokens, at, before)) return null;
  return { from: at, to: at + 1, text: letter, kind: 'letter' };
}

const AFTER_I = setOf(
  'am have want need live was would will think can just got called do did had could should know guess mean paid ' +
    "don't cannot can't didn't haven't won't ordered bought placed received used tried see hope",
);

/** "a" and "i" are letters between letters, or where spelling begins or ends with them. */
function articleIsLetter(tokens: Tokens, at: number, before: readonly Atom[]): boolean {
  const next = tokens.at(at + 1);
  const last = before.at(-1)?.kind;
  if (isLetter(next))
    return last !== undefined || isLetter(tokens.at(at + 2)) || digitOf(tokens.at(at + 2)) !== undefined;
  if (digitOf(next) !== undefined)
    return last === 'letter' || (last === 'digit' && before.some((atom) => atom.kind === 'letter'));
  if (last !== 'letter') return false;
  return tokens.at(at) === 'a' || !AFTER_I.has(next);
}

export const textOf = (atoms: readonly Atom[]): string => atoms.map((atom) => atom.text).join('');
