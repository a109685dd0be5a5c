import { cpus } from 'node:os';
import { EarshotError } from '@earshot/contracts';
import { shareBuffers } from '../engine/shared-step.ts';
import { describeModel, loadModel } from '../models/folder.ts';
import type { ModelDescription, Recogniser, StepBuffers } from '../models/model.ts';

/** How many channels of unbroken speech a core carries, by how many go through the model at once. */
export interface Measured {
  /** Channels per core by batch size: seconds of audio for a second of CPU time. */
  readonly byBatchSize: Readonly<Record<string, number>>;
  /** The best of them. */
  readonly channelsPerCore: number;
  readonly cpu: string;
  /** ISO time. */
  readonly at: string;
}

export interface ModelReport {
  readonly name: string;
  readonly format: string;
  readonly chunkMs: number;
  readonly vocabulary: number;
  readonly stateBytesPerChannel: number;
  /** Null when it was not measured. */
  readonly measured: Measured | null;
}

const BATCH_SIZES: readonly number[] = [1, 4, 8, 16, 32, 64];
const ROUNDS = 3;
/** Of CPU time for a batch size in a round: long enough for the clock, short enough for a person. */
const ROUND_SECONDS = 0.15;
/** A model so large that a step takes this long is measured by one round, and not in larger batches. */
const LONG_STEP_SECONDS = 3;

/**
 * Reads a model's folder, loads it and takes a step of silence and noise with it.
 * @param measure whether channels per core are measured too, some seconds of CPU time
 * @throws EarshotError MODEL_MISSING, MODEL_INVALID
 */
export async function checkModel(
  folder: string,
  measure: boolean,
  onBatch: (size: number) => void = () => undefined,
): Promise<ModelReport> {
  const model = describeModel(folder);
  const sizes = measure ? BATCH_SIZES : [1, 4];
  const largest = sizes.at(-1) ?? 1;
  const recogniser = await loadModel(model, largest, sizes);
  const buffers = shareBuffers(model, largest);
  await oneStep(model, recogniser, buffers);
  const { name, format, stateBytesPerChannel } = model;
  return {
    name,
    format,
    chunkMs: model.timing.chunkSamples / 8,
    vocabulary: model.pieces.length,
    stateBytesPerChannel,
    measured: measure ? await measureModel(model, recogniser, buffers, onBatch) : null,
  };
}

async function oneStep(model: ModelDescription, recogniser: Recogniser, buffers: StepBuffers): Promise<void> {
  const rows = Math.min(2, buffers.capacity);
  fillWithNoise(buffers.pcm.subarray(0, rows * model.timing.chunkSamples));
  buffers.channels.forEach((_, row) => (buffers.channels[row] = row));
  buffers.fresh.fill(1, 0, rows);
  await recogniser.step(buffers, rows, 4);
  buffers.fresh.fill(0);
  await recogniser.step(buffers, rows, 4);
  const frames = rows * model.framesPerChunk;
  const sane = buffers.best.subarray(0, frames).every((value) => Number.isFinite(value) && value <= 1e-3);
  const known = buffers.ids.subarray(0, frames).every((id) => id < model.pieces.length);
  if (!sane || !known) {
    throw new EarshotError(
      'MODEL_INVALID',
      known
        ? 'its output is not log-probabilities: values above 0 or not numbers'
        : 'its output has more tokens than tokens.txt',
    );
  }
}

async function measureModel(
  model: ModelDescription,
  recogniser: Recogniser,
  buffers: StepBuffers,
  onBatch: (size: number) => void,
): Promise<Measured> {
  fillWithNoise(buffers.pcm);
  const chunkSeconds = model.timing.chunkSamples / 8000;
  const found: Record<string, number> = {};
  for (const size of BATCH_SIZES) {
    onBatch(size);
    const rates: number[] = [];
    let longest = 0;
    // The first round warms up.
    for (let round = 0; round <= ROUNDS && longest < LONG_STEP_SECONDS; round++) {
      const before = cpuSeconds();
      let steps = 0;
      while (steps === 0 || cpuSeconds() - before < ROUND_SECONDS) {
        await recogniser.step(buffers, size, size);
        steps++;
      }
      const seconds = cpuSeconds() - before;
      longest = Math.max(longest, seconds / steps);
      rates.push((steps * size * chunkSeconds) / seconds);
    }
    const settled = rates.length > 1 ? rates.slice(1) : rates;
    found[size] = Math.round((settled.toSorted((a, b) => a - b)[settled.length >> 1] ?? 0) * 10) / 10;
    if (longest >= LONG_STEP_SECONDS) break;
  }
  return {
    byBatchSize: found,
    channelsPerCore: Math.max(...Object.values(found)),
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    at: new Date().toISOString(),
  };
}

/** Of this process, all threads. */
export const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Something that is not silence: the model's work does not depend on what is said. */
export function fillWithNoise(pcm: Int16Array): void {
  let seed = 1;
  let low = 0;
  for (let i = 0; i < pcm.length; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0;
    low += (seed >> 16) * 0.1 - low * 0.1;
    pcm[i] = Math.round(low);
  }
}
