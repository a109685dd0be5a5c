import { yearOf } from './calendar.ts';
import { type NumberContext, contextOf } from './context.ts';
import { TEENS, TENS, setOf } from './lexicon.ts';
import { type Atom, scanRun, textOf } from './runs.ts';
import { type Matcher, type Tokens, asSaid } from './tokens.ts';
import type { SpanKind } from '../types.ts';

/** Counted things: before them two digits are a guess ("two three days"), not a number. */
const COUNTED = setOf(
  'day days week weeks month months hour hours minute minutes second seconds year years time times people of more ' +
    'business working items things orders calls other or',
);

/** Runs of digits: phones, cards, account numbers and what else is dictated. */
export const matchDigits: Matcher = (tokens, from) => {
  const atoms = scanRun(tokens, from, false);
  const last = atoms.at(-1);
  if (last === undefined) return null;
  const numbers = atoms.filter((atom) => atom.kind !== 'sign');
  const context = contextOf(tokens, from);
  const verdict = judge(tokens, numbers, last.to, atoms.length > numbers.length, context);
  if (verdict === 'words') return asSaid(from, last.to);
  if (verdict === 'no') return null;
  const signed = atoms.length > numbers.length;
  const date = dateOfBirth(tokens, from, atoms, context);
  if (date !== null) return date;
  const written = tokens.mayGrow(last.to)
    ? { text: textOf(atoms), kind: 'digits' as const }
    : signed
      ? { text: textOf(atoms), kind: signedKind(textOf(atoms)) }
      : layOut(textOf(atoms), context);
  return { from, to: last.to, ...written };
};

/** Is it a run of digits, are they words to be left alone, or is it for other matchers to say? */
function judge(
  tokens: Tokens,
  numbers: readonly Atom[],
  to: number,
  signed: boolean,
  context: NumberContext | null,
): 'run' | 'words' | 'no' {
  const digits = textOf(numbers).length;
  const [first, second] = numbers;
  if (first === undefined) return 'no';
  if (second === undefined) return digits >= 2 && first.kind === 'digit' ? 'run' : 'no';
  if (signed) return 'run';
  const allSingle = numbers.every((atom) => atom.kind === 'digit');
  if (allSingle) {
    if (digits >= 3) return 'run';
    if (COUNTED.has(tokens.at(to))) return 'words';
    return context === null ? 'words' : 'run';
  }
  if (isCounting(numbers)) return 'no';
  if (numbers.length >= 3 || context !== null) return COUNTED.has(tokens.at(to)) && digits < 5 ? 'no' : 'run';
  if (second.kind === 'digit') return 'no';
  // "three fifty", "twelve thirty": a price, a time or a number, nobody knows.
  const word = tokens.at(second.from);
  return (TENS.has(word) && second.to === second.from + 1) || (TEENS.has(word) && first.kind === 'digit')
    ? 'words'
    : 'run';
}

/** "oh three fifteen nineteen ninety", "three slash fifteen slash two thousand twelve": a date said in digits. */
function dateOfBirth(
  tokens: Tokens,
  from: number,
  atoms: readonly Atom[],
  context: NumberContext | null,
): ReturnType<Matcher> {
  if (context !== null && context !== 'code' && context !== 'expiry') return null;
  const last = atoms.at(-1);
  if (last === undefined) return null;
  if (/^\d{1,2}\/\d{1,2}$/u.test(textOf(atoms)) && tokens.at(last.to) === 'slash') {
    const year = yearOf(tokens, last.to + 1);
    return year === null ? null : { from, to: year.to, text: `${textOf(atoms)}/${year.value}`, kind: 'date' };
  }
  const [century, decade] = atoms.slice(-2);
  const isYear = (century?.text === '19' || century?.text === '20') && decade?.kind === 'pair';
  const head = atoms.slice(0, -2);
  if (!isYear || head.some((atom) => atom.kind === 'sign')) return null;
  const digits = textOf(head);
  const [day, month] =
    head.length === 2
      ? head.map((atom) => atom.text)
      : digits.length === 4
        ? [digits.slice(0, 2), digits.slice(2)]
        : [];
  if (day === undefined || month === undefined || !isDay(day, month)) return null;
  return { from, to: last.to, text: `${day}/${month}/${century.text}${decade.text}`, kind: 'date' };
}

/** Day and month, in either order. */
const isDay = (one: string, other: string): boolean =>
  Number(one) >= 1 &&
  Number(other) >= 1 &&
  Math.min(Number(one), Number(other)) <= 12 &&
  Math.max(Number(one), Number(other)) <= 31;

const isCounting = (numbers: readonly Atom[]): boolean =>
  numbers.every((atom, index) => {
    const before = numbers[index - 1];
    return atom.kind === 'pair' && (before === undefined || Number(atom.text) - Number(before.text) === 1);
  });

const signedKind = (text: string): SpanKind =>
  /^\d{1,2}\/\d{2}$|^\d{1,2}\/\d{1,2}\/(?:\d{2}|\d{4})$/u.test(text)
    ? 'date'
    : text.replace(/\D/gu, '').length >= 7 && !text.includes('.')
      ? 'phone'
      : 'digits';

/** Groups digits as such a number is printed. None is added or left out. */
function layOut(digits: string, context: NumberContext | null): { text: string; kind: SpanKind } {
  const n = digits.length;
  const strict = context === 'account' || context === 'code';
  if (context === 'ssn' && n === 9) return { text: cut(digits, [3, 2, 4], '-'), kind: 'ssn' };
  if (context === 'sort' && n === 6) return { text: cut(digits, [2, 2, 2], '-'), kind: 'digits' };
  if (context === 'expiry' && n === 4 && /^(?:0\d|1[0-2])/u.test(digits))
    return { text: cut(digits, [2, 2], '/'), kind: 'date' };
  if (n >= 13 && n <= 19 && context !== 'account') {
    const amex = n === 15 && /^3[47]/u.test(digits);
    return { text: cut(digits, amex ? [4, 6, 5] : [4, 4, 4, 4, 4], ' '), kind: 'card' };
  }
  if (context !== 'account' && context !== 'card') {
    const phone = phoneGroups(digits, strict);
    if (phone !== null) return { text: phone, kind: 'phone' };
  }
  return { text: digits, kind: 'digits' };
}

/** North American and British numbers. Strict: only when there is no other reading. */
function phoneGroups(digits: string, strict: boolean): string | null {
  const n = digits.length;
  if (n === 10 && /^[2-9]/u.test(digits)) return cut(digits, [3, 3, 4], '-');
  if (n === 11 && /^1[2-9]/u.test(digits)) return cut(digits, [1, 3, 3, 4], '-');
  if (n === 7 && !strict && /^[2-9]/u.test(digits)) return cut(digits, [3, 4], '-');
  if (n === 11 && digits.startsWith('02')) return cut(digits, [3, 4, 4], ' ');
  if (n === 11 && digits.startsWith('07')) return cut(digits, [5, 6], ' ');
  if (n === 10 && /^0[358]00/u.test(digits)) return cut(digits, [4, 3, 3], ' ');
  if (n === 11 && /^0[38]/u.test(digits)) return cut(digits, [4, 3, 4], ' ');
  if ((n === 10 || n === 11) && digits.startsWith('01')) return cut(digits, [5, 6], ' ');
  return null;
}

function cut(digits: string, sizes: readonly number[], sign: string): string {
  const groups: string[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= digits.length) break;
    groups.push(digits.slice(at, at + size));
    at += size;
  }
  if (at < digits.length) groups.push(digits.slice(at));
  return groups.join(sign);
}

/** Calling codes of one and two digits (ITU-T E.164); all others have three. */
const SHORT_CODES = /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/u;

/** "plus four four seven seven …" */
export const matchInternational: Matcher = (tokens, from) => {
  if (tokens.at(from) !== 'plus') return null;
  const atoms = scanRun(tokens, from + 1, false);
  const digits = textOf(atoms).replace(/\D/gu, '');
  const last = atoms.at(-1);
  if (last === undefined || digits.length < 8 || digits.length > 15) return null;
  if (tokens.mayGrow(last.to)) return { from, to: last.to, text: `+${digits}`, kind: 'phone' };
  const code = SHORT_CODES.exec(digits)?.[0] ?? digits.slice(0, 3);
  const rest = digits.slice(code.length);
  const grouped =
    code === '1' && rest.length === 10
      ? cut(rest, [3, 3, 4], '-')
      : code === '44' && rest.length === 10
        ? rest.startsWith('2')
          ? cut(rest, [2, 4, 4], ' ')
          : cut(rest, [4, 6], ' ')
        : rest;
  return { from, to: last.to, text: `+${code} ${grouped}`, kind: 'phone' };
};
