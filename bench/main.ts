/** `npm run bench -- NAME`: runs a benchmark and prints one JSON object. */
import { cpus } from 'node:os';
import { asr } from './src/asr.ts';
import { calls } from './src/calls.ts';

const benchmarks: Readonly<Record<string, (args: string[]) => Promise<object>>> = { calls, asr };

const [name = '', ...args] = process.argv.slice(2);
const benchmark = benchmarks[name];
if (benchmark === undefined) {
  process.stderr.write(
    `Usage: npm run bench -- NAME, where NAME is one of: ${Object.keys(benchmarks).join(', ')}\n`,
  );
  process.exit(2);
}
const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
const result = await benchmark(args);
process.stdout.write(
  `${JSON.stringify({ benchmark: name, at: new Date().toISOString(), machine, ...result }, null, 2)}\n`,
);
