import { type Quantity, below100, cardinal, quantity } from './cardinals.ts';
import { DIGITS, SCALES, TEENS, TENS, isOh } from './lexicon.ts';
import { linksRange } from './quantities.ts';
import { type Matcher, type Tokens, asSaid } from './tokens.ts';

/** Numbers that can be read in two ways: they stay as said. */
export const matchDoubtful: Matcher = (tokens, from) => {
  if (isTollFreeName(tokens, from)) return asSaid(from, from + 3);
  const first = quantity(tokens, from);
  if (first === null) return null;
  const to = elided(tokens, from, first) ?? cutTwice(tokens, first.to);
  return to === null ? null : asSaid(from, to);
};

/** "one eight hundred flowers": a telephone number by its name. */
function isTollFreeName(tokens: Tokens, from: number): boolean {
  if (!tokens.has(from, 'one', 'eight', 'hundred')) return false;
  const next = tokens.at(from + 3);
  const isNumber = DIGITS.has(next) || TEENS.has(next) || TENS.has(next) || SCALES.has(next);
  return !isNumber && !isOh(next) && !/^(?:and|double|triple|dollars?|pounds?|euros?)$/u.test(next);
}

/** "two or three hundred dollars": the first may be two or two hundred. The index after the range. */
function elided(tokens: Tokens, from: number, first: Quantity): number | null {
  if (first.scale !== null || first.value === 0 || !linksRange(tokens, from, tokens.at(first.to)))
    return null;
  const second = quantity(tokens, first.to + 1);
  if (second === null || tokens.at(first.to + 1) === 'a') return null;
  let size = 1;
  for (let at = first.to + 1; at < second.to && size === 1; at++) size = SCALES.get(tokens.at(at)) ?? 1;
  const sizes = [size, size * 100].filter((one) => one > 1);
  // "between fifty and two hundred" has one reading: fifty hundred is not below two hundred.
  return sizes.some((one) => first.value < Math.floor(second.value / one)) ? second.to : null;
}

/** "one hundred twenty five hundred": 100 and 2,500, or 120 and 500. The index after both. */
function cutTwice(tokens: Tokens, to: number): number | null {
  const last = tokens.at(to - 1);
  if (last !== 'hundred' && !SCALES.has(last)) return null;
  const at = tokens.at(to) === 'and' ? to + 1 : to;
  const next = below100(tokens, at);
  if (next?.to !== at + 2) return null;
  const unit = tokens.at(next.to);
  return unit === 'hundred' || SCALES.has(unit) ? (cardinal(tokens, at)?.to ?? null) : null;
}
