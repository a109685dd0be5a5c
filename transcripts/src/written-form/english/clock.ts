import { type Parsed, below100 } from './cardinals.ts';
import { DIGITS, SCALES, TEENS, TENS, WEEKDAYS, isOh, setOf } from './lexicon.ts';
import { type Match, type Matcher, type Tokens, asSaid } from './tokens.ts';

const BEFORE_TIME = setOf('at by until till between before after since from');
const DAY_WORDS = setOf('today tomorrow tonight morning afternoon evening yesterday noon');
const AFTER_TIME = setOf('tonight tomorrow today sharp eastern pacific central gmt');
const PARTS = setOf('morning afternoon evening');

/** "three thirty p m" → 3:30 PM, "five o clock" → 5 o'clock, "at ten fifteen" → 10:15. */
export const matchClock: Matcher = (tokens, from, before) => {
  const hour = hourOf(tokens, from);
  if (hour === null) return null;
  const past = pastTheHour(tokens, from);
  if (past !== null) return past;
  const start = startOfRange(tokens, from, hour);
  if (start !== null) return start;
  const clock = oClock(tokens, hour.to);
  if (clock !== null) {
    if (hour.value < 1 || hour.value > 12) return null;
    const half = amPm(tokens, clock);
    return half === null
      ? { from, to: clock, text: `${hour.value} o'clock`, kind: 'time' }
      : { from, to: half.to, text: `${hour.value} ${half.text}`, kind: 'time' };
  }
  const minutes = minutesOf(tokens, hour.to);
  const half = hour.value >= 1 && hour.value <= 12 ? amPm(tokens, minutes?.to ?? hour.to) : null;
  if (half !== null) {
    const text = minutes === null ? `${hour.value}` : timeText(hour.value, minutes.value);
    return { from, to: half.to, text: `${text} ${half.text}`, kind: 'time' };
  }
  if (minutes === null || !isTimeHere(tokens, from, hour.value, minutes.to, before)) return null;
  return { from, to: minutes.to, text: timeText(hour.value, minutes.value), kind: 'time' };
};

/** "nine to five p m": the half of the day is said once. */
function startOfRange(tokens: Tokens, from: number, hour: Parsed): Match | null {
  const link = tokens.at(hour.to);
  if (hour.value > 12 || (link !== 'to' && link !== 'and' && link !== 'or')) return null;
  const end = hourOf(tokens, hour.to + 1);
  if (end === null || end.value > 12) return null;
  const half = amPm(tokens, minutesOf(tokens, end.to)?.to ?? end.to);
  return half === null ? null : { from, to: hour.to, text: String(hour.value), kind: 'time' };
}

const timeText = (hour: number, minute: number): string => `${hour}:${String(minute).padStart(2, '0')}`;

/** Hours are one number word: 1 to 23. */
function hourOf(tokens: Tokens, from: number): Parsed | null {
  const key = tokens.at(from);
  const small = DIGITS.get(key) ?? TEENS.get(key);
  if (small !== undefined) return small === 0 ? null : { value: small, to: from + 1 };
  const hour = key === 'twenty' ? below100(tokens, from) : null;
  return hour !== null && hour.value <= 23 ? hour : null;
}

function minutesOf(tokens: Tokens, at: number): Parsed | null {
  if (isOh(tokens.at(at)) || tokens.at(at) === 'zero') {
    const digit = DIGITS.get(tokens.at(at + 1)) ?? 0;
    return digit === 0 ? null : { value: digit, to: at + 2 };
  }
  const minutes = below100(tokens, at);
  return minutes === null || minutes.value < 10 || minutes.value > 59 ? null : minutes;
}

function oClock(tokens: Tokens, at: number): number | null {
  const key = tokens.at(at);
  if (key === "o'clock" || key === 'oclock') return at + 1;
  return isOh(key) && tokens.at(at + 1) === 'clock' ? at + 2 : null;
}

function amPm(tokens: Tokens, at: number): { text: string; to: number } | null {
  const key = tokens.at(at);
  if ((key === 'a' || key === 'p') && tokens.at(at + 1) === 'm')
    return { text: `${key.toUpperCase()}M`, to: at + 2 };
  if (key === 'pm' || (key === 'am' && tokens.at(at + 1) !== 'i'))
    return { text: key.toUpperCase(), to: at + 1 };
  return null;
}

/** "ten past five", "half past six", "quarter to ten": words, as most people write them. */
function pastTheHour(tokens: Tokens, from: number): Match | null {
  const wordBefore = tokens.at(from - 1);
  const quarter = tokens.at(from - 2) === 'quarter';
  if (
    (wordBefore === 'past' && (quarter || tokens.at(from - 2) === 'half')) ||
    (wordBefore === 'to' && quarter)
  ) {
    const hour = hourOf(tokens, from);
    if (hour !== null && hour.value <= 12) return asSaid(from, hour.to);
  }
  const minutes = below100(tokens, from);
  if (minutes?.value === undefined || ![5, 10, 20, 25].includes(minutes.value)) return null;
  const link = tokens.at(minutes.to);
  const hour = hourOf(tokens, minutes.to + 1);
  if (hour === null || hour.value > 12) return null;
  if (link === 'past') return asSaid(from, hour.to);
  // "ten to five" falls, so it is no range of numbers; "five to ten" may be one.
  const isTime = link === 'to' && hour.value < minutes.value && !goesOnAfter(tokens, hour.to);
  return isTime ? asSaid(from, hour.to) : null;
}

/** What stands at the index belongs to the number before it. */
function goesOnAfter(tokens: Tokens, at: number): boolean {
  const key = tokens.at(at);
  const isMore = key === 'hundred' || key === 'point' || SCALES.has(key) || isOh(key);
  return isMore || below100(tokens, at) !== null || amPm(tokens, at) !== null || oClock(tokens, at) !== null;
}

/** Without "a m" or "o clock" two numbers are a time only where the words around them say so. */
function isTimeHere(tokens: Tokens, from: number, hour: number, to: number, before: Match | null): boolean {
  const next = tokens.at(to);
  if (DIGITS.has(next) || TEENS.has(next) || TENS.has(next) || isOh(next)) return false;
  if (next === 'hundred' || next === 'thousand' || next === 'percent') return false;
  const word = tokens.at(from - 1);
  const goesOn = before !== null && before.kind === 'time' && before.to === from - 1;
  const rangeOfTimes = goesOn && (word === 'to' || word === 'and' || word === 'or' || word === 'until');
  const partOfDay =
    AFTER_TIME.has(next) ||
    (next === 'in' && tokens.at(to + 1) === 'the' && PARTS.has(tokens.at(to + 2))) ||
    (next === 'at' && tokens.at(to + 1) === 'night');
  if (hour > 12) return word === 'at' && hour !== 19 && hour !== 20;
  return partOfDay || rangeOfTimes || BEFORE_TIME.has(word) || DAY_WORDS.has(word) || WEEKDAYS.has(word);
}
