import { matched } from '../test/measure/match.ts';
import type { Tape } from './protocol.ts';

interface ShownWord {
  readonly text: string;
  readonly atMs: number;
}

/** The words of one channel, and when each was told for the first time as it stayed. */
export class ShownWords {
  readonly #settled: ShownWord[] = [];
  #open: ShownWord[] = [];

  /** The open words, all of them, as they are told now. */
  show(texts: readonly string[], nowMs: number): void {
    const before = this.#open;
    this.#open = texts.map((text, i) => (before[i]?.text === text ? before[i] : { text, atMs: nowMs }));
  }

  /** The open words stay. */
  settle(): void {
    this.#settled.push(...this.#open);
    this.#open = [];
  }

  get all(): readonly ShownWord[] {
    return [...this.#settled, ...this.#open];
  }
}

export interface Played {
  readonly tape: Tape;
  /** Tick of the tape at which the channel begins. */
  readonly offset: number;
  /** When the channel's tick 0 was spoken. */
  readonly startMs: number;
}

/**
 * How long after the end of its sound each word was told that was said within [fromMs, toMs) and understood: told and said words
 * are aligned by Levenshtein's distance.
 */
export function wordLatencies(
  shown: readonly ShownWord[],
  { tape, offset, startMs }: Played,
  fromMs: number,
  toMs: number,
): number[] {
  const said: { text: string; endMs: number }[] = [];
  const loop = tape.pcm.length;
  if (tape.words.length === 0) return [];
  for (let base = -offset; base / 8 + startMs < toMs; base += loop) {
    for (const { text, endTick } of tape.words) {
      const endMs = startMs + (base + endTick) / 8;
      if (endMs > startMs && endMs < toMs) said.push({ text, endMs });
    }
  }
  const pairs = matched(
    said.map(({ text }) => text),
    shown.map(({ text }) => text),
  );
  return pairs.flatMap(([at, found]) => {
    const { endMs } = said[at]!;
    return endMs >= fromMs ? [shown[found]!.atMs - endMs] : [];
  });
}
