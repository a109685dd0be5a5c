import { setOf } from './lexicon.ts';

export interface Opening {
  /** Index after its last word. */
  readonly to: number;
  /** What follows is another part of the sentence. */
  readonly comma: boolean;
}

/** Openings by their first word, longest first, and what may follow them after a comma. */
const CLAUSE = setOf(
  "i i'm i've i'd i'll we we're we've we'll you your you're it it's that that's this there there's they " +
    "he she my the our can could would will may is are do does did don't what what's how where when who which why let " +
    "let's please so but one not actually just if thank thanks okay ok yes yeah no great perfect sure bye goodbye got " +
    'sounds sorry well hello hi good alright right of go hold welcome',
);
const YES_NOT = setOf('or and to');
const NO_CLAUSE = setOf(
  "i i'm i've i'd it it's that that's this there there's we we're you they he she thank thanks sorry not my " +
    'please no yes just its actually the what',
);

type After = (key: string) => boolean;
const clause: After = (key) => CLAUSE.has(key);

const OPENINGS: ReadonlyMap<string, readonly { readonly words: readonly string[]; readonly after: After }[]> =
  group([
    ['yes yeah yep yup', (key) => !YES_NOT.has(key)],
    ['no nope', (key) => NO_CLAUSE.has(key)],
    ['okay ok alright sure great perfect', (key) => clause(key) && key !== 'one'],
    ['right', (key) => key === 'okay' || key === 'so' || key === 'i' || key === 'well' || key === 'thank'],
    ['well sorry', clause],
    ['hello hi hey', clause],
    ['bye goodbye', (key) => key === 'bye' || key === 'thanks' || key === 'thank' || key === 'have'],
    ['thanks', clause],
  ]);

function group(
  singles: readonly (readonly [string, After])[],
): Map<string, { words: string[]; after: After }[]> {
  const phrases: [string, After][] = [
    ['thank you very much', clause],
    ['thank you so much', clause],
    ['thanks very much', clause],
    ['thanks so much', clause],
    ['thank you', clause],
    ['no thank you', clause],
    ['no thanks', clause],
    ['yes please', clause],
    ['no problem', clause],
    ['of course', clause],
    ['all right', clause],
    ['hi there', clause],
    ['hello there', clause],
    ['good morning', clause],
    ['good afternoon', clause],
    ['good evening', clause],
    ...singles.flatMap(([words, after]) => words.split(' ').map((word): [string, After] => [word, after])),
  ];
  const byFirst = new Map<string, { words: string[]; after: After }[]>();
  for (const [phrase, after] of phrases) {
    const words = phrase.split(' ');
    const first = words[0] ?? '';
    byFirst.set(first, [...(byFirst.get(first) ?? []), { words, after }]);
  }
  return byFirst;
}

/** The opening that begins at `at`, if one does. */
export function afterOpening(keys: readonly string[], at: number, end: number): Opening | null {
  for (const { words, after } of OPENINGS.get(keys[at] ?? '') ?? []) {
    const to = at + words.length;
    if (to > end || !words.every((word, offset) => keys[at + offset] === word)) continue;
    return { to, comma: to < end && after(keys[to] ?? '') };
  }
  return null;
}

/** All of these words are openings: "yes", "okay thank you". */
export function isOpening(keys: readonly string[], from: number, to: number): boolean {
  let at = from;
  while (at < to) {
    const opening = afterOpening(keys, at, to);
    if (opening === null) return false;
    at = opening.to;
  }
  return at > from;
}
