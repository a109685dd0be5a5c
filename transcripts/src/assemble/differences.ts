import type { DifferenceView, SegmentView, WordView } from '@earshot/contracts';

/** What changed between two transcripts of the same audio. */
export interface Differences {
  /** Words substituted, inserted or deleted. */
  readonly wordsChanged: number;
  /** wordsChanged over the words before; 0 where there were none and are none, 1 where there were none. */
  readonly wordErrorRate: number;
  readonly count: number;
  /** The first MAX_DIFFERENCES of them, in call order. */
  readonly listed: readonly DifferenceView[];
}

export const MAX_DIFFERENCES = 200;
/** Words whose middles are further apart are not the same word, whatever their text. */
const APART_MS = 1500;
/** Where neither transcript has a word for so long, alignment starts anew. */
const PAUSE_MS = 1000;
/** Words of one side that are aligned at once, at most: the work is their product. */
const MOST_WORDS = 400;

/** Word by word, by time-aligned edit distance, each channel alone. */
export function differencesOf(before: readonly SegmentView[], after: readonly SegmentView[]): Differences {
  const channels = new Set([...before, ...after].map((segment) => segment.channel));
  let wordsChanged = 0;
  let wordsBefore = 0;
  const all: DifferenceView[] = [];
  for (const channel of channels) {
    const old = wordsOf(before, channel);
    wordsBefore += old.length;
    for (const stretch of stretches(old, wordsOf(after, channel))) {
      wordsChanged += compare(stretch, channel, all);
    }
  }
  all.sort((a, b) => a.startMs - b.startMs || a.channel - b.channel);
  return {
    wordsChanged,
    wordErrorRate: Math.round((wordsChanged / Math.max(1, wordsBefore)) * 10_000) / 10_000,
    count: all.length,
    listed: all.slice(0, MAX_DIFFERENCES),
  };
}

interface Stretch {
  readonly before: readonly WordView[];
  readonly after: readonly WordView[];
}

const wordsOf = (segments: readonly SegmentView[], channel: number): WordView[] =>
  segments
    .filter((segment) => segment.channel === channel)
    .flatMap((segment) => segment.words)
    .sort((a, b) => a.startMs - b.startMs);

/** Cuts both where both pause, or where a stretch is as long as may be. */
function* stretches(before: readonly WordView[], after: readonly WordView[]): Generator<Stretch> {
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const [fromI, fromJ] = [i, j];
    let endMs = -Infinity;
    while (i - fromI < MOST_WORDS && j - fromJ < MOST_WORDS) {
      const takesBefore = (before[i]?.startMs ?? Infinity) <= (after[j]?.startMs ?? Infinity);
      const next = takesBefore ? before[i] : after[j];
      if (next === undefined || (endMs > -Infinity && next.startMs - endMs >= PAUSE_MS)) break;
      endMs = Math.max(endMs, next.endMs);
      if (takesBefore) i++;
      else j++;
    }
    yield { before: before.slice(fromI, i), after: after.slice(fromJ, j) };
  }
}

type Step = 'same' | 'changed' | 'deleted' | 'inserted';

/** Appends the differences of a stretch. @returns how many words changed */
function compare({ before, after }: Stretch, channel: number, out: DifferenceView[]): number {
  let changed = 0;
  let i = 0;
  let j = 0;
  let open: { before: WordView[]; after: WordView[] } | null = null;
  const close = (): void => {
    if (open !== null) out.push(viewOf(channel, open.before, open.after));
    open = null;
  };
  for (const step of align(before, after)) {
    if (step === 'same') {
      close();
      i++;
      j++;
      continue;
    }
    changed++;
    open ??= { before: [], after: [] };
    if (step !== 'inserted') open.before.push(before[i++]!);
    if (step !== 'deleted') open.after.push(after[j++]!);
  }
  close();
  return changed;
}

function viewOf(channel: number, before: readonly WordView[], after: readonly WordView[]): DifferenceView {
  const words = [...before, ...after];
  return {
    channel,
    startMs: Math.min(...words.map((word) => word.startMs)),
    endMs: Math.max(...words.map((word) => word.endMs)),
    before: before.map((word) => word.text).join(' '),
    after: after.map((word) => word.text).join(' '),
  };
}

/** The cheapest way from one to the other (Levenshtein), where only words at about the same time may stand for each other. */
function align(before: readonly WordView[], after: readonly WordView[]): Step[] {
  const columns = after.length + 1;
  const cost = new Uint16Array((before.length + 1) * columns);
  const at = (i: number, j: number): number => i * columns + j;
  for (let i = before.length; i >= 0; i--) {
    for (let j = after.length; j >= 0; j--) {
      if (i === before.length || j === after.length) {
        cost[at(i, j)] = before.length - i + after.length - j;
        continue;
      }
      const apart = Math.min(cost[at(i + 1, j)]!, cost[at(i, j + 1)]!) + 1;
      const pair = pairCost(before[i]!, after[j]!);
      cost[at(i, j)] = pair === null ? apart : Math.min(apart, cost[at(i + 1, j + 1)]! + pair);
    }
  }
  const steps: Step[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const pair = i < before.length && j < after.length ? pairCost(before[i]!, after[j]!) : null;
    const here = cost[at(i, j)]!;
    if (pair !== null && here === cost[at(i + 1, j + 1)]! + pair) {
      steps.push(pair === 0 ? 'same' : 'changed');
      i++;
      j++;
    } else if (i < before.length && here === cost[at(i + 1, j)]! + 1) {
      steps.push('deleted');
      i++;
    } else {
      steps.push('inserted');
      j++;
    }
  }
  return steps;
}

const middleOf = (word: WordView): number => (word.startMs + word.endMs) / 2;

const pairCost = (a: WordView, b: WordView): 0 | 1 | null =>
  Math.abs(middleOf(a) - middleOf(b)) > APART_MS ? null : a.text === b.text ? 0 : 1;
