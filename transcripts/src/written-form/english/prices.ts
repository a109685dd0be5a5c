import { yearOf } from './calendar.ts';
import { below100 } from './cardinals.ts';
import { contextOf } from './context.ts';
import { isOh, setOf } from './lexicon.ts';
import { type Matcher, type Tokens, asSaid } from './tokens.ts';

const CENTS_OF_PRICES: ReadonlySet<number> = new Set([49, 95, 98, 99]);
const PRICE_WORDS = setOf(
  'cost costs costing price prices priced fee fees charge charges charged pay paid paying premium rent',
);
const PRICE_REACH = 3;
/** What may stand between the word for a price and the price. */
const BETWEEN = setOf('a an the of is was at for me us you it them only just about now');
const BEFORE_PRICE = setOf("for is was me that's only just");
const BEFORE_YEAR = setOf(
  'in since until till year during before after from to by and of the born back january february march april may ' +
    'june july august september october november december',
);
const PER = setOf('a per each every plus');
const PERIODS = setOf('month year week day night minute hour line person piece user device');
const MORE_DIGITS = setOf('double triple hundred thousand million billion point slash dash');

/**
 * "thirty nine ninety nine a month" → 39.99: a price without its currency, told by how prices end. "nineteen ninety
 * nine" is a price only where the words say so, a year where they say that, and words otherwise.
 */
export const matchPrice: Matcher = (tokens, from) => {
  const whole = below100(tokens, from);
  const cents = whole === null || whole.value === 0 ? null : below100(tokens, whole.to);
  if (whole === null || cents === null || !CENTS_OF_PRICES.has(cents.value)) return null;
  const next = tokens.at(cents.to);
  if (below100(tokens, cents.to) !== null || isOh(next) || MORE_DIGITS.has(next)) return null;
  const price = { from, to: cents.to, text: `${whole.value}.${cents.value}`, kind: 'money' } as const;
  if (isNamedPrice(tokens, from)) return price;
  if (contextOf(tokens, from) !== null) return null;
  const year = yearOf(tokens, from);
  if (year !== null) {
    if (BEFORE_YEAR.has(tokens.at(from - 1))) return null;
    return isPer(tokens, cents.to) ? price : asSaid(from, cents.to);
  }
  return BEFORE_PRICE.has(tokens.at(from - 1)) || PER.has(next) ? price : asSaid(from, cents.to);
};

/** "a fee of", "they charged me", but not "i paid with order". */
function isNamedPrice(tokens: Tokens, from: number): boolean {
  let at = from - 1;
  while (at > from - PRICE_REACH && BETWEEN.has(tokens.at(at))) at--;
  return PRICE_WORDS.has(tokens.at(at));
}

/** "a month", "per line": what follows is surely no new thought. */
const isPer = (tokens: Tokens, at: number): boolean =>
  tokens.at(at) === 'per' || (PER.has(tokens.at(at)) && PERIODS.has(tokens.at(at + 1)));
