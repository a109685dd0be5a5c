import { type Quantity, below100, cardinal, grouped, ordinal, ordinalText, quantity } from './cardinals.ts';
import { loneDigitIsNumber } from './context.ts';
import { LATER_ORDINALS, SCALES, TENS, UNIT_ORDINALS, setOf } from './lexicon.ts';
import { scanRun, textOf } from './runs.ts';
import { type Matcher, type Tokens, asSaid } from './tokens.ts';

interface Currency {
  readonly sign: string;
  /** Words for its hundredth. */
  readonly small: ReadonlySet<string>;
}
const DOLLAR: Currency = { sign: '$', small: setOf('cent cents') };
const POUND: Currency = { sign: '£', small: setOf('pence penny p') };
const EURO: Currency = { sign: '€', small: setOf('cent cents') };
const CURRENCIES: ReadonlyMap<string, Currency> = new Map([
  ['dollar', DOLLAR],
  ['dollars', DOLLAR],
  ['pound', POUND],
  ['pounds', POUND],
  ['euro', EURO],
  ['euros', EURO],
]);
export const CURRENCY_WORDS: ReadonlySet<string> = new Set([
  ...CURRENCIES.keys(),
  ...'cent cents pence bucks quid grand'.split(' '),
]);
const SLANG = setOf('bucks buck quid grand');
const WEIGHT = setOf('weigh weighs weighed weight lost gained heavier lighter lose heavy');
/** After "twelve dollars fifty" the price is over. */
const AFTER_PRICE = setOf(
  'and a an per for on to in from i is was which that but please plus with each total every or at it the my so we',
);

/** "twelve dollars and fifty cents" → $12.50, "five to ten euros" → €5 to €10. */
export const matchMoney: Matcher = (tokens, from) => {
  const amount = amountAt(tokens, from);
  if (amount === null) return null;
  const key = tokens.at(amount.to);
  const isHalf = tokens.at(from) === 'a' && tokens.at(from - 1) === 'half';
  if (isHalf) return asSaid(from, amount.to);
  if (SLANG.has(key)) return asSaid(from, amount.to + 1);
  const currency = CURRENCIES.get(key);
  if (currency !== undefined) {
    if (currency === POUND && (tokens.near(from, WEIGHT, 5) || tokens.at(amount.to + 1) === 'heavy'))
      return null;
    return money(tokens, from, amount, currency);
  }
  if (key === 'cents' || key === 'cent')
    return { from, to: amount.to + 1, text: `${amount.text} ${key}`, kind: 'money' };
  if (key === 'pence') return { from, to: amount.to + 1, text: `${amount.text}p`, kind: 'money' };
  if (!linksRange(tokens, from, key)) return null;
  const upper = amountAt(tokens, amount.to + 1);
  const unit = upper === null ? undefined : CURRENCIES.get(tokens.at(upper.to));
  if (upper === null || unit === undefined || (unit === POUND && tokens.near(from, WEIGHT, 5))) return null;
  const text = `${unit.sign}${amount.text} ${key} ${unit.sign}${upper.text}`;
  return { from, to: upper.to + 1, text, kind: 'money' };
};

function money(tokens: Tokens, from: number, amount: Quantity, currency: Currency): ReturnType<Matcher> {
  const to = amount.to + 1;
  // "ten point five dollars" has cents, "one point five million dollars" has not.
  const whole = amount.scale === null && amount.decimals.length === 1 ? `${amount.text}0` : amount.text;
  if (amount.decimals === '' && amount.scale === null) {
    const cents = centsAt(tokens, to, currency);
    if (cents !== null) {
      const text = `${currency.sign}${whole}.${String(cents.value).padStart(2, '0')}`;
      return { from, to: cents.to, text, kind: 'money' };
    }
  }
  return { from, to, text: `${currency.sign}${whole}`, kind: 'money' };
}

function centsAt(tokens: Tokens, at: number, currency: Currency): { value: number; to: number } | null {
  const cents = below100(tokens, tokens.at(at) === 'and' ? at + 1 : at);
  if (cents === null) return null;
  if (
    currency.small.has(tokens.at(cents.to)) &&
    !(tokens.at(cents.to) === 'p' && tokens.at(cents.to + 1) === 'm')
  )
    return { value: cents.value, to: cents.to + 1 };
  const next = tokens.at(cents.to);
  const over = next === '' ? !tokens.mayGrow(cents.to) : AFTER_PRICE.has(next);
  return tokens.at(at) !== 'and' && cents.value >= 10 && over ? cents : null;
}

/** A quantity before a unit, or one as prices are said: "nineteen ninety nine dollars", "one two five dollars". */
function amountAt(tokens: Tokens, from: number): Quantity | null {
  const said = quantity(tokens, from);
  if (said === null) return null;
  const next = tokens.at(said.to);
  if (said.decimals !== '' || said.scale !== null || said.value >= 100 || CURRENCY_WORDS.has(next))
    return said;
  const second = below100(tokens, said.to);
  if (second !== null && second.value >= 10 && CURRENCIES.has(tokens.at(second.to))) {
    // "four fifty dollars" is 450, "four ninety nine dollars" is 4.99, "twelve fifty dollars" is 12.50.
    if (said.value >= 10 || second.value % 10 === 9 || second.value === 95) {
      const decimals = String(second.value);
      return { ...said, text: `${said.text}.${decimals}`, decimals, to: second.to };
    }
    if (said.value > 0) return { ...said, text: `${said.value * 100 + second.value}`, to: second.to };
  }
  const atoms = scanRun(tokens, from, false);
  const last = atoms.at(-1);
  if (last === undefined || atoms.length < 3 || !CURRENCIES.has(tokens.at(last.to))) return said;
  return atoms.every((atom) => atom.kind === 'digit')
    ? { ...said, text: grouped(Number(textOf(atoms))), to: last.to }
    : said;
}

/** "five percent" → 5%, "five to ten percent" → 5% to 10%. */
export const matchPercent: Matcher = (tokens, from) => {
  const first = quantity(tokens, from);
  if (first === null) return null;
  const to = percentAt(tokens, first.to);
  if (to !== null) return { from, to, text: `${first.text}%`, kind: 'percent' };
  const link = tokens.at(first.to);
  const second = linksRange(tokens, from, link) ? quantity(tokens, first.to + 1) : null;
  const end = second === null ? null : percentAt(tokens, second.to);
  if (second === null || end === null) return null;
  return { from, to: end, text: `${first.text}% ${link} ${second.text}%`, kind: 'percent' };
};

/** "five to ten", "between five and ten". */
export const linksRange = (tokens: Tokens, from: number, link: string): boolean =>
  link === 'to' || link === 'or' || (link === 'and' && tokens.at(from - 1) === 'between');

function percentAt(tokens: Tokens, at: number): number | null {
  if (tokens.at(at) === 'percent') return at + 1;
  return tokens.has(at, 'per', 'cent') ? at + 2 : null;
}

/** Ordinals from the tenth on; small ones stay words ("the second time"). */
export const matchOrdinal: Matcher = (tokens, from) => {
  const said = ordinal(tokens, from);
  if (said === null) return null;
  const last = tokens.at(said.to - 1);
  // "a thirty second hold" is half a minute.
  if (
    last === 'second' &&
    said.to - from === 2 &&
    TENS.has(tokens.at(from)) &&
    ARTICLES.has(tokens.at(from - 1))
  ) {
    const text = `${TENS.get(tokens.at(from)) ?? ''} second`;
    return { from, to: said.to, text, kind: 'number' };
  }
  if (said.to - from === 1 && UNIT_ORDINALS.has(last)) {
    return AFTER_DAY.has(tokens.at(from - 2)) && tokens.at(from - 1) === 'the'
      ? { from, to: said.to, text: ordinalText(said.value), kind: 'date' }
      : null;
  }
  // "six sevenths", "one tenth": a fraction, in words.
  if (said.to - from === 1 && LATER_ORDINALS.has(last) && ARTICLES.has(tokens.at(from - 1))) return null;
  return { from, to: said.to, text: ordinalText(said.value), kind: 'ordinal' };
};

const ARTICLES = setOf('a another every each one');
const AFTER_DAY = setOf('monday tuesday wednesday thursday friday saturday sunday');
/** Units that are written with digits however few: "5 gigabytes". */
export const MEASURES: ReadonlySet<string> = setOf(
  'gigabyte gigabytes megabyte megabytes gigs megs megabits kilobytes milligrams kilograms kilos degrees volts ' +
    'watts amps inches millimeters centimeters kilometers gb mb mg kg',
);
const RANGE = setOf('to or through and');

/** What is left: "twenty three" → 23, "five to ten" → 5 to 10; below ten words stay but in number expressions. */
export const matchQuantity: Matcher = (tokens, from) => {
  const said = quantity(tokens, from);
  if (said === null) return null;
  const isSmall = said.value < 10 && said.decimals === '';
  const onlyA = tokens.at(from) === 'a' && said.to === from + 2;
  if (onlyA || tokens.at(from - 1) === 'buck') return asSaid(from, said.to);
  if (!isSmall) {
    if (said.decimals !== '' && tokens.at(from) === 'point') return null;
    return { from, to: said.to, text: said.text, kind: 'number', ...versionTail(tokens, said) };
  }
  const next = tokens.at(said.to);
  if (SCALES.has(next)) return null;
  const upper = RANGE.has(next) ? cardinal(tokens, said.to + 1) : null;
  const range = upper !== null && upper.value >= 10 && upper.value <= 100 && said.value > 0;
  if (range && rangeEnds(tokens, from, upper.to) && (next !== 'and' || tokens.at(from - 1) === 'between'))
    return { from, to: said.to, text: said.text, kind: 'number' };
  const isNumber = MEASURES.has(next) || loneDigitIsNumber(tokens, from);
  return isNumber ? { from, to: said.to, text: said.text, kind: 'number' } : null;
};

/** No number goes on after a range, and its beginning is not the pronoun "one". */
const rangeEnds = (tokens: Tokens, from: number, to: number): boolean =>
  cardinal(tokens, to) === null && tokens.at(from) !== 'one';

/** "two point four point one": numbers of versions have more points. */
function versionTail(tokens: Tokens, said: Quantity): { to: number; text: string } | Record<never, never> {
  if (said.decimals === '' || tokens.at(said.to) !== 'point') return {};
  const rest = quantity(tokens, said.to + 1);
  if (rest === null || rest.scale !== null) return {};
  return { to: rest.to, text: `${said.text}.${rest.text}` };
}
