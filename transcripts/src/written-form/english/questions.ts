import { afterOpening } from './openings.ts';
import { setOf } from './lexicon.ts';

const WH = setOf('what where when who whose which why how');
const WH_CONTRACTED = setOf("what's where's who's how's when's what're who're why's");
const AUXILIARIES = setOf(
  "is are was were do does did can could would will should may shall have has had am isn't aren't don't doesn't didn't can't won't",
);
const PRONOUNS = setOf("i you we they he she it i'm you're we're they're it's there that this");
/** Which subjects after which verb make a question, and not an order ("do that", "have the parcel sent"). */
const PEOPLE = setOf('i you we they');
const ANYONE = setOf(
  'i you we they he she it there this that these those the my your our his her their any anyone anybody anything ' +
    'someone somebody everything',
);
const NARROW = setOf('do have may shall had');
const WIDE = setOf(
  "does did can could would will should is are was were has am isn't aren't wasn't don't doesn't didn't can't couldn't " +
    "won't wouldn't shouldn't haven't hasn't",
);
/** Words before the question proper. */
const LEADS = setOf('and so but um uh or then also now actually');
const TAGS = [
  "isn't it",
  "aren't you",
  "don't you",
  "didn't you",
  "didn't i",
  "doesn't it",
  "wasn't it",
  "won't it",
  "can't you",
  "haven't you",
  "aren't they",
  "isn't that right",
  'is that right',
  'is that correct',
  'is that okay',
  'is that all right',
].map((tag) => tag.split(' '));

/** A sentence (words from..to, lower case) is a question by how it opens, or by a tag at its end. Else it is none. */
export function isQuestion(keys: readonly string[], from: number, to: number): boolean {
  if (endsInTag(keys, from, to)) return true;
  let at = from;
  while (at < to) {
    const opening = afterOpening(keys, at, to);
    if (opening !== null) at = opening.to;
    else if (LEADS.has(keys[at] ?? '')) at++;
    else break;
  }
  if (at >= to) return false;
  const [w0 = '', w1 = '', w2 = ''] = keys.slice(at, Math.min(at + 3, to));
  if (WH_CONTRACTED.has(w0)) return w1 !== '' && w1 !== 'more';
  if (WH.has(w0)) return isWhQuestion(keys, at, to, w0, w1);
  if (w0 === 'anything' && w1 === 'else') return true;
  if (NARROW.has(w0)) return PEOPLE.has(w1) && w2 !== '';
  if (!WIDE.has(w0)) return false;
  return ANYONE.has(w1) && w2 !== '';
}

function isWhQuestion(keys: readonly string[], at: number, to: number, wh: string, next: string): boolean {
  if (wh === 'how' && (next === 'about' || next === 'come')) return true;
  if (wh === 'what' && (next === 'about' || next === 'if')) return true;
  if (to - at < 2) return false;
  // "what time is it", but neither "what you say is" nor "when the driver came is".
  for (let i = at + 1; i < Math.min(at + 5, to); i++) {
    const key = keys[i] ?? '';
    if (AUXILIARIES.has(key)) return wh !== 'when' || i === at + 1;
    if (PRONOUNS.has(key) || key === 'the' || key === 'a') return false;
  }
  return false;
}

const endsInTag = (keys: readonly string[], from: number, to: number): boolean =>
  TAGS.some(
    (tag) => to - from > tag.length && tag.every((word, index) => keys[to - tag.length + index] === word),
  );
