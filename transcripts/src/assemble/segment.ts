import {
  type ChannelId,
  type SegmentId,
  type SegmentView,
  type Word,
  type WordView,
  msOfTick,
  partsOfChannel,
  segmentIdOf,
} from '@earshot/contracts';

/** The first letter in upper case; digits and capitals that stand elsewhere are the written form's to make. */
export const sentenceCase = (spoken: string): string => {
  const [first = ''] = spoken;
  return first.toLocaleUpperCase('en') + spoken.slice(first.length);
};

export const spokenOf = (words: readonly Word[]): string => words.map((word) => word.text).join(' ');

export const wordViewOf = (word: Word): WordView => ({
  text: word.text,
  startMs: msOfTick(word.startTick),
  endMs: msOfTick(word.endTick),
  confidence: Math.round(Math.min(1, Math.max(0, word.confidence)) * 1000) / 1000,
});

/**
 * A segment as REST, the live page and webhooks show it.
 *
 * @param fromTick the channel's settled tick when the segment opened; with the channel it makes the id, so that a
 *   replay on any engine makes the same one (ARCHITECTURE.md, rule 3)
 * @param words in order, at least one
 */
export function segmentViewOf(
  channel: ChannelId,
  role: string,
  fromTick: number,
  words: readonly Word[],
): SegmentView {
  const spoken = spokenOf(words);
  const id: SegmentId = segmentIdOf(channel, fromTick);
  return {
    id,
    channel: partsOfChannel(channel).index,
    role,
    startMs: msOfTick(words[0]?.startTick ?? fromTick),
    endMs: msOfTick(words.at(-1)?.endTick ?? fromTick),
    text: sentenceCase(spoken),
    spoken,
    words: words.map(wordViewOf),
  };
}
