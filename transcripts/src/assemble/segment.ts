import {
  type ChannelId,
  type Endpoint,
  type SegmentId,
  type SegmentView,
  type Word,
  type WordView,
  msOfTick,
  partsOfChannel,
  segmentIdOf,
} from '@earshot/contracts';
import { type WrittenFormRules, englishRules } from '../written-form/index.ts';

export const spokenOf = (words: readonly Word[]): string => words.map((word) => word.text).join(' ');

export function wordViewOf(word: Word, rules: WrittenFormRules = englishRules): WordView {
  const view: WordView = {
    text: word.text,
    startMs: msOfTick(word.startTick),
    endMs: msOfTick(word.endTick),
    confidence: Math.round(Math.min(1, Math.max(0, word.confidence)) * 1000) / 1000,
  };
  const tags = rules.tagsOf(word.text);
  return tags.length === 0 ? view : { ...view, tags: [...tags] };
}

/** Endings that have nothing to do with how people speak. */
const CUTS: ReadonlySet<Endpoint> = new Set(['length', 'request', 'delay']);

export interface SegmentViewOptions {
  /** The words may still change and more may come: the written form has no sign after the last one. */
  readonly partial?: boolean;
  /** Why the segment ended: where that was while somebody spoke, no sentence is closed. */
  readonly endpoint?: Endpoint | undefined;
  /** How the model's language is written; English unless said otherwise. */
  readonly rules?: WrittenFormRules;
}

/**
 * A segment as REST, the live page and webhooks show it.
 *
 * @param fromTick the channel's settled tick when the segment opened; with the channel it makes the id, so that a
 *   replay on any engine makes the same one (ARCHITECTURE.md, rule 3)
 * @param words in order; none in a partial that takes back what was shown
 */
export function segmentViewOf(
  channel: ChannelId,
  role: string,
  fromTick: number,
  words: readonly Word[],
  { partial = false, endpoint, rules = englishRules }: SegmentViewOptions = {},
): SegmentView {
  const spoken = spokenOf(words);
  const id: SegmentId = segmentIdOf(channel, fromTick);
  return {
    id,
    channel: partsOfChannel(channel).index,
    role,
    startMs: msOfTick(words[0]?.startTick ?? fromTick),
    endMs: msOfTick(words.at(-1)?.endTick ?? fromTick),
    text: rules.write(words, { partial, cut: endpoint !== undefined && CUTS.has(endpoint) }).text,
    spoken,
    words: words.map((word) => wordViewOf(word, rules)),
  };
}
