import type { ConfidenceMapping } from '../decode/confidence.ts';
import type { LanguageModelWeights } from '../decode/language-model.ts';
import type { ModelTiming } from '../decode/timing.ts';
import type { FeatureKind } from '../features/fbank.ts';

/** The language model of a folder, as model.json names it. */
export interface LanguageSettings extends LanguageModelWeights {
  readonly file: string;
}

/** What the rest of the engine knows of a model, read from its folder without loading the network. */
export interface ModelDescription {
  readonly name: string;
  /** Which loader: `t-one`, `zipformer2-transducer`, … */
  readonly format: string;
  readonly folder: string;
  /** The networks' files, by role: `model`, or `encoder`, `decoder` and `joiner`. */
  readonly files: Readonly<Record<string, string>>;
  readonly timing: ModelTiming;
  readonly framesPerChunk: number;
  /** What each token adds to a word; a leading U+2581 begins a new one. */
  readonly pieces: readonly string[];
  readonly blank: number;
  /**
   * `ctc`: a token that is best in neighbouring frames counts once. `each`: it counts each time (transducers); then there
   * are no log-probabilities of all tokens to be had, and `full` is of no effect.
   */
  readonly repeats: 'ctc' | 'each';
  /** From log-probabilities to how likely a word is right; null: not calibrated. */
  readonly confidence: ConfidenceMapping | null;
  /** Which words are likely after which: a file of the folder, and how much it counts; null: none. See languageModelOf(). */
  readonly languageModel: LanguageSettings | null;
  /** The features that the network sees; null: it takes the samples themselves. */
  readonly features: FeatureKind | null;
  /** Values of one channel's state. */
  readonly stateValues: number;
  readonly stateBytesPerChannel: number;
  /** Whether a channel's state is cleared at a gap, when everything before it has come out. */
  readonly clearAtGap: boolean;
}

/**
 * One batch in and out. The caller owns the arrays and may share them between threads.
 * `capacity` rows are allocated; a step uses the first `rows` of them.
 */
export interface StepBuffers {
  readonly capacity: number;
  /** [capacity, chunkSamples], 16-bit PCM. */
  readonly pcm: Int16Array;
  /** Which channel's state each row goes on with: 0..maxChannels-1, none twice. */
  readonly channels: Int32Array;
  /** 1: the channel begins here, its state is cleared first. */
  readonly fresh: Uint8Array;
  /** [capacity, framesPerChunk] best token of each frame. */
  readonly ids: Uint16Array;
  /** [capacity, framesPerChunk] their log-probabilities (natural). */
  readonly best: Float32Array;
  /** 1: this row wants all log-probabilities of the step (a channel with a vocabulary of its own). CTC only. */
  readonly full: Uint8Array;
  /** [capacity, framesPerChunk, vocabulary] natural log-probabilities of the rows that asked; others hold anything. */
  readonly logprobs: Float32Array;
}

/** A loaded network with the states of all channels in it. One step at a time. */
export interface Recogniser {
  /**
   * Takes each of the rows one chunk on.
   * @param rows how many rows of the buffers are in use, 1..size @param size the batch that is run, one of the sizes
   * that the recogniser was made for; rows beyond `rows` are computed on silence and thrown away
   */
  step(buffers: StepBuffers, rows: number, size: number): Promise<void>;
}

/** What model.json says, or nothing. */
export type Settings = Readonly<Record<string, unknown>>;

export interface PublishedFolder {
  /** Encoder, decoder and joiner, rather than one network. */
  readonly transducer: boolean;
  /** Of the encoder, or of the one network. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** One family of models: how its folder is read and how its tensors are bound. */
export interface ModelFamily {
  readonly format: string;
  /** Whether a folder without a format in model.json is of this family, by its files and its network's metadata. */
  recognises(published: PublishedFolder): boolean;
  /** @throws EarshotError MODEL_MISSING, MODEL_INVALID */
  describe(folder: string, settings: Settings): ModelDescription;
  /** @throws EarshotError MODEL_INVALID that names the tensor or file */
  load(description: ModelDescription, maxChannels: number, sizes: readonly number[]): Promise<Recogniser>;
}
