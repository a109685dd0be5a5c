// The load generator as a process: one JSON object on standard output when all calls are over. SIGINT or
// SIGTERM ends the calls with BYE and still prints it.
import { generate } from './src/generator.ts';
import { optionHelp, parseFleetOptions, UsageError } from './src/options.ts';

try {
  const options = parseFleetOptions(process.argv.slice(2), process.env, { calls: 10, rampS: () => 0 });
  if (options === undefined) {
    process.stdout.write(`node sip-tests/generator.ts --calls 50 --seconds 60 --ramp 10\n\n${optionHelp}\n`);
  } else {
    const stopping = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        stopping.abort();
      });
    }
    const report = await generate(options, stopping.signal);
    process.stdout.write(`${JSON.stringify(report)}\n`);
    process.exitCode = report.calls.failed === 0 ? 0 : 1;
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
