import { basename, resolve } from 'node:path';
import { HOLD_TICKS, type ModelTiming } from '../decode/timing.ts';
import { tokenPieces } from '../decode/pieces.ts';
import { FRAME_TICKS, FrontEnd, leadSamples } from '../features/front-end.ts';
import { languageSettings } from './language.ts';
import type { EncoderLayout } from './chunk-encoder.ts';
import type { NetworkFiles } from './folder-files.ts';
import type { ModelDescription, Settings } from './model.ts';
import { invalid } from './onnx.ts';
import { choiceOr, confidenceMapping, integerOr, textOr } from './settings.ts';
import { stateBytes, stateValues } from './state-arena.ts';
import type { Vocabulary } from './vocabulary.ts';

const SAMPLES_PER_MS = 8;
/** Silence after a word until its last token is out, beside what the front end holds back: as with the shipped model. */
const EMISSION_MS = 420;

export interface ChunkedModel {
  readonly format: string;
  readonly folder: string;
  readonly files: NetworkFiles;
  readonly settings: Settings;
  readonly layout: EncoderLayout;
  readonly vocabulary: Vocabulary;
  readonly framesPerChunk: number;
  readonly blank: number;
  readonly repeats: 'ctc' | 'each';
  /** Bytes of a channel beside the encoder's states. */
  readonly extraBytes: number;
  /** How far (8 kHz samples) the frames lag the audio, unless model.json says. */
  readonly frameDelaySamples: number;
}

const LONGEST_CHUNK_SAMPLES = 16_000;

/**
 * What the families with features have in common: timing from the layout, settings from model.json.
 * @throws EarshotError MODEL_INVALID
 */
export function describeChunked(model: ChunkedModel): ModelDescription {
  const { folder, settings, layout, vocabulary, framesPerChunk } = model;
  const chunkSamples = layout.shiftFrames * FRAME_TICKS;
  // An engine gives three seconds of credit: of a longer chunk it would never have the whole.
  if (chunkSamples > LONGEST_CHUNK_SAMPLES) {
    const seconds = chunkSamples / 1000 / SAMPLES_PER_MS;
    throw invalid(model.format, `takes chunks of ${seconds} s; a live model's are 2 s at most`);
  }
  const leadMs = leadSamples(layout.windowFrames, layout.shiftFrames) / SAMPLES_PER_MS;
  const timing: ModelTiming = {
    chunkSamples,
    frameSamples: chunkSamples / framesPerChunk,
    flushSamples: integerOr(settings, 'flushMs', leadMs + EMISSION_MS, 0, 5000) * SAMPLES_PER_MS,
    wordLeadSamples: integerOr(settings, 'wordLeadMs', 120, 0, 1000) * SAMPLES_PER_MS,
    wordTailSamples: integerOr(settings, 'wordTailMs', 0, -1000, 1000) * SAMPLES_PER_MS,
    wordHoldSamples: integerOr(settings, 'wordHoldMs', HOLD_TICKS / SAMPLES_PER_MS, 0, 2000) * SAMPLES_PER_MS,
    frameDelaySamples:
      settings['frameDelayMs'] === undefined
        ? model.frameDelaySamples
        : integerOr(settings, 'frameDelayMs', 0, 0, 2000) * SAMPLES_PER_MS,
  };
  return {
    ...commonDescription(folder, settings, vocabulary, 'keep'),
    format: model.format,
    files: { ...model.files },
    timing,
    framesPerChunk,
    blank: model.blank,
    repeats: model.repeats,
    features: layout.features,
    stateValues: stateValues(layout.states),
    stateBytesPerChannel: stateBytes(layout.states) + FrontEnd.bytesPerChannel(layout) + model.extraBytes,
  };
}

/** What every family takes from model.json and tokens.txt. @param gap what is done with the state at a gap unless told */
export function commonDescription(
  folder: string,
  settings: Settings,
  vocabulary: Vocabulary,
  gap: 'clear' | 'keep',
): Pick<ModelDescription, 'name' | 'folder' | 'pieces' | 'clearAtGap' | 'confidence' | 'languageModel'> {
  return {
    name: textOr(settings, 'name', basename(resolve(folder))),
    folder,
    pieces: tokenPieces(vocabulary.symbols),
    clearAtGap: choiceOr(settings, 'stateAtGap', gap, ['clear', 'keep']) === 'clear',
    confidence: confidenceMapping(settings),
    languageModel: languageSettings(folder, settings),
  };
}
