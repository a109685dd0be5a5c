import { words as normalised, wordErrors } from '../../../sip-tests/src/wer.ts';
import type { SpokenWord } from '../speech/alignment.ts';
import { percentiles, quantile, round } from '../statistics.ts';
import { Tally } from '../wer/tally.ts';
import type { ToldWord } from './live-words.ts';

/** A packet of 20 ms leaves when its first sample is due: the last sound of a word leaves with the packet it lies in. */
const PACKET_MS = 20;

export interface ChannelSpoken {
  readonly voice: string;
  /** Words with times from the channel's first packet. */
  readonly turns: readonly { readonly words: readonly SpokenWord[] }[];
  readonly told: readonly ToldWord[];
  /** Epoch milliseconds. */
  readonly firstPacketMs: number;
  readonly callZeroMs: number;
}

/** All in milliseconds, of the words that were understood. */
export interface ChannelWords {
  readonly voice: string;
  readonly tally: Tally;
  /** From the last sound's leaving to the word's first appearance; of the turns' first words, and of all. */
  readonly firstWordShown: readonly number[];
  readonly shown: readonly number[];
  readonly final: readonly number[];
  /** By how much words are said to begin and end too late. */
  readonly startErrors: readonly number[];
  readonly endErrors: readonly number[];
}

/** Holds what was told of a channel against what was said in it: words are paired by Levenshtein's alignment. */
export function judgeChannel(spoken: ChannelSpoken): ChannelWords {
  const { voice, turns, told, firstPacketMs, callZeroMs } = spoken;
  const said = turns.flatMap(({ words }) => words.map((word, i) => ({ ...word, first: i === 0 })));
  const errors = wordErrors(said.map(textOf), told.map(textOf));
  const tally = new Tally();
  tally.add(errors);
  const result = {
    voice,
    tally,
    firstWordShown: [] as number[],
    shown: [] as number[],
    final: [] as number[],
    startErrors: [] as number[],
    endErrors: [] as number[],
  };
  let [at, found] = [0, 0];
  for (const { kind } of errors.alignment) {
    if (kind === 'correct') {
      const word = said[at]!;
      const got = told[found]!;
      const leftMs = firstPacketMs + Math.floor(word.endMs / PACKET_MS) * PACKET_MS;
      result.shown.push(got.shownAtMs - leftMs);
      if (word.first) result.firstWordShown.push(got.shownAtMs - leftMs);
      result.final.push(got.finalAtMs - leftMs);
      result.startErrors.push(callZeroMs + got.startMs - firstPacketMs - word.startMs);
      result.endErrors.push(callZeroMs + got.endMs - firstPacketMs - word.endMs);
    }
    if (kind !== 'insertion') at++;
    if (kind !== 'deletion') found++;
  }
  return result;
}

const textOf = ({ text }: { readonly text: string }): string => normalised(text).join('');

const timeErrors = (errors: readonly number[]) => {
  const sizes = errors.map(Math.abs);
  return {
    words: errors.length,
    bias: round(quantile(errors, 0.5)),
    p50: round(quantile(sizes, 0.5)),
    p90: round(quantile(sizes, 0.9)),
  };
};

/** Of all channels together; word error rates by voice too. */
export function summarise(channels: readonly ChannelWords[]): object {
  const total = new Tally();
  const byVoice = new Map<string, Tally>();
  for (const { voice, tally } of channels) {
    total.join(tally);
    const mine = byVoice.get(voice) ?? new Tally();
    mine.join(tally);
    byVoice.set(voice, mine);
  }
  return {
    wordLatencyMs: {
      note: "from the sending of the packet with a word's last sound to the word at a WebSocket client",
      firstWordOfTurnShown: percentiles(channels.flatMap(({ firstWordShown }) => firstWordShown)),
      shown: percentiles(channels.flatMap(({ shown }) => shown)),
      final: percentiles(channels.flatMap(({ final }) => final)),
    },
    wordTimeErrorsMs: {
      note: 'against the times of the phones that the synthesiser spoke; p50 and p90 of the absolute error',
      start: timeErrors(channels.flatMap(({ startErrors }) => startErrors)),
      end: timeErrors(channels.flatMap(({ endErrors }) => endErrors)),
    },
    wer: {
      ...total.figure,
      byVoice: Object.fromEntries([...byVoice].map(([voice, tally]) => [voice, tally.figure])),
    },
  };
}
