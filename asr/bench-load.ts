/**
 * What an engine process costs with channels in real time: `node asr/bench-load.ts [--channels 100,300,500] [--seconds 15]`
 * prints one JSON object.
 *
 * The channels speak without a break (whole sentences, no silence left out) over the audio socket in messages of 100 ms, as a
 * media worker sends them. For each count: CPU of the engine's process, how long the result of a chunk takes from the sending
 * of its last sample (add the chunk itself for the age of its first sample), and how long a channel takes to open meanwhile.
 */
import { channelIdOf, type CallId } from '@earshot/contracts';
import { rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { EngineProcess, valueOf } from './test/support/engine-process.ts';
import { quantile } from './test/measure/match.ts';
import { Fleet } from './test/support/fleet.ts';
import { WordsEnd, makeRunDir, until } from './test/support/rig.ts';
import { speechTape } from './test/support/speech.ts';

const { values } = parseArgs({
  options: {
    channels: { type: 'string', default: '100,300,500' },
    seconds: { type: 'string', default: '15' },
    /** Folder for CPU profiles of the engine. */
    profile: { type: 'string' },
  },
});
const counts = values.channels.split(',').map(Number);
const seconds = Number(values.seconds);
const WARM_UP_MS = 3000;
/** Channels opened and closed again while it is measured. */
const PROBES = 20;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const runDir = makeRunDir();
const words = await WordsEnd.listen(runDir);
words.keep = false;
const engine = await EngineProcess.start(
  runDir,
  0,
  values.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${values.profile}` },
);
const fleet = new Fleet(runDir);
await until('the links', () => fleet.up && words.connections > 0);
fleet.start();
const tape = speechTape();
const results: object[] = [];
let open = 0;
for (const count of counts) {
  // Spread over a second, as calls come: their chunks then end at different times.
  while (open < count) {
    fleet.open(channelIdOf('load' as CallId, open), tape, (open * 7919 * 13) % tape.length);
    open++;
    if (open % 10 === 0) await wait((10 * 1000) / Math.max(10, count));
  }
  await wait(WARM_UP_MS);
  const before = await engine.ping();
  const startMs = performance.now();
  fleet.clear();
  for (let probe = 0; probe < PROBES; probe++) {
    const id = channelIdOf('probe' as CallId, probe);
    fleet.open(id, tape, 0);
    await wait((1000 * seconds) / PROBES);
    fleet.close(id);
  }
  const after = await engine.ping();
  const elapsed = (performance.now() - startMs) / 1000;
  const spent = (name: string): number => valueOf(after, name) - valueOf(before, name);
  const audio = spent('earshot_asr_audio_seconds_total');
  const cpu = spent('earshot_process_cpu_seconds_total');
  const step = after.metrics.find(({ name }) => name === 'earshot_asr_step_seconds');
  const stepBefore = before.metrics.find(({ name }) => name === 'earshot_asr_step_seconds');
  const sumOf = (metric: typeof step, suffix: string): number =>
    (metric?.values as readonly { metricName?: string; value: number }[]).find(({ metricName }) =>
      metricName?.endsWith(suffix),
    )?.value ?? 0;
  const steps = sumOf(step, '_count') - sumOf(stepBefore, '_count');
  results.push({
    channels: count,
    cpuCores: round(cpu / elapsed, 3),
    channelsPerCore: Math.round(audio / cpu),
    stepShare: round((sumOf(step, '_sum') - sumOf(stepBefore, '_sum')) / cpu, 3),
    rowsPerStep: round(spent('earshot_asr_chunks_total') / steps, 1),
    headroom: round(after.engine?.headroom ?? NaN, 2),
    latencyMs: quantiles(fleet.latenciesMs),
    openMs: quantiles(fleet.opensMs),
  });
}
await fleet.stop();
await engine.drain();
await words.close();
rmSync(runDir, { recursive: true });

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function quantiles(list: readonly number[]): Record<string, number> {
  return {
    p50: round(quantile(list, 0.5), 1),
    p95: round(quantile(list, 0.95), 1),
    p99: round(quantile(list, 0.99), 1),
    max: round(quantile(list, 1), 1),
  };
}

console.log(
  JSON.stringify({
    bench: 'asr-load',
    setup: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      node: process.version,
      seconds,
      audio: 'sentences without silence left out, messages of 100 ms in turns of 20 ms',
    },
    results,
  }),
);
