import { DIGITS, TEENS, TENS, isLetter, setOf } from './lexicon.ts';
import { scanRun, textOf } from './runs.ts';
import type { Match, Tokens } from './tokens.ts';

/** Last labels of domain names that are dictated; any other "dot" is a word. */
const TLDS = setOf(
  'com org net edu gov uk us ca au ie de fr es it nl eu io co info biz app dev me tv ai nz ch at be shop online',
);
const SEPARATORS = new Map([
  ['dot', '.'],
  ['period', '.'],
  ['underscore', '_'],
  ['dash', '-'],
  ['hyphen', '-'],
  ['plus', '+'],
]);
/** Domains that recognisers write as two words, by their second. */
const PROVIDERS = new Map([
  ['mail', setOf('g hot proton fast')],
  ['look', setOf('out')],
  ['cloud', setOf('i')],
]);
const STOP = setOf(
  'a an the is it its am are was be me us you we they them him her i my your our their at on in of to for and or but ' +
    'so up work look that this there with from by as if please just not email mail address send',
);
const MAIL_CONTEXT = setOf('email emails mail address reach contact write send e-mail');
const MAIL_NOUNS = setOf('email mail address e-mail');
/** Words in an address at most, on either side of a sign. */
const REACH = 24;

/** Emails and addresses of the web: "john dot smith at example dot com", "w w w dot example dot com slash help". */
export function findLinks(tokens: Tokens): readonly Match[] {
  const links: Match[] = [];
  let from = 0;
  for (let i = 1; i < tokens.end; i++) {
    if (tokens.at(i) !== 'dot') continue;
    const link = linkAt(tokens, i, from);
    if (link === null) continue;
    links.push(link);
    from = link.to;
    i = link.to - 1;
  }
  return links;
}

/** @param dot the first dot of the domain; @param floor no word before it may be taken */
function linkAt(tokens: Tokens, dot: number, floor: number): Match | null {
  const tail = tailOf(tokens, dot);
  if (tail === null) return null;
  const head = firstLabel(tokens, dot, floor);
  if (head === null) return null;
  const domain = head.text + tail.text;
  if (tokens.at(head.from - 1) === 'at' && head.from - 1 > floor) {
    const local = localPart(tokens, head.from - 1, floor);
    if (local !== null)
      return { from: local.from, to: tail.to, text: `${local.text}@${domain}`, kind: 'email' };
  }
  const path = pathOf(tokens, tail.to);
  return { from: head.from, to: path.to, text: domain + path.text, kind: 'url' };
}

/** ".example.com" from the first dot on, as far as it ends in a known label. */
function tailOf(tokens: Tokens, dot: number): { text: string; to: number } | null {
  let text = '';
  let known: { text: string; to: number } | null = null;
  let at = dot;
  for (let labels = 0; labels < 6 && tokens.at(at) === 'dot'; labels++) {
    const label = labelAt(tokens, at + 1);
    if (label === null) break;
    text += `.${label.text}`;
    at = label.to;
    if (TLDS.has(label.text)) known = { text, to: at };
  }
  return known;
}

/** A word, or what is spelled until the next dot: "c o", "u k". */
function labelAt(tokens: Tokens, from: number): { text: string; to: number } | null {
  const key = tokens.at(from);
  if (!isLetter(key)) return /^[\p{Ll}\d-]+$/u.test(key) ? { text: key, to: from + 1 } : null;
  let to = from;
  let text = '';
  while (to < from + REACH && isLetter(tokens.at(to)) && !TLDS.has(text)) text += tokens.at(to++);
  return { text, to };
}

/** The label before the first dot, which may be spelled or said in two words. */
function firstLabel(tokens: Tokens, dot: number, floor: number): { text: string; from: number } | null {
  const key = tokens.at(dot - 1);
  if (dot - 1 < floor) return null;
  if (PROVIDERS.get(key)?.has(tokens.at(dot - 2)) === true && dot - 2 >= floor)
    return { text: tokens.at(dot - 2) + key, from: dot - 2 };
  if (STOP.has(key) || SEPARATORS.has(key)) return null;
  let from = dot - 1;
  while (from > floor && dot - from < REACH && isSmall(tokens.at(from)) && isSmall(tokens.at(from - 1)))
    from--;
  if (from === dot - 1) {
    // "at big bank dot com": everything between the signs, when nothing else can be meant.
    for (let back = 2; back <= 3 && dot - back - 1 > floor; back++) {
      if (STOP.has(tokens.at(dot - back))) break;
      if (tokens.at(dot - back - 1) === 'at' && hasMailContext(tokens, dot - back - 1))
        return { text: writeParts(tokens, dot - back, dot), from: dot - back };
    }
  }
  const text = writeParts(tokens, from, dot);
  return /^[\p{Ll}\d-]+$/u.test(text) ? { text, from } : null;
}

const isSmall = (key: string): boolean => isLetter(key) || DIGITS.has(key);
const isNumber = (key: string): boolean => DIGITS.has(key) || TEENS.has(key) || TENS.has(key) || key === 'oh';
const hasMailContext = (tokens: Tokens, at: number): boolean => tokens.near(at, MAIL_CONTEXT, 10);

/** What stands before "at", or null where that is no address ("we are at example dot com"). */
function localPart(tokens: Tokens, at: number, floor: number): { text: string; from: number } | null {
  const said = afterAnchor(tokens, at, floor);
  let from = said ?? at - 1;
  if (said === null) {
    if (STOP.has(tokens.at(from)) && !isLetter(tokens.at(from))) return null;
    while (from > floor && at - from < REACH) {
      const key = tokens.at(from);
      const before = tokens.at(from - 1);
      if (SEPARATORS.has(before) && from - 2 >= floor && tokens.at(from - 2) !== '') from -= 2;
      else if (isSmall(key) && isSmall(before) && before !== 'i' && before !== 'a') from--;
      else if (isNumber(key) && (isNumber(before) || !STOP.has(before))) from--;
      else if (isLetter(key) && (before === 'double' || before === 'triple')) from--;
      else break;
    }
  }
  const text = writeParts(tokens, from, at);
  const sure = said !== null || /[._+\d-]/u.test(text) || hasMailContext(tokens, from);
  return sure && /^[\p{Ll}\d][\p{Ll}\d._+'-]*$/u.test(text) ? { text, from } : null;
}

/** "my email is john smith at": all words after "is" are the address. */
function afterAnchor(tokens: Tokens, at: number, floor: number): number | null {
  for (let i = at - 1; i >= floor && i > at - 12; i--) {
    const key = tokens.at(i);
    if (key === 'is' || key === "it's" || (MAIL_NOUNS.has(key) && i < at - 1)) {
      const isAnchor = i < at - 1 && (MAIL_NOUNS.has(key) || tokens.near(i, MAIL_NOUNS, 5));
      return isAnchor ? i + 1 : null;
    }
    if (STOP.has(key) && !isLetter(key)) return null;
  }
  return null;
}

/** Words as they stand in an address: signs as signs, numbers as digits, everything joined. */
function writeParts(tokens: Tokens, from: number, to: number): string {
  let text = '';
  let at = from;
  while (at < to) {
    const key = tokens.at(at);
    const sign = SEPARATORS.get(key);
    const times = key === 'double' ? 2 : key === 'triple' ? 3 : 0;
    const run = isNumber(key) || times > 0 ? scanRun(tokens, at, false) : [];
    const digits = run.filter((atom) => atom.to <= to && atom.kind !== 'sign');
    const upTo = run.findIndex((atom) => atom.kind === 'sign');
    const kept = upTo === -1 ? digits : run.slice(0, upTo);
    const last = kept.at(-1);
    if (last !== undefined) {
      text += textOf(kept);
      at = last.to;
    } else if (times > 0 && isLetter(tokens.at(at + 1)) && at + 1 < to) {
      text += tokens.at(at + 1).repeat(times);
      at += 2;
    } else {
      text += sign ?? key;
      at++;
    }
  }
  return text;
}

function pathOf(tokens: Tokens, from: number): { text: string; to: number } {
  let text = '';
  let to = from;
  for (let parts = 0; parts < 6; parts++) {
    const key = tokens.at(to + 1);
    if (tokens.at(to) !== 'slash' || key === '' || STOP.has(key)) break;
    text += `/${key}`;
    to += 2;
  }
  return { text, to };
}
