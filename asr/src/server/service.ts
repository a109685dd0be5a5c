import { type EngineRow, monoUs } from '@earshot/contracts';
import type { Log, Registry } from '@earshot/platform';
import { Engine } from '../engine/engine.ts';
import { capacityOf, sizesInTime } from '../engine/batching.ts';
import { StepThread } from '../engine/step-thread.ts';
import { describeModel } from '../models/folder.ts';
import { registerMetrics } from './metrics.ts';
import { serveHost } from './serve-host.ts';

/**
 * Measured with the shipped model (int8; asr/bench.ts, medians of three runs), channels per core: 606 in batches of 1, 874 of 4, 934
 * of 8, 1061 of 16, 1015 of 32, 1027 of 64. With the first one (fp32) two at once gained nothing over one after the other, and above 64
 * the pilot saw no gain.
 */
export const BATCH_SIZES: readonly number[] = [1, 4, 8, 16, 32, 64];
/** Memory for the states of channels: taken only as channels open. */
const STATE_BYTES = 128 * 1024 * 1024;
const MOST_CHANNELS = 2048;

export interface AsrOptions {
  /** Folder of the model. */
  readonly modelFolder: string;
  /** Folder of the Unix sockets. */
  readonly runDir: string;
  readonly instance: number;
  readonly log: Log;
  readonly registry: Registry;
  /** For tests: fewer channels than memory allows. */
  readonly maxChannels?: number;
  /** The engine is of no more use and the process is to end. */
  readonly onFailure: (error: Error) => void;
}

export interface AsrService {
  readonly info: Readonly<Record<string, string | number>>;
  engineRow(): EngineRow;
  /** Gives all channels back, by and by, and closes the sockets. */
  drain(): Promise<void>;
}

/**
 * Starts an engine: model, audio socket, words link.
 * @throws EarshotError MODEL_MISSING, MODEL_INVALID
 */
export async function startAsr(options: AsrOptions): Promise<AsrService> {
  const { log, instance, runDir } = options;
  const model = describeModel(options.modelFolder);
  const maxChannels =
    options.maxChannels ??
    Math.max(16, Math.min(MOST_CHANNELS, Math.floor(STATE_BYTES / model.stateBytesPerChannel)));
  const thread = await StepThread.start(model, maxChannels, BATCH_SIZES);
  const chunkSeconds = model.timing.chunkSamples / 8000;
  const sizes = sizesInTime(BATCH_SIZES, thread.secondsBySize, chunkSeconds);
  let running: Engine | null = null;
  const onStep = registerMetrics(options.registry, () => running, chunkSeconds, sizes);
  const capacity = capacityOf(sizes, thread.secondsBySize, chunkSeconds);
  const served = await serveHost({
    runDir,
    instance,
    model: model.name,
    chunkMs: chunkSeconds * 1000,
    clearsAtGap: model.clearAtGap,
    capacity,
    log,
    makeHost: (sink) =>
      (running = new Engine({
        model,
        thread,
        maxChannels,
        sizes,
        sink,
        nowMs: () => monoUs() / 1000,
        onStep,
        onFailure: options.onFailure,
      })),
  });
  return {
    info: { model: model.name, maxChannels, channelsPerCore: capacity },
    engineRow: () => ({
      engine: instance,
      headroom: served.draining ? 0 : (running?.headroom ?? 0),
      channels: running?.channelCount ?? 0,
      capacity,
    }),
    drain: async () => {
      await served.drain();
      await thread.close();
    },
  };
}
