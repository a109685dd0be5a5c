import { Counter, Gauge, Histogram, type Registry } from '@earshot/platform';
import type { Engine, StepReport } from '../engine/engine.ts';
import { registerHostMetrics } from './host-metrics.ts';

/** The engine's metrics. @returns what is to be told of every step */
export function registerMetrics(
  registry: Registry,
  engine: () => Engine | null,
  chunkSeconds: number,
  sizes: readonly number[],
): (report: StepReport) => void {
  const recognised = registerHostMetrics(registry, engine);
  registerState(registry, engine);
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
  const chunkLatency = new Histogram({
    name: 'earshot_asr_chunk_latency_seconds',
    help: 'From a chunk being complete in a channel’s queue to its result, waiting for the batch included.',
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 2, 5, 10],
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
  return ({ rows, seconds, samples, latenciesMs }) => {
    batchSize.observe(rows);
    stepSeconds.observe(seconds);
    stepChunkRatio.set(seconds / chunkSeconds);
    chunks.inc(rows);
    recognised(samples);
    for (const ms of latenciesMs) chunkLatency.observe(ms / 1000);
  };
}

/** What is looked up when somebody asks. */
function registerState(registry: Registry, engine: () => Engine | null): void {
  const registers = [registry];
  new Gauge({
    name: 'earshot_asr_waiting_channels',
    help: 'Channels with a complete chunk that wait for a batch: live ones, and those that catch up.',
    labelNames: ['priority'],
    registers,
    collect() {
      const { live, catchUp } = engine()?.waiting ?? { live: 0, catchUp: 0 };
      this.set({ priority: 'live' }, live);
      this.set({ priority: 'catch_up' }, catchUp);
    },
  });
  new Gauge({
    name: 'earshot_asr_queued_audio_seconds',
    help: 'Audio that came and is not yet decided, of all channels together.',
    registers,
    collect() {
      this.set((engine()?.lagSeconds() ?? []).reduce((sum, seconds) => sum + seconds, 0));
    },
  });
  counted(
    'earshot_asr_partial_words_shown_total',
    'Words in partials, each once.',
    (of) => of.partialWords.shown,
  );
  counted(
    'earshot_asr_partial_words_changed_total',
    'Words in partials that were changed or taken back after they had been shown.',
    (of) => of.partialWords.changed,
  );
  counted(
    'earshot_asr_phrases_ignored_total',
    'Phrases of vocabulary lists, at the opening of channels, that the model cannot prefer.',
    (of) => of.ignoredPhrases,
  );

  /** The engine counts; a counter of prom-client can only be added to. */
  function counted(name: string, help: string, totalOf: (engine: Engine) => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        const running = engine();
        this.reset();
        this.inc(running === null ? 0 : totalOf(running));
      },
    });
  }
}
