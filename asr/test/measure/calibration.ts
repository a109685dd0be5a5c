import {
  type ConfidenceMapping,
  type WordEvidence,
  confidenceOf,
  confidenceTerms,
} from '../../src/decode/confidence.ts';
import { FrameMap } from '../../src/decode/frame-map.ts';
import { readerOf } from '../../src/decode/frame-reader.ts';
import { OpenWords } from '../../src/decode/open-words.ts';
import { languageModelOf } from '../../src/models/language.ts';
import type { ModelDescription } from '../../src/models/model.ts';
import { withNoise } from './aligned-speech.ts';
import { matched } from './match.ts';
import type { Bench, Transcript } from './transcribe.ts';
import type { TestSentence } from './word-times.ts';

/** A recognised word, what is known of it, and whether it was said. */
export interface JudgedWord {
  readonly text: string;
  readonly evidence: WordEvidence;
  readonly right: boolean;
}

/** dB; the first: no noise at all. */
export const SNRS_DB = [Infinity, 20, 12, 6];

/** Recognises the sentences at each signal-to-noise ratio. The noise is there before the codec in a call; here after it. */
export async function judgedWords(bench: Bench, test: readonly TestSentence[]): Promise<JudgedWord[]> {
  const judged: JudgedWord[] = [];
  for (const [round, snrDb] of SNRS_DB.entries()) {
    const inputs = test.map(({ heard }, i) => ({
      pcm: snrDb === Infinity ? heard : withNoise(heard, snrDb, 1 + i + 1000 * round),
    }));
    const transcripts = await bench.transcribe(inputs);
    for (const [i, transcript] of transcripts.entries()) {
      const words = evidenceIn(transcript, bench.model);
      const reference = test[i]!.words.map(({ text }) => text);
      const texts = words.map(({ text }) => text);
      const right = new Set(matched(reference, texts).map(([, found]) => found));
      judged.push(...words.map((word, at) => ({ ...word, right: right.has(at) })));
    }
  }
  return judged;
}

/** The words again, with what their confidence is made of: as one segment, which a sentence is. */
function evidenceIn(
  transcript: Transcript,
  model: ModelDescription,
): { text: string; evidence: WordEvidence }[] {
  const map = new FrameMap();
  const { timing, pieces, blank, repeats } = model;
  const words = new OpenWords({ fromTick: 0, outputFromTick: 0, timing, map, confidence: null });
  const language = languageModelOf(model);
  const reader = readerOf({ words, timing, pieces, blank, repeats, language, phrases: null });
  const result = {
    ids: Uint16Array.from(transcript.ids),
    best: Float32Array.from(transcript.best),
    all: reader.wantsAll ? Float32Array.from(transcript.all) : null,
  };
  map.feed(result.ids.length * timing.frameSamples, Infinity);
  for (let frame = 0; frame < result.ids.length; frame++) reader.frame(result, frame, frame, 0);
  reader.finish(0);
  return words.list.filter(({ text }) => text !== '').map((word) => ({ text: word.text, evidence: word }));
}

const RIDGE = 1e-3;
const ROUNDS = 30;

/**
 * Logistic regression by Newton's method. Weights of the log-probabilities are kept from being negative, so that a better heard
 * word is never less trusted: one that would be is left out.
 */
export function fit(words: readonly JudgedWord[]): ConfidenceMapping {
  const used = [true, true, true, true];
  for (;;) {
    const weights = regress(words, used);
    const wrong = [0, 1].find((term) => used[term] && weights[1 + term]! < 0);
    if (wrong === undefined) {
      const [bias, mean, min, letters, pace] = weights.map((weight) => Math.round(weight * 1e4) / 1e4);
      return { bias: bias!, mean: mean!, min: min!, letters: letters!, pace: pace! };
    }
    used[wrong] = false;
  }
}

function regress(words: readonly JudgedWord[], used: readonly boolean[]): number[] {
  const rows = words.map(({ text, evidence, right }) => ({
    x: [1, ...confidenceTerms(evidence, text.length).map((term, i) => (used[i] ? term : 0))],
    y: right ? 1 : 0,
  }));
  let weights = [0, 0, 0, 0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const gradient = weights.map((weight, i) => (i === 0 ? 0 : -RIDGE * rows.length * weight));
    const hessian = weights.map((_, i) => weights.map((__, j) => (i === j ? RIDGE * rows.length : 0)));
    for (const { x, y } of rows) {
      const p = 1 / (1 + Math.exp(-x.reduce((sum, value, i) => sum + value * weights[i]!, 0)));
      for (const [i, xi] of x.entries()) {
        gradient[i]! += (y - p) * xi;
        for (const [j, xj] of x.entries()) hessian[i]![j]! += p * (1 - p) * xi * xj;
      }
    }
    const step = solve(hessian, gradient);
    weights = weights.map((weight, i) => weight + step[i]!);
  }
  return weights;
}

/** Gauss's elimination with pivots. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const n = rows.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column; i < n; i++) {
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i;
    }
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let i = 0; i < n; i++) {
      if (i === column) continue;
      const factor = rows[i]![column]! / rows[column]![column]!;
      for (let j = column; j <= n; j++) rows[i]![j]! -= factor * rows[column]![j]!;
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!);
}

export interface CalibrationSummary {
  readonly words: number;
  /** Share of the words that are right. */
  readonly right: number;
  readonly meanConfidence: number;
  /** Expected calibration error, ten bins of equal width (Naeini et al. 2015). */
  readonly ece: number;
  /** Mean squared difference between confidence and being right. */
  readonly brier: number;
  /** How likely a right word has the higher confidence than a wrong one: ROC AUC. */
  readonly auc: number;
}

export function judge(words: readonly JudgedWord[], mapping: ConfidenceMapping | null): CalibrationSummary {
  const scored = words.map(({ text, evidence, right }) => ({
    confidence: confidenceOf(evidence, text.length, mapping),
    right: right ? 1 : 0,
  }));
  const bins = Array.from({ length: 10 }, () => ({ confidence: 0, right: 0 }));
  for (const { confidence, right } of scored) {
    const bin = bins[Math.min(9, Math.floor(confidence * 10))]!;
    bin.confidence += confidence;
    bin.right += right;
  }
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / words.length;
  const round = (value: number): number => Math.round(value * 1e4) / 1e4;
  return {
    words: words.length,
    right: round(mean(scored.map(({ right }) => right))),
    meanConfidence: round(mean(scored.map(({ confidence }) => confidence))),
    ece: round(mean(bins.map(({ confidence, right }) => Math.abs(confidence - right)))),
    brier: round(mean(scored.map(({ confidence, right }) => (confidence - right) ** 2))),
    auc: round(areaUnderCurve(scored)),
  };
}

function areaUnderCurve(scored: readonly { readonly confidence: number; readonly right: number }[]): number {
  const sorted = scored.toSorted((a, b) => a.confidence - b.confidence);
  let rank = 0;
  let rights = 0;
  for (const [i, { right }] of sorted.entries()) {
    if (right === 1) {
      rank += i + 1;
      rights++;
    }
  }
  const wrongs = scored.length - rights;
  return (rank - (rights * (rights + 1)) / 2) / (rights * wrongs);
}
