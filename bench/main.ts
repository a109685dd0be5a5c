/** `npm run bench -- NAME`: runs a benchmark and prints one JSON object. */
import { asr } from './src/asr.ts';
import { calls } from './src/calls.ts';
import { fuzzMedia } from './src/fuzz-media.ts';
import { fuzzSip } from './src/fuzz-sip.ts';
import { impairment } from './src/media-impairment.ts';
import { latency } from './src/latency.ts';
import { load, machine } from './src/machine.ts';
import { media } from './src/media.ts';
import { overload } from './src/overload.ts';
import { setup } from './src/setup.ts';
import { takeover } from './src/takeover.ts';
import { vad } from './src/vad.ts';
import { wer } from './src/wer.ts';

const benchmarks: Readonly<Record<string, (args: string[]) => Promise<object>>> = {
  calls,
  asr,
  wer,
  latency,
  media,
  takeover,
  setup,
  overload,
  impairment,
  'fuzz-media': fuzzMedia,
  'fuzz-sip': fuzzSip,
  vad,
};

const [name = '', ...args] = process.argv.slice(2);
const benchmark = benchmarks[name];
if (benchmark === undefined) {
  process.stderr.write(
    `Usage: npm run bench -- NAME, where NAME is one of: ${Object.keys(benchmarks).join(', ')}\n`,
  );
  process.exit(2);
}
const at = new Date().toISOString();
const before = load();
const startMs = performance.now();
const result = await benchmark(args);
const seconds = Math.round((performance.now() - startMs) / 1000);
const loadAverage = {
  note: 'of the whole machine, the benchmark included at its end',
  before,
  after: load(),
};
process.stdout.write(
  `${JSON.stringify({ benchmark: name, at, seconds, machine: machine(), loadAverage, ...result }, null, 2)}\n`,
);
