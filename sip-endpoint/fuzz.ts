// Whole and damaged SIP messages through a whole endpoint: a process of `npm run bench -- fuzz-sip`. It says how far it
// is, a JSON object a line, the last one with `done`, and ends with another status than 0 where something did not hold.
//   node --expose-gc sip-endpoint/fuzz.ts MESSAGES SEED
import { SipFuzzer } from './src/fuzz/fuzzer.ts';

/** Messages between two looks at the memory. */
const ROUND = 100_000;
const BETWEEN_GOOD_CALLS = 1000;

const messages = Number(process.argv[2]);
const seed = Number(process.argv[3]);
if (!Number.isInteger(messages) || messages <= 0 || !Number.isInteger(seed)) {
  process.stderr.write('Usage: node --expose-gc sip-endpoint/fuzz.ts MESSAGES SEED\n');
  process.exit(2);
}
const fuzzer = await SipFuzzer.start(seed);
const startMs = performance.now();
for (let done = 0; done < messages;) {
  for (const end = Math.min(done + ROUND, messages); done < end;) {
    const count = Math.min(BETWEEN_GOOD_CALLS, end - done);
    fuzzer.run(count);
    fuzzer.goodCall();
    done += count;
  }
  say(false);
}
fuzzer.finish();
say(true);

function say(last: boolean): void {
  globalThis.gc?.();
  const { heapUsed, rss, external } = process.memoryUsage();
  const seconds = (performance.now() - startMs) / 1000;
  const { messages: count, ...counts } = fuzzer.counts;
  const { internalErrors, responsesSentByStatus } = fuzzer.endpoint.stats();
  const line = { messages: count, seconds, heapUsed, external, rss, done: last };
  // A defect ends the process at once: one that is told has thrown nothing.
  const sums = { thrown: internalErrors, ...counts, responsesSentByStatus };
  process.stdout.write(`${JSON.stringify(last ? { ...line, ...sums } : line)}\n`);
}
