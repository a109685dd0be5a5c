/**
 * The model's steps alone (states gathered and scattered, best tokens taken), by batch size. Channels per core = seconds of audio
 * by second of CPU time, on noise: the work does not depend on what is said.
 */
import { cpuSeconds, fillWithNoise } from '../src/catalogue/check.ts';
import { shareBuffers } from '../src/engine/shared-step.ts';
import { describeModel, loadModel } from '../src/models/folder.ts';
import type { ModelDescription } from '../src/models/model.ts';
import { BATCH_SIZES } from '../src/server/service.ts';

const ROUNDS = 3;
/** Seconds of audio in a measurement of a round; some 0.3 s of CPU time. */
const AUDIO_SECONDS = 200;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

async function stepsOf(model: ModelDescription): Promise<Record<string, number>> {
  const largest = BATCH_SIZES.at(-1) ?? 1;
  const recogniser = await loadModel(model, largest, BATCH_SIZES);
  const buffers = shareBuffers(model, largest);
  fillWithNoise(buffers.pcm);
  buffers.channels.forEach((_, row) => (buffers.channels[row] = row));
  const seconds = new Map<number, number[]>(BATCH_SIZES.map((size) => [size, []]));
  const chunkSeconds = model.timing.chunkSamples / 8000;
  // Round by round, so that a disturbance does not hit one size alone. The first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const size of BATCH_SIZES) {
      const steps = Math.max(1, Math.round(AUDIO_SECONDS / (size * chunkSeconds)));
      const before = cpuSeconds();
      for (let i = 0; i < steps; i++) await recogniser.step(buffers, size, size);
      const perAudioSecond = (cpuSeconds() - before) / (steps * size * chunkSeconds);
      if (round > 0) seconds.get(size)!.push(perAudioSecond);
    }
  }
  return Object.fromEntries([...seconds].map(([size, list]) => [size, Math.round(1 / median(list))]));
}

/** @param folder of the model @returns what it prints */
export async function measureSteps(folder: string): Promise<object> {
  const model = describeModel(folder);
  const channelsPerCore = await stepsOf(model);
  return { model: model.name, chunkMs: model.timing.chunkSamples / 8, rounds: ROUNDS, channelsPerCore };
}
