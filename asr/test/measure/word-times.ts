import type { ModelDescription } from '../../src/models/model.ts';
import { type AlignedSpeech, VOICES, padded, speakAligned, throughG711 } from './aligned-speech.ts';
import { matched, quantile } from './match.ts';
import { sentences } from './sentences.ts';
import type { Bench, Transcript } from './transcribe.ts';

const SAMPLES_PER_MS = 8;
/** Speech does not begin on a frame's boundary. */
const LEADS_MS = [400, 413, 427, 441, 454];
const AFTER_MS = 600;

export interface TestSentence extends AlignedSpeech {
  /** Through G.711, with silence before and after. */
  readonly heard: Int16Array;
  /** How much silence before. */
  readonly leadMs: number;
}

/** Sentences in all voices, through both laws, with the times of their words. */
export function spokenTest(count: number, seed: number): TestSentence[] {
  return sentences(count, seed).flatMap((text, i): TestSentence[] => {
    const speech = speakAligned(VOICES[i % VOICES.length]!, text, [1, 1.1, 0.92][i % 3]);
    if (speech === null) return [];
    const leadMs = LEADS_MS[i % LEADS_MS.length]!;
    const coded = throughG711(padded(speech.pcm, leadMs, AFTER_MS), i % 2 === 0 ? 'mu' : 'a');
    return [{ ...speech, heard: coded, leadMs }];
  });
}

/** Milliseconds by which recognised words begin and end too late, of the words that were understood. */
export interface TimeErrors {
  readonly start: number[];
  readonly end: number[];
}

/** Recognises the sentences. @param model with other settings than the one that is loaded */
export const recognised = (
  bench: Bench,
  test: readonly TestSentence[],
  model: ModelDescription = bench.model,
): Promise<Transcript[]> =>
  bench.transcribe(
    test.map(({ heard }) => ({ pcm: heard })),
    model,
  );

export function errorsIn(test: readonly TestSentence[], transcripts: readonly Transcript[]): TimeErrors {
  const errors: TimeErrors = { start: [], end: [] };
  for (const [i, { words }] of transcripts.entries()) {
    const { words: spoken, leadMs } = test[i]!;
    const texts = words.map(({ text }) => text);
    const reference = spoken.map(({ text }) => text);
    for (const [at, found] of matched(reference, texts)) {
      const word = words[found]!;
      errors.start.push(word.startTick / SAMPLES_PER_MS - leadMs - spoken[at]!.startMs);
      errors.end.push(word.endTick / SAMPLES_PER_MS - leadMs - spoken[at]!.endMs);
    }
  }
  return errors;
}

export interface ErrorSummary {
  readonly words: number;
  readonly bias: number;
  readonly p50: number;
  readonly p90: number;
}

const summaryOf = (errors: readonly number[]): ErrorSummary => {
  const sizes = errors.map(Math.abs);
  return {
    words: errors.length,
    bias: Math.round(quantile(errors, 0.5)),
    p50: Math.round(quantile(sizes, 0.5)),
    p90: Math.round(quantile(sizes, 0.9)),
  };
};

export const summary = ({ start, end }: TimeErrors): { start: ErrorSummary; end: ErrorSummary } => ({
  start: summaryOf(start),
  end: summaryOf(end),
});

export interface TimeSettings {
  readonly wordLeadMs: number;
  readonly wordTailMs: number;
  readonly wordHoldMs?: number;
}

export function withTimes(model: ModelDescription, settings: TimeSettings): ModelDescription {
  const { wordLeadMs, wordTailMs, wordHoldMs } = settings;
  const timing = {
    ...model.timing,
    wordLeadSamples: wordLeadMs * SAMPLES_PER_MS,
    wordTailSamples: wordTailMs * SAMPLES_PER_MS,
    ...(wordHoldMs === undefined ? {} : { wordHoldSamples: wordHoldMs * SAMPLES_PER_MS }),
  };
  return { ...model, timing };
}

/** What is to be taken off all errors for the smallest 90th percentile. */
function bestShift(errors: readonly number[]): number {
  let best = 0;
  let least = Infinity;
  for (let shift = -400; shift <= 400; shift += 2) {
    const p90 = quantile(
      errors.map((error) => Math.abs(error - shift)),
      0.9,
    );
    if (p90 < least) {
      least = p90;
      best = shift;
    }
  }
  return best;
}

/** The settings with the smallest errors. As neighbouring words share their boundaries, it takes a few rounds. */
export async function findTimes(bench: Bench, test: readonly TestSentence[]): Promise<TimeSettings> {
  const { timing } = bench.model;
  let wordLeadMs = timing.wordLeadSamples / SAMPLES_PER_MS;
  let wordTailMs = (timing.wordTailSamples ?? 0) / SAMPLES_PER_MS;
  for (let round = 0; round < 3; round++) {
    const model = withTimes(bench.model, { wordLeadMs, wordTailMs });
    const errors = errorsIn(test, await recognised(bench, test, model));
    wordLeadMs = Math.max(0, Math.round(wordLeadMs + bestShift(errors.start)));
    wordTailMs = Math.round(wordTailMs - bestShift(errors.end));
  }
  return { wordLeadMs, wordTailMs };
}

export interface PartialSummary {
  readonly shown: number;
  readonly changed: number;
  readonly share: number;
  /** From a word's end to its being shown, ms of audio. */
  readonly latencyMs: { readonly mean: number; readonly p50: number; readonly p95: number };
}

/** How many of the words that partials showed changed later, and when the words were shown that stayed. */
export function partialsIn(
  test: readonly TestSentence[],
  transcripts: readonly Transcript[],
): PartialSummary {
  let shown = 0;
  let changed = 0;
  const latencies: number[] = [];
  for (const [i, { words, partials, partialWords, finalsAtMs }] of transcripts.entries()) {
    shown += partialWords.shown;
    changed += partialWords.changed;
    const { words: spoken, leadMs } = test[i]!;
    const reference = spoken.map(({ text }) => text);
    for (const [at, found] of matched(
      reference,
      words.map(({ text }) => text),
    )) {
      const { text, startTick } = words[found]!;
      const first = partials.find((partial) =>
        partial.words.some((word) => word.text === text && Math.abs(word.startTick - startTick) < 1600),
      );
      latencies.push((first?.atMs ?? finalsAtMs) - leadMs - spoken[at]!.endMs);
    }
  }
  const mean = latencies.reduce((sum, value) => sum + value, 0) / latencies.length;
  return {
    shown,
    changed,
    share: Math.round((10_000 * changed) / shown) / 10_000,
    latencyMs: {
      mean: Math.round(mean),
      p50: Math.round(quantile(latencies, 0.5)),
      p95: Math.round(quantile(latencies, 0.95)),
    },
  };
}
