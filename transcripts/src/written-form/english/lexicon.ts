/** Number words, months and the like: closed classes of English, looked up by the lower-case word. */

const numbered = (from: number, step: number, words: string): [string, number][] =>
  words.split(' ').map((word, index) => [word, from + index * step]);

export const DIGITS: ReadonlyMap<string, number> = new Map(
  numbered(0, 1, 'zero one two three four five six seven eight nine'),
);
export const TEENS: ReadonlyMap<string, number> = new Map(
  numbered(10, 1, 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'),
);
export const TENS: ReadonlyMap<string, number> = new Map(
  numbered(20, 10, 'twenty thirty forty fifty sixty seventy eighty ninety'),
);
export const SCALES: ReadonlyMap<string, number> = new Map([
  ['thousand', 1e3],
  ['million', 1e6],
  ['billion', 1e9],
]);
export const UNIT_ORDINALS: ReadonlyMap<string, number> = new Map(
  numbered(1, 1, 'first second third fourth fifth sixth seventh eighth ninth'),
);
/** Ordinals that no tens word can precede. */
export const LATER_ORDINALS: ReadonlyMap<string, number> = new Map([
  ...numbered(
    10,
    1,
    'tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth',
  ),
  ...numbered(20, 10, 'twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth'),
]);
export const DECADES: ReadonlyMap<string, number> = new Map(
  numbered(20, 10, 'twenties thirties forties fifties sixties seventies eighties nineties'),
);

export const MONTHS: ReadonlyMap<string, string> = new Map(
  'January February March April May June July August September October November December'
    .split(' ')
    .map((month) => [month.toLowerCase(), month]),
);
/** Months that are words of their own: written as months only in a date. */
export const AMBIGUOUS_MONTHS: ReadonlySet<string> = new Set(['march', 'may']);

/** The alphabet of ITU and NATO, by word. */
export const NATO: ReadonlyMap<string, string> = new Map([
  ...(
    'alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa ' +
    'quebec romeo sierra tango uniform victor whiskey xray yankee zulu'
  )
    .split(' ')
    .map((word): [string, string] => [word, word.charAt(0)]),
  ['alfa', 'a'],
  ['juliett', 'j'],
]);

export const setOf = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/u));

export const WEEKDAYS = setOf('monday tuesday wednesday thursday friday saturday sunday');

export const isLetter = (key: string): boolean => key.length === 1 && key >= 'a' && key <= 'z';
/** Zero as it is said in numbers of a phone, a card, a room. */
export const isOh = (key: string): boolean => key === 'oh' || key === 'o';
