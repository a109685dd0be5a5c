import { Counter, Gauge, Histogram, type Registry } from '@earshot/platform';
import type { Engine, StepReport } from '../engine/engine.ts';

/** The engine's metrics. @returns what is to be told of every step */
export function registerMetrics(
  registry: Registry,
  engine: () => Engine | null,
  chunkSeconds: number,
  sizes: readonly number[],
): (report: StepReport) => void {
  const registers = [registry];
  const batchSize = new Histogram({
    name: 'earshot_asr_batch_size',
    help: 'Channels in a step of the model.',
    buckets: [...sizes],
    registers,
  });
  const stepSeconds = new Histogram({
    name: 'earshot_asr_step_seconds',
    help: 'Time of a step of the model.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1],
    registers,
  });
  const stepChunkRatio = new Gauge({
    name: 'earshot_asr_step_chunk_ratio',
    help: 'Time of the last step over the time of the audio that a channel has in it; above 1 the engine falls behind.',
    registers,
  });
  const chunks = new Counter({
    name: 'earshot_asr_chunks_total',
    help: 'Chunks recognised, padded ones included.',
    registers,
  });
  const audioSeconds = new Counter({
    name: 'earshot_asr_audio_seconds_total',
    help: 'Audio recognised, without padding.',
    registers,
  });
  new Gauge({
    name: 'earshot_asr_headroom',
    help: 'Free share of the capacity of this engine, 0 to 1.',
    registers,
    collect() {
      this.set(engine()?.headroom ?? 0);
    },
  });
  new Gauge({
    name: 'earshot_asr_channels',
    help: 'Channels open on this engine.',
    registers,
    collect() {
      this.set(engine()?.channelCount ?? 0);
    },
  });
  return ({ rows, seconds, samples }) => {
    batchSize.observe(rows);
    stepSeconds.observe(seconds);
    stepChunkRatio.set(seconds / chunkSeconds);
    chunks.inc(rows);
    audioSeconds.inc(samples / 8000);
  };
}
