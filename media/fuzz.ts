// Random and damaged packets through whole channels: a process of `npm run bench -- fuzz-media`. It says how far it is, a JSON
// object a line, the last one with `done`, and ends with another status than 0 where something was thrown.
//   node --expose-gc media/fuzz.ts PACKETS SEED
import { setImmediate } from 'node:timers/promises';
import { createLog } from '@earshot/platform';
import { PipelineFuzzer } from './src/leg/fuzz.ts';
import { fuzzRtcp } from './src/rtcp/fuzz.ts';
import { DiskHealth } from './src/spool/disk-health.ts';
import { Wal } from './src/spool/wal.ts';
import { fuzzSrtp } from './src/srtp/fuzz.ts';

/** Datagrams between two looks at the memory. */
const ROUND = 100_000;
/** Of a round so many go to the readers of RTCP and SRTP by themselves, which check what comes out more closely. */
const KERNEL_SHARE = 0.1;
/** Between two turns of the event loop, so that writes that failed are forgotten. */
const BURST = 2000;
/** There is no such folder: what is written to disk is not what this is about. */
const NOWHERE = '/nonexistent/earshot';

const packets = Number(process.argv[2]);
const seed = Number(process.argv[3]);
if (!Number.isInteger(packets) || packets <= 0 || !Number.isInteger(seed)) {
  process.stderr.write('Usage: node --expose-gc media/fuzz.ts PACKETS SEED\n');
  process.exit(2);
}
const health = new DiskHealth(createLog('fuzz', 'fatal'));
const wal = new Wal(
  NOWHERE,
  0,
  1,
  health,
  () => performance.now() * 1000,
  () => Infinity,
);
const fuzzer = new PipelineFuzzer(seed, NOWHERE, wal, health);
const kernels = { rtcp: 0, srtp: 0 };
const startMs = performance.now();
let done = 0;
for (let round = 0; done < packets; round++) {
  const count = Math.min(ROUND, packets - done);
  const own = Math.floor(count * KERNEL_SHARE);
  for (let n = 0; n < count - 2 * own; n += BURST) {
    fuzzer.run(Math.min(BURST, count - 2 * own - n));
    await setImmediate();
  }
  fuzzRtcp(seed + round, own);
  fuzzSrtp(seed + round, own);
  kernels.rtcp += own;
  kernels.srtp += own;
  done += count;
  say(false);
}
fuzzer.finish();
wal.close();
say(true);

function say(last: boolean): void {
  globalThis.gc?.();
  const { heapUsed, rss, external, arrayBuffers } = process.memoryUsage();
  const seconds = (performance.now() - startMs) / 1000;
  const line = { packets: done, seconds, heapUsed, external, arrayBuffers, rss, done: last };
  process.stdout.write(`${JSON.stringify(last ? { ...line, pipeline: fuzzer.tally, kernels } : line)}\n`);
}
