import { type Parsed, below100, ordinal, ordinalText } from './cardinals.ts';
import { AMBIGUOUS_MONTHS, DECADES, DIGITS, MONTHS, TEENS, TENS, isOh, setOf } from './lexicon.ts';
import { CURRENCY_WORDS } from './quantities.ts';
import type { Matcher, Tokens } from './tokens.ts';

const BEFORE_DATE = setOf(
  'on by in until till from since of before after is was dated through for between and to',
);
const BEFORE_YEAR = setOf('in since until year during');

/** "march third twenty twenty four" → March 3, 2024; "june nineteen ninety" → June 1990. */
export const matchMonth: Matcher = (tokens, from) => {
  const key = tokens.at(from);
  const month = MONTHS.get(key);
  if (month === undefined) return null;
  const rests = [dayAndYear(tokens, from, key), yearOf(tokens, from + 1)];
  let best: { text: string; to: number } | null = null;
  for (const rest of rests) {
    if (rest === null || (best !== null && rest.to <= best.to)) continue;
    best = 'text' in rest ? rest : { text: String(rest.value), to: rest.to };
  }
  return best === null ? null : { from, to: best.to, text: `${month} ${best.text}`, kind: 'date' };
};

function dayAndYear(tokens: Tokens, from: number, month: string): { text: string; to: number } | null {
  const at = tokens.at(from + 1) === 'the' ? from + 2 : from + 1;
  const said = ordinal(tokens, at);
  // "may five" is a date only where one is expected.
  const plain =
    at === from + 1 && (!AMBIGUOUS_MONTHS.has(month) || BEFORE_DATE.has(tokens.at(from - 1)))
      ? below100(tokens, at)
      : null;
  const day = said ?? (plain !== null && !numberGoesOn(tokens, plain.to) ? plain : null);
  if (day === null || day.value < 1 || day.value > 31) return null;
  const year = yearOf(tokens, day.to);
  return year === null
    ? { text: String(day.value), to: day.to }
    : { text: `${day.value}, ${year.value}`, to: year.to };
}

/** After a day a number may be the year; if it is none, the day was no day: "june five hundred", "june five dollars". */
function numberGoesOn(tokens: Tokens, at: number): boolean {
  const next = tokens.at(at);
  if (next === 'hundred' || next === 'thousand' || CURRENCY_WORDS.has(next)) return true;
  const isNumber = DIGITS.has(next) || TEENS.has(next) || TENS.has(next);
  return isNumber && yearOf(tokens, at) === null;
}

/** "the third of march" → 3rd of March; "twenty first june" → 21st June; "monday the fifth" → 5th. */
export const matchDayOfMonth: Matcher = (tokens, from) => {
  const day = ordinal(tokens, from);
  if (day === null || day.value > 31) return null;
  const of = tokens.at(day.to) === 'of';
  const key = tokens.at(of ? day.to + 1 : day.to);
  const month = MONTHS.get(key);
  if (month === undefined || (!of && AMBIGUOUS_MONTHS.has(key))) return null;
  const to = of ? day.to + 2 : day.to + 1;
  const year = yearOf(tokens, to);
  const text = `${ordinalText(day.value)} ${of ? 'of ' : ''}${month}`;
  return year === null
    ? { from, to, text, kind: 'date' }
    : { from, to: year.to, text: `${text} ${year.value}`, kind: 'date' };
};

/** A year by itself: "nineteen eighty five", "twenty oh four", "in two thousand and four", "nineteen eighties". */
export const matchYear: Matcher = (tokens, from) => {
  const decade = decadeOf(tokens, from);
  if (decade !== null) return decade;
  const year = yearOf(tokens, from);
  if (year === null) return null;
  const next = tokens.at(year.to);
  if (DIGITS.has(next) || TEENS.has(next) || TENS.has(next) || isOh(next)) return null;
  if (next === 'point' || next === 'percent' || next === 'hundred' || next === 'thousand') return null;
  const expected = BEFORE_YEAR.has(tokens.at(from - 1));
  if (tokens.at(from) === 'two' || tokens.at(from + 1) === 'hundred') {
    if (!expected || (tokens.at(year.to - 1) === 'thousand' && tokens.at(from - 1) !== 'year')) return null;
  } else if (!expected && (year.value < 1900 || isGuess(tokens, from, year.to))) {
    return null;
  }
  return { from, to: year.to, text: String(year.value), kind: 'date' };
};

/** "twenty thirty people": two round numbers, the second larger, may be a guess at how many. */
function isGuess(tokens: Tokens, from: number, to: number): boolean {
  const first = TENS.get(tokens.at(from)) ?? TEENS.get(tokens.at(from)) ?? 0;
  const second = TENS.get(tokens.at(from + 1)) ?? 0;
  return to === from + 2 && first === 20 && second > first;
}

/** 1800 to 2099, as years are said. */
export function yearOf(tokens: Tokens, from: number): Parsed | null {
  const first = tokens.at(from);
  if (first === 'two' && tokens.at(from + 1) === 'thousand') {
    const at = tokens.at(from + 2) === 'and' ? from + 3 : from + 2;
    const rest = below100(tokens, at);
    if (rest === null || rest.value === 0 || tokens.at(rest.to) === 'hundred')
      return { value: 2000, to: from + 2 };
    return { value: 2000 + rest.value, to: rest.to };
  }
  const century = CENTURIES.get(first);
  if (century === undefined) return null;
  const second = tokens.at(from + 1);
  if (second === 'hundred') return century === 19 ? { value: 1900, to: from + 2 } : null;
  if (isOh(second)) {
    const digit = DIGITS.get(tokens.at(from + 2)) ?? 0;
    return digit === 0 ? null : { value: century * 100 + digit, to: from + 3 };
  }
  const rest = below100(tokens, from + 1);
  if (rest === null || rest.value < 10) return null;
  const next = tokens.at(rest.to);
  if (next === 'hundred' || CURRENCY_WORDS.has(next)) return null;
  return { value: century * 100 + rest.value, to: rest.to };
}

const CENTURIES = new Map([
  ['eighteen', 18],
  ['nineteen', 19],
  ['twenty', 20],
]);

function decadeOf(tokens: Tokens, from: number): ReturnType<Matcher> {
  const century = CENTURIES.get(tokens.at(from));
  const decade = DECADES.get(tokens.at(from + 1));
  if (century === undefined || decade === undefined) return null;
  return { from, to: from + 2, text: `${century * 100 + decade}s`, kind: 'date' };
}
