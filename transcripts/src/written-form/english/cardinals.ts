import { DIGITS, LATER_ORDINALS, SCALES, TEENS, TENS, UNIT_ORDINALS } from './lexicon.ts';
import type { Tokens } from './tokens.ts';

/** A number and the index after its last word. */
export interface Parsed {
  readonly value: number;
  readonly to: number;
}

/** "seven", "seventeen", "seventy", "seventy one". */
export function below100(tokens: Tokens, from: number): Parsed | null {
  const key = tokens.at(from);
  const tens = TENS.get(key);
  if (tens !== undefined) {
    const unit = DIGITS.get(tokens.at(from + 1)) ?? 0;
    return unit > 0 ? { value: tens + unit, to: from + 2 } : { value: tens, to: from + 1 };
  }
  const small = TEENS.get(key) ?? DIGITS.get(key);
  return small === undefined ? null : { value: small, to: from + 1 };
}

/** "two hundred and five", "twelve hundred", "a hundred". */
function below1000(tokens: Tokens, from: number, and: boolean): Parsed | null {
  const a = tokens.at(from) === 'a';
  const head = a ? { value: 1, to: from + 1 } : below100(tokens, from);
  if (head === null) return null;
  if (head.value === 0 || tokens.at(head.to) !== 'hundred') return a ? null : head;
  const value = head.value * 100;
  const rest = afterAnd(tokens, head.to + 1, and, below100);
  // "five hundred six hundred": the six begins another number.
  return rest === null || tokens.at(rest.to) === 'hundred'
    ? { value, to: head.to + 1 }
    : { value: value + rest.value, to: rest.to };
}

function afterAnd(
  tokens: Tokens,
  from: number,
  and: boolean,
  parse: (tokens: Tokens, from: number, and: boolean) => Parsed | null,
): Parsed | null {
  const at = and && tokens.at(from) === 'and' ? from + 1 : from;
  if (tokens.at(at) === 'a') return null;
  const rest = parse(tokens, at, and);
  return rest === null || rest.value === 0 ? null : rest;
}

/** A cardinal up to the billions: "one million two hundred thousand and five", "a thousand". */
export function cardinal(tokens: Tokens, from: number): Parsed | null {
  const said = cardinalWith(tokens, from, true);
  // "between one hundred and two thousand": two numbers, unless another "and" divides them.
  const isTwo = said !== null && tokens.at(from - 1) === 'between' && tokens.at(said.to) !== 'and';
  return isTwo ? cardinalWith(tokens, from, false) : said;
}

function cardinalWith(tokens: Tokens, from: number, and: boolean): Parsed | null {
  const a = tokens.at(from) === 'a' && SCALES.has(tokens.at(from + 1));
  const head = a ? { value: 1, to: from + 1 } : below1000(tokens, from, and);
  if (head === null) return null;
  let total = 0;
  let part = head;
  /** What is whole after each scale: another number may begin there. */
  const wholes: (Parsed & { readonly scale: number })[] = [];
  for (;;) {
    const scale = SCALES.get(tokens.at(part.to));
    if (scale === undefined) return { value: total + part.value, to: part.to };
    // Scales only fall: in "five thousand five thousand" the second five begins another number.
    const whole = wholes.find((one) => one.scale <= scale);
    if (whole !== undefined) return { value: whole.value, to: whole.to };
    if (part.value === 0) return { value: total, to: part.to };
    total += part.value * scale;
    const to = part.to + 1;
    wholes.push({ value: total, to, scale });
    const rest = afterAnd(tokens, to, and, below1000);
    // Of no value when a greater scale follows at once: "one million two thousand million".
    part = rest === null || rest.value >= scale ? { value: 0, to } : rest;
  }
}

/** "third", "twenty first", "one hundred and tenth". */
export function ordinal(tokens: Tokens, from: number): Parsed | null {
  const key = tokens.at(from);
  const bare = UNIT_ORDINALS.get(key) ?? LATER_ORDINALS.get(key);
  if (bare !== undefined) return { value: bare, to: from + 1 };
  const tens = TENS.get(key);
  if (tens !== undefined) {
    const unit = UNIT_ORDINALS.get(tokens.at(from + 1));
    return unit === undefined ? null : { value: tens + unit, to: from + 2 };
  }
  const hundreds = DIGITS.get(key) ?? 0;
  if (hundreds === 0 || tokens.at(from + 1) !== 'hundred') return null;
  const rest = ordinal(tokens, from + (tokens.at(from + 2) === 'and' ? 3 : 2));
  return rest === null || rest.value > 99 ? null : { value: hundreds * 100 + rest.value, to: rest.to };
}

/** "3rd", "21st", "112th". */
export function ordinalText(value: number): string {
  const tens = value % 100;
  const suffix =
    tens >= 11 && tens <= 13 ? 'th' : ((['th', 'st', 'nd', 'rd'] as const)[Math.min(value % 10, 4)] ?? 'th');
  return `${value}${suffix}`;
}

/** 1250 as "1,250". */
export const grouped = (value: number): string => String(value).replace(/\B(?=(?:\d{3})+$)/gu, ',');

/** A quantity as it is written: "1,250", "3.5", "2 million". */
export interface Quantity {
  readonly text: string;
  /** "million" or "billion" where the text ends so. */
  readonly scale: string | null;
  readonly value: number;
  /** Digits after the point, as said. */
  readonly decimals: string;
  readonly to: number;
}

/** "three point five", "two million", "one point two billion", "zero point oh five", or any cardinal. */
export function quantity(tokens: Tokens, from: number): Quantity | null {
  if (tokens.at(from) === 'point') {
    const decimals = decimalsOf(tokens, from + 1);
    return decimals === null ? null : withDecimals(tokens, 0, decimals);
  }
  const whole = cardinal(tokens, from);
  if (whole === null) return null;
  if (tokens.at(whole.to) === 'point') {
    const decimals = decimalsOf(tokens, whole.to + 1);
    if (decimals !== null) return withDecimals(tokens, whole.value, decimals);
  }
  for (const [scale, size] of BIG_SCALES) {
    if (whole.value >= size && whole.value % size === 0 && whole.value / size < 1000) {
      const value = whole.value / size;
      return { text: `${value} ${scale}`, scale, value: whole.value, decimals: '', to: whole.to };
    }
  }
  return { text: grouped(whole.value), scale: null, value: whole.value, decimals: '', to: whole.to };
}

const BIG_SCALES = [
  ['billion', 1e9],
  ['million', 1e6],
] as const;

function withDecimals(tokens: Tokens, whole: number, decimals: { text: string; to: number }): Quantity {
  const text = `${grouped(whole)}.${decimals.text}`;
  const value = Number(`${whole}.${decimals.text}`);
  const key = tokens.at(decimals.to);
  const size = SCALES.get(key) ?? 0;
  if (size < 1e6) return { text, scale: null, value, decimals: decimals.text, to: decimals.to };
  return {
    text: `${text} ${key}`,
    scale: key,
    value: value * size,
    decimals: decimals.text,
    to: decimals.to + 1,
  };
}

/** What is said after "point": digits one by one, or one number of two digits. */
function decimalsOf(tokens: Tokens, from: number): { text: string; to: number } | null {
  let text = '';
  let to = from;
  for (; to < from + 15; to++) {
    const key = tokens.at(to);
    const digit = key === 'oh' || key === 'o' ? 0 : DIGITS.get(key);
    if (digit === undefined || (key === 'o' && tokens.at(to + 1) === 'clock')) break;
    text += String(digit);
  }
  if (text !== '') return { text, to };
  const two = below100(tokens, from);
  return two === null ? null : { text: String(two.value), to: two.to };
}
