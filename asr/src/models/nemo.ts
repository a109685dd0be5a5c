import { choiceOr } from './settings.ts';
import type { EncoderLayout, InputPlace } from './chunk-encoder.ts';
import type { Metadata } from './metadata.ts';
import type { Settings } from './model.ts';
import { invalid } from './onnx.ts';
import type { OnnxFile } from './onnx-file.ts';
import type { StateSpec } from './state-arena.ts';

/**
 * NeMo's cache-aware FastConformer as sherpa-onnx's scripts export it: features (bins first) and their length, two caches and
 * the filled length of one of them in; a result, its length, and the next caches out.
 *
 * The features are NeMo's. sherpa-onnx's streaming CTC recogniser shows such a model Kaldi's instead (it never sets them);
 * model.json's `features: "kaldi"` does the same here, for a comparison.
 * @param result shape of a row of it
 * @throws EarshotError MODEL_INVALID that names the metadata
 */
export function nemoLayout(
  file: string,
  { meta, inputs }: OnnxFile & { readonly meta: Metadata },
  settings: Settings,
  role: string,
  result: (frames: number) => readonly (number | null)[],
): EncoderLayout & { readonly frames: number } {
  const windowFrames = meta.integer('window_size', 1, 2048);
  const shiftFrames = meta.integer('chunk_shift', 1, windowFrames);
  const subsampling = meta.integer('subsampling_factor', 1, 64);
  if (shiftFrames % subsampling !== 0) {
    throw invalid(
      file,
      `metadata chunk_shift is ${shiftFrames}, not a multiple of subsampling_factor, ${subsampling}`,
    );
  }
  const normalize = meta.text('normalize_type') ?? '';
  if (!['', 'NA'].includes(normalize)) {
    throw invalid(
      file,
      `wants features normalised by "${normalize}" (metadata normalize_type), which no stream can have`,
    );
  }
  const bins = meta.integerOr('feat_dim', 80, 8, 256);
  const cache = (name: string): number[] =>
    [1, 2, 3].map((axis) => meta.integer(`${name}_dim${axis}`, 1, 65536));
  const states: StateSpec[] = [
    { role: 'cache_last_channel', type: 'float32', before: [], after: cache('cache_last_channel') },
    { role: 'cache_last_time', type: 'float32', before: [], after: cache('cache_last_time') },
    { role: 'cache_last_channel_len', type: 'int64', before: [], after: [] },
  ];
  const places: InputPlace[] = [
    { kind: 'features' },
    { kind: 'constant', role: 'length', type: 'int64', value: windowFrames },
    ...states.map(() => ({ kind: 'state' }) as const),
  ];
  // Multilingual exports take the language as one more number; without one they are told to find it out.
  if (inputs[5] !== undefined) {
    const value = meta.integerOr('auto_prompt_id', 101, 0, 100_000);
    places.push({ kind: 'constant', role: 'prompt_index', type: 'int64', value });
  }
  const frames = shiftFrames / subsampling;
  return {
    features: choiceOr(settings, 'features', 'nemo', ['nemo', 'kaldi']),
    bins,
    windowFrames,
    shiftFrames,
    binsFirst: true,
    states,
    inputs: places,
    outputs: [
      { kind: 'result', role },
      { kind: 'ignored' },
      ...states.map(() => ({ kind: 'state' }) as const),
    ],
    result: result(frames),
    frames,
  };
}

/** NeMo's count of tokens leaves the blank out, which is the last. */
export const nemoVocabulary = (meta: Metadata): number => meta.integer('vocab_size', 1, 65534) + 1;
