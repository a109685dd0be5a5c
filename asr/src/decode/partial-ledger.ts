import type { Word } from '@earshot/contracts';
import { middleOf } from './cut.ts';

/** Two words are the same if they read alike and begin within so many ticks (200 ms) of each other. */
const SAME_PLACE_TICKS = 1600;

/**
 * How stable partials are: of the words that were shown before they were final, how many read differently, or were not there
 * any more, the next time that their part of the channel was shown.
 */
export class PartialLedger {
  #shown = 0;
  #changed = 0;
  #last: readonly Word[] = [];

  /** Words in partials, each once. A word that changed counts again as what it is now. */
  get shown(): number {
    return this.#shown;
  }

  get changed(): number {
    return this.#changed;
  }

  /** A partial's words are shown. */
  partial(words: readonly Word[]): void {
    const kept = inBoth(this.#last, words);
    this.#changed += this.#last.length - kept;
    this.#shown += words.length - kept;
    this.#last = words;
  }

  /** The words up to toTick are final. */
  final(words: readonly Word[], toTick: number): void {
    const before = this.#last.filter((word) => middleOf(word) < toTick);
    this.#changed += before.length - inBoth(before, words);
    this.#last = this.#last.filter((word) => middleOf(word) >= toTick);
  }
}

/** How many words are in both lists, in order. */
function inBoth(before: readonly Word[], after: readonly Word[]): number {
  let count = 0;
  let from = 0;
  for (const word of before) {
    for (let at = from; at < after.length; at++) {
      if (!isSame(word, after[at]!)) continue;
      count++;
      from = at + 1;
      break;
    }
  }
  return count;
}

const isSame = (a: Word, b: Word): boolean =>
  a.text === b.text && Math.abs(a.startTick - b.startTick) <= SAME_PLACE_TICKS;
