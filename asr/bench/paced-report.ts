import { Latencies } from './latencies.ts';
import type { PacedChannel } from './pacing.ts';
import type { Order, PacedReport } from './protocol.ts';
import { type ShownWords, wordLatencies } from './shown-words.ts';

/** What a word may need to come out: what was said in the last second is left out. */
const LAST_WORDS_MS = 1000;

/** What was counted while channels were spoken in real time. */
export interface PacedRun {
  /** Fell so far behind that it was broken off. */
  readonly lost: boolean;
  readonly latencies: Latencies;
  /** `words` of those that are watched. */
  readonly channels: readonly { readonly words: ShownWords | null; readonly paced: PacedChannel }[];
  /** The measured time, on the clock of the channels. */
  readonly fromMs: number;
  readonly toMs: number;
  /** CPU seconds of the process in it. */
  readonly cpu: number;
  readonly wallSeconds: number;
  readonly steps: number;
  /** Rows of all steps. */
  readonly stepped: number;
}

/** The part of a report that is made alike for both programs, so that they are compared by the same measure. */
export function pacedReportOf(
  order: Extract<Order, { order: 'paced' }>,
  run: PacedRun,
): Omit<PacedReport, 'modelThreadCores' | 'audioShare'> {
  const words = new Latencies();
  for (const { words: shown, paced } of run.channels) {
    if (shown === null) continue;
    const played = { tape: paced.loop.tape, offset: paced.offset, startMs: paced.startMs };
    for (const ms of wordLatencies(shown.all, played, run.fromMs, run.toMs - LAST_WORDS_MS)) words.add(ms);
  }
  return {
    channels: order.channels,
    seconds: order.seconds,
    brokenOff: run.lost,
    latencyMs: run.latencies.summary(),
    wordMs: words.summary(),
    cores: run.lost ? NaN : run.cpu / run.wallSeconds,
    rowsPerStep: run.stepped / Math.max(1, run.steps),
  };
}
