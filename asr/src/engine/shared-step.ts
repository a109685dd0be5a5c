import type { ModelDescription, StepBuffers } from '../models/model.ts';
import type { GateState } from './native-gate.ts';

/** What a worker thread is started with. */
export interface StepThreadData {
  readonly description: ModelDescription;
  readonly maxChannels: number;
  readonly sizes: readonly number[];
  readonly buffers: StepBuffers;
  readonly spare: StepBuffers;
  readonly gate: GateState;
}

export interface StepRequest {
  /** In the spare buffers. */
  readonly spare: boolean;
  readonly rows: number;
  readonly size: number;
}

/** What an engine has its batches run by: the worker thread. */
export interface Stepper {
  readonly buffers: StepBuffers;
  /** Others, for the step that is asked for while one runs; null where only one is taken at a time. */
  readonly spare: StepBuffers | null;
  /** Seconds of a full step of each batch size, measured at start. */
  readonly secondsBySize: ReadonlyMap<number, number>;
  /**
   * Runs the first `rows` rows of the buffers as a batch of `size`, one batch after another.
   * @param buffers those, or the spare ones; left out: those
   * @returns the step's seconds @throws when the model fails; it is of no use then
   */
  step(rows: number, size: number, buffers?: StepBuffers): Promise<number>;
}

/** From the worker thread. Seconds are of the wall clock. */
export type StepReply =
  | { readonly type: 'ready'; readonly secondsBySize: ReadonlyMap<number, number> }
  | { readonly type: 'stepped'; readonly seconds: number }
  | { readonly type: 'failed'; readonly code: 'MODEL_INVALID' | 'INTERNAL'; readonly message: string };

/** Buffers that both threads see. */
export function shareBuffers(description: ModelDescription, capacity: number): StepBuffers {
  const frames = capacity * description.framesPerChunk;
  const bytes = (n: number): SharedArrayBuffer => new SharedArrayBuffer(n);
  return {
    capacity,
    pcm: new Int16Array(bytes(capacity * description.timing.chunkSamples * 2)),
    channels: new Int32Array(bytes(capacity * 4)),
    fresh: new Uint8Array(bytes(capacity)),
    ids: new Uint16Array(bytes(frames * 2)),
    best: new Float32Array(bytes(frames * 4)),
    full: new Uint8Array(bytes(capacity)),
    logprobs: new Float32Array(bytes(frames * description.pieces.length * 4)),
  };
}
