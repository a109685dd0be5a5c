import { contextOf, isNamed } from './context.ts';
import { NATO, TENS, isLetter, setOf } from './lexicon.ts';
import { CURRENCY_WORDS, MEASURES } from './quantities.ts';
import { type Atom, scanRun, textOf } from './runs.ts';
import { type Match, type Matcher, type Tokens, asSaid } from './tokens.ts';

/** Letters that are said one by one and are a word: how it is written. */
const ACRONYMS: ReadonlyMap<string, string> = new Map([
  ...(
    'usb atm pin sms tv pc id vpn pdf url ssn dob cvv cvc ceo faq hd uk us usa eu ibm hr it ' +
    'dvd gps lcd led nhs hmrc irs dmv vat isp dsl lte ssid pr vip asap eta faqs bbc bt upc imei po apr ip dns usd gbp iou'
  )
    .split(' ')
    .map((word): [string, string] => [word, word.toUpperCase()]),
  ['wifi', 'Wi-Fi'],
  ['ok', 'OK'],
]);

const titled = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** "s m i t h" → S-M-I-T-H, "a b one two" → AB12, "p i n" → PIN, "s as in sierra" → S as in Sierra. */
export const matchSpelled: Matcher = (tokens, from) => {
  const joined = tokens.at(from) === 'wi' || tokens.at(from) === 'e' ? twoWords(tokens, from) : null;
  if (joined !== null) return joined;
  const said = letterAsIn(tokens, from);
  if (said !== null) return said;
  const atoms = withoutAmount(tokens, from, withoutNames(tokens, from, scanRun(tokens, from, true)));
  const last = atoms.at(-1);
  if (last === undefined || !atoms.some((atom) => atom.kind === 'letter')) return null;
  return atoms.every((atom) => atom.kind === 'letter')
    ? lettersOnly(tokens, from, atoms)
    : code(tokens, from, atoms, last.to);
};

/** Words that are one word written. */
function twoWords(tokens: Tokens, from: number): Match | null {
  const text = tokens.has(from, 'wi', 'fi') ? 'Wi-Fi' : tokens.has(from, 'e', 'mail') ? 'email' : null;
  return text === null ? null : { from, to: from + 2, text, kind: 'acronym' };
}

function letterAsIn(tokens: Tokens, from: number): Match | null {
  const letter = tokens.at(from);
  if (!isLetter(letter)) return null;
  const asIn = tokens.has(from + 1, 'as', 'in');
  const link = tokens.at(from + 1);
  if (!asIn && ((link !== 'for' && link !== 'like') || letter === 'i' || letter === 'a')) return null;
  const at = from + (asIn ? 3 : 2);
  const word = tokens.at(at);
  if (word.length < 2 || !word.startsWith(letter)) return null;
  const text = `${letter.toUpperCase()} ${asIn ? 'as in' : link} ${titled(word)}`;
  return { from, to: at + 1, text, kind: 'spelled' };
}

/** The words of the alphabet are names and things as well: taken as letters only where several stand together. */
function withoutNames(tokens: Tokens, from: number, atoms: readonly Atom[]): readonly Atom[] {
  const isWord = (atom: Atom): boolean => atom.kind === 'letter' && NATO.has(tokens.at(atom.from));
  const words = atoms.filter(isWord).length;
  if (words === 0) return atoms;
  const enough = atoms.length >= 3 && (words >= 2 || contextOf(tokens, from) !== null);
  if (enough) return atoms;
  const cut = atoms.slice(0, atoms.findIndex(isWord));
  while (cut.at(-1)?.kind === 'sign') cut.pop();
  return cut;
}

/** Before them stands an amount, whatever was said before it. */
const UNITS: ReadonlySet<string> = new Set([...CURRENCY_WORDS, 'percent', 'per']);
const COUNTED = setOf('day days week weeks month months hour hours minute minutes year years times people');
/** Acronyms that name the number behind them. */
const NAMES_OF_NUMBERS = setOf('pin cvv cvc ssn id dob');

/**
 * Letters without the number behind them where that is no part of a code: "f forty dollars", "c v v one two three".
 * In misheard speech single letters are frequent.
 */
function withoutAmount(tokens: Tokens, from: number, atoms: readonly Atom[]): readonly Atom[] {
  const cut = atoms.slice(0, atoms.findLastIndex((atom) => atom.kind === 'letter') + 1);
  const first = atoms[cut.length];
  const last = atoms.at(-1);
  if (cut.length === 0 || first === undefined || last === undefined) return atoms;
  const unit = tokens.at(last.to);
  if (UNITS.has(unit)) return cut;
  const letters = cut.every((atom) => atom.kind === 'letter') ? textOf(cut) : '';
  const isLong = last.to - first.from >= 2;
  if (isLong && NAMES_OF_NUMBERS.has(letters)) return cut;
  if (contextOf(tokens, from) !== null || isNamed(tokens, from)) return atoms;
  const isAmount = COUNTED.has(unit) || MEASURES.has(unit) || TENS.has(tokens.at(first.from));
  return isAmount || (isLong && ACRONYMS.has(letters)) ? cut : atoms;
}

const AFTER_WOULD = setOf('like love rather prefer be have need want appreciate');

function lettersOnly(tokens: Tokens, from: number, atoms: readonly Atom[]): Match | null {
  const to = atoms.at(-1)?.to ?? from;
  const letters = textOf(atoms);
  const whole = ACRONYMS.get(letters);
  // "i a m not sure": a model's way to write "i am".
  if (letters === 'iam') return asSaid(from, to);
  // "i d like" lacks its apostrophe.
  if (whole === 'ID' && AFTER_WOULD.has(tokens.at(to))) return asSaid(from, to);
  if (whole !== undefined) return { from, to, text: whole, kind: 'acronym' };
  const first = letters.charAt(0);
  // "a t v": a television; "p i n i forgot": the last letter is me.
  if ((first === 'a' || first === 'i') && ACRONYMS.has(letters.slice(1))) return asSaid(from, from + 1);
  const shorter =
    letters.endsWith('i') && tokens.at(to) !== '' ? ACRONYMS.get(letters.slice(0, -1)) : undefined;
  if (shorter !== undefined) return { from, to: to - 1, text: shorter, kind: 'acronym' };
  const upper = letters.toUpperCase();
  if (letters.length >= 3 || (letters.length === 2 && tokens.mayGrow(to)))
    return { from, to, text: [...upper].join('-'), kind: 'spelled' };
  return letters.length === 2 && !/[aio]/u.test(letters) ? { from, to, text: upper, kind: 'spelled' } : null;
}

const POSTCODE = /^([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})$/u;
const POST = setOf('postcode postal post');

function code(tokens: Tokens, from: number, atoms: readonly Atom[], to: number): Match | null {
  const text = textOf(atoms).toUpperCase();
  const digits = text.replace(/\D/gu, '').length;
  const enough = atoms.length >= 3 || (digits >= 2 && isLetter(tokens.at(from)) && !/^[AIO]/u.test(text));
  if (!enough && !isNamed(tokens, from)) return null;
  const postcode = tokens.near(from, POST, 6) ? POSTCODE.exec(text) : null;
  const written = postcode === null ? text : `${postcode[1] ?? ''} ${postcode[2] ?? ''}`;
  return { from, to, text: written, kind: 'code' };
}
