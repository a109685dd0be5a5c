import type { ModelTiming } from '../decode/timing.ts';

/** What the rest of the engine knows of a model, read from its folder without loading the network. */
export interface ModelDescription {
  readonly name: string;
  /** Which loader: `t-one`. */
  readonly format: string;
  readonly folder: string;
  readonly timing: ModelTiming;
  readonly framesPerChunk: number;
  readonly pieces: readonly string[];
  readonly blank: number;
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
  /** 1: this row wants all log-probabilities of the step (a channel with a vocabulary of its own). */
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

/** One family of models: how its folder is read and how its tensors are bound. */
export interface ModelFamily {
  readonly format: string;
  /** @throws EarshotError MODEL_MISSING, MODEL_INVALID */
  describe(folder: string, settings: Readonly<Record<string, unknown>>): ModelDescription;
  /** @throws EarshotError MODEL_INVALID that names the tensor or file */
  load(description: ModelDescription, maxChannels: number, sizes: readonly number[]): Promise<Recogniser>;
}
