import type { SpokenWord } from '../src/written-form/index.ts';

const WORD_TICKS = 2400;
/** Between words that are said in one breath. */
const GAP_TICKS = 400;
const PAUSE_TICKS = 5600;

/** Words said at an even pace; a bar is a pause of 0.7 s. */
export function spoken(text: string): SpokenWord[] {
  const words: SpokenWord[] = [];
  let tick = 0;
  for (const word of text.split(' ')) {
    if (word === '|') {
      tick += PAUSE_TICKS - GAP_TICKS;
    } else if (word !== '') {
      words.push({ text: word, startTick: tick, endTick: tick + WORD_TICKS });
      tick += WORD_TICKS + GAP_TICKS;
    }
  }
  return words;
}
