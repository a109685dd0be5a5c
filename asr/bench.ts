/**
 * How many channels of unbroken speech a core carries: `node asr/bench.ts [model folder]` prints one JSON object.
 *
 * `raw`: the model's steps alone (states gathered and scattered, best tokens taken), by batch size. `engine`: the engine without
 * its sockets, as many channels as stand there, each with audio whenever it has room; the CPU time of both its threads.
 * Channels per core = seconds of audio per second of CPU time. No silence is left out, nothing is paced.
 */
import { type CallId, type ChannelId, channelIdOf, monoUs } from '@earshot/contracts';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Engine } from './src/engine/engine.ts';
import { shareBuffers } from './src/engine/shared-step.ts';
import type { WordsSink } from './src/engine/sink.ts';
import { StepThread } from './src/engine/step-thread.ts';
import { describeModel, loadModel } from './src/models/folder.ts';
import type { ModelDescription } from './src/models/model.ts';
import { BATCH_SIZES } from './src/server/service.ts';

const ROUNDS = 3;
/** Seconds of audio in a measurement of a round; some 0.3 s of CPU time. */
const AUDIO_SECONDS = 200;
const ENGINE_CHANNELS = [1, 16, 64, 256];
const ENGINE_AUDIO_SECONDS = 1000;

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

/** Something that is not silence: the model's work does not depend on what is said. */
function fillWithNoise(pcm: Int16Array): void {
  let seed = 1;
  let low = 0;
  for (let i = 0; i < pcm.length; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0;
    low += (seed >> 16) * 0.1 - low * 0.1;
    pcm[i] = Math.round(low);
  }
}

async function raw(model: ModelDescription): Promise<Record<string, number>> {
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

const nowhere: WordsSink = {
  congested: false,
  blocked: false,
  partial: () => undefined,
  final: () => undefined,
  progress: () => undefined,
  ended: () => undefined,
};

/** @returns channels per core with this many channels at once */
async function throughEngine(model: ModelDescription, thread: StepThread, channels: number): Promise<number> {
  const message = new Int16Array(model.timing.chunkSamples);
  fillWithNoise(message);
  const body = new Uint8Array(message.buffer);
  const ticks = new Map<ChannelId, number>();
  let audioSeconds = 0;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const engine = new Engine({
    model,
    thread,
    maxChannels: channels,
    sizes: BATCH_SIZES,
    sink: nowhere,
    nowMs: () => monoUs() / 1000,
    onStep: ({ samples }) => {
      audioSeconds += samples / 8000;
      if (audioSeconds >= ENGINE_AUDIO_SECONDS) finish();
    },
    onFailure: (error) => {
      throw error;
    },
  });
  const owner = {
    credit: (channel: ChannelId, attempt: number, uptoTick: number) => {
      let tick = ticks.get(channel) ?? 0;
      for (; tick + message.length <= uptoTick; tick += message.length) {
        engine.audio(channel, attempt, tick, 0, body);
      }
      ticks.set(channel, tick);
    },
    lost: (channel: ChannelId, _attempt: number, code: string) => {
      throw new Error(`${channel} lost: ${code}`);
    },
  };
  const before = cpuSeconds();
  for (let i = 0; i < channels; i++) {
    const channel = channelIdOf('bench' as CallId, i);
    engine.open({ channel, attempt: 1, fromTick: 0, outputFromTick: 0, live: true }, owner);
    // The first credit comes while the channel is being opened: ask again.
    ticks.delete(channel);
    owner.credit(channel, 1, model.timing.chunkSamples * 8);
  }
  await finished;
  engine.stop();
  return Math.round(audioSeconds / (cpuSeconds() - before));
}

const folder = process.argv[2] ?? fileURLToPath(new URL('./model', import.meta.url));
const model = describeModel(folder);
const startMs = performance.now();
const byBatchSize = await raw(model);
const thread = await StepThread.start(model, Math.max(...ENGINE_CHANNELS), BATCH_SIZES);
const byChannels: Record<string, number> = {};
for (const channels of ENGINE_CHANNELS) byChannels[channels] = await throughEngine(model, thread, channels);
await thread.close();
console.log(
  JSON.stringify({
    bench: 'asr',
    setup: {
      model: model.name,
      chunkMs: model.timing.chunkSamples / 8,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      node: process.version,
      input: 'noise, unbroken and unpaced',
      rounds: ROUNDS,
      seconds: Math.round((performance.now() - startMs) / 1000),
    },
    channelsPerCore: { rawByBatchSize: byBatchSize, engineByChannels: byChannels },
  }),
);
