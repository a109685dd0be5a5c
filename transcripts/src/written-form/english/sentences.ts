import { type Opening, afterOpening, isOpening } from './openings.ts';
import { isQuestion } from './questions.ts';
import { setOf } from './lexicon.ts';

/** Silence after which a sentence may be over: 0.6 s in ticks. Within sentences people seldom pause so long. */
const PAUSE_TICKS = 4800;

/** After these more is to come, whatever the pause. */
const UNFINISHED = setOf(
  'a an the my your his her its our their this these those some any every each no of to for from in at by with without ' +
    'about into on onto upon over under between and or but because so if when while that which who whose whom than as ' +
    'like is are was were am be been being have has had do does did will would can could shall should may might must ' +
    "i you we they he she i'm i've i'll i'd you're we're they're it's he's she's that's there's um uh er erm very " +
    'really just also not mister mr mrs ms until since before after during per both either ' +
    "neither don't doesn't didn't can't won't",
);
/** These end a sentence though others of their kind do not: "i said so", "i want one of those". */
const MAY_END = setOf(
  'it so that this these those some any each no in on off you him them me us not may like though',
);
/** These do after a subject or one another: "yes it is", "what i can do", but "my order number is" goes on. */
const END_AFTER_SUBJECT = setOf(
  'is are was were am do does did can could will would should have has had may might must be',
);
const SUBJECTS_AT_END = setOf('i you he she it we they that this there what who');
/** These do not begin one after a pause: they go on with what was said. */
const GOES_ON = setOf(
  'of to for from in at by with without into than because which whose that or and until per minus plus point dollars ' +
    'dollar pounds euros cents percent hundred thousand street avenue',
);

export interface SpokenUnit {
  readonly from: number;
  readonly to: number;
  /** In no span. */
  readonly isPlain: boolean;
}

export interface Mark {
  /** Index of the unit after which it stands. */
  readonly unit: number;
  readonly sign: ',' | '.' | '?';
}

export interface Punctuation {
  /** Units that begin a sentence. */
  readonly starts: ReadonlySet<number>;
  readonly marks: readonly Mark[];
}

/**
 * Where sentences begin and end, and a few commas. Conservative: what is not sure stays one sentence. Each decision
 * but the last sign looks only a few words ahead, so that a partial's punctuation stays as more words come.
 *
 * @param pauseAfter ticks of silence after a word
 * @param goesOn the last sentence is not over: no sign after it
 */
export function punctuate(
  keys: readonly string[],
  units: readonly SpokenUnit[],
  pauseAfter: (word: number) => number,
  goesOn: boolean,
): Punctuation {
  const starts = new Set<number>();
  const marks: Mark[] = [];
  let first = 0;
  for (let u = 0; u < units.length; u++) {
    const next = units[u + 1];
    const isLast = next === undefined;
    const from = units[first]?.from ?? 0;
    const to = units[u]?.to ?? 0;
    if (u === first) starts.add(u);
    if (isLast || isBreak(keys, from, to, units[u], next, pauseAfter(to - 1))) {
      commas(keys, units, first, u, marks);
      const asks = (!isLast || !goesOn) && isQuestion(keys, from, to);
      const isOver = !isLast || (!goesOn && (units[u]?.isPlain === false || isComplete(keys, to, asks)));
      if (isOver) marks.push({ unit: u, sign: asks ? '?' : '.' });
      first = u + 1;
    }
  }
  return { starts, marks };
}

/** The last words of a segment can end a sentence; a question may end in its preposition ("help you with"). */
const isComplete = (keys: readonly string[], to: number, asks: boolean): boolean => {
  const last = keys[to - 1] ?? '';
  if (!UNFINISHED.has(last) || MAY_END.has(last) || (asks && PREPOSITIONS.has(last))) return true;
  const before = keys[to - 2] ?? '';
  return END_AFTER_SUBJECT.has(last) && (SUBJECTS_AT_END.has(before) || END_AFTER_SUBJECT.has(before));
};
const PREPOSITIONS = setOf('to for from at by with about into like');
const PARTICIPLES = setOf('tried checked received got already had been seen called spoken ordered');

function isBreak(
  keys: readonly string[],
  from: number,
  to: number,
  unit: SpokenUnit | undefined,
  next: SpokenUnit,
  pause: number,
): boolean {
  const last = keys[to - 1] ?? '';
  if (/[.?!]$/u.test(last) && !/^(?:mr|mrs|ms|dr)\.$/u.test(last)) return true;
  if (startsAfresh(keys, from, to)) return true;
  if (pause < PAUSE_TICKS || GOES_ON.has(keys[to] ?? '') || UNFINISHED.has(last)) return false;
  // Two numbers with a pause between them are dictated.
  if (unit?.isPlain === false && !next.isPlain) return false;
  return to - from >= 3 || isOpening(keys, from, to);
}

const AFTER_KNOW = setOf(
  'know see explain about understand tell is on and or but me asking ask wondering show sure reason if that how what i ' +
    'you we they would also not to so',
);
const INVERTED = setOf('is are was were did do does has have can could would will should');
const SUBJECTS = setOf('my the you i it this that there we they your he she');
const IS = setOf("is be that's that'll");
const SUBORDINATE = setOf(
  'how what where when who which why much many long often and or but not to if so else',
);
const KIND = setOf('nice good great wonderful lovely pleasant');
const DAY = setOf('day evening night weekend afternoon one morning time rest');

/** Words that begin a sentence of their own though nobody paused: greetings of agents, questions after a story. */
function startsAfresh(keys: readonly string[], from: number, at: number): boolean {
  const [before = '', w0 = '', w1 = '', w2 = '', w3 = ''] = keys.slice(at - 1, at + 4);
  const length = at - from;
  switch (w0) {
    case 'how':
      return (w1 === 'can' || w1 === 'may') && (w2 === 'i' || w2 === 'we') && !AFTER_KNOW.has(before);
    case 'have':
      if (w1 === 'you')
        return PARTICIPLES.has(w2) && length >= 3 && before !== 'that' && !SUBORDINATE.has(before);
      return w1 === 'a' && KIND.has(w2) && DAY.has(w3) && !AFTER_KNOW.has(before);
    case 'thank':
    case 'thanks':
      return (before === 'all' || before === 'it') && IS.has(keys[at - 2] ?? '');
    case 'my':
      return w1 === 'name' && length >= 4 && keys[from] === 'thank';
    case 'is':
      return w1 === 'there' && w2 === 'anything' && length >= 2 && !AFTER_KNOW.has(before);
    case 'why':
      return INVERTED.has(w1) && SUBJECTS.has(w2) && length >= 3 && !AFTER_KNOW.has(before);
    case 'can':
    case 'could':
    case 'may':
      if (asksForSomething(keys, from, at)) return true;
      return before === 'that' && keys[at - 2] === 'hear' && keys[at - 4] === 'sorry';
    case 'i':
    case 'let':
    case 'do':
    case 'please':
      return before === 'that' && keys[at - 2] === 'hear' && keys[at - 4] === 'sorry';
    case 'we':
      return (
        (w1 === 'will' || w1 === 'can') &&
        before === 'that' &&
        keys[at - 2] === 'hear' &&
        keys[at - 4] === 'sorry'
      );
    default:
      return false;
  }
}

const WH = setOf('what when where which who why how');

/** "I can help you with that. Can I get your name": what an agent asks next. */
function asksForSomething(keys: readonly string[], from: number, at: number): boolean {
  const asks = keys[at + 1] === 'i' && (keys[at + 2] === 'get' || keys[at + 2] === 'have');
  return asks && at - from >= 3 && !WH.has(keys[from] ?? '') && !SUBORDINATE.has(keys[at - 1] ?? '');
}

/** Commas after what opens a sentence: "Yes, that is correct", "Okay, great, thanks, bye". */
function commas(
  keys: readonly string[],
  units: readonly SpokenUnit[],
  first: number,
  last: number,
  marks: Mark[],
): void {
  const end = units[last]?.to ?? 0;
  let unit = first;
  for (;;) {
    const at = units[unit]?.from ?? end;
    const opening: Opening | null = at < end ? afterOpening(keys, at, end) : null;
    if (opening === null) return;
    // Each word of an opening is a unit of its own.
    unit += opening.to - at;
    if (!opening.comma || unit > last || units[unit]?.from !== opening.to) return;
    marks.push({ unit: unit - 1, sign: ',' });
  }
}
