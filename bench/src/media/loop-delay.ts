// Loaded into a worker before its own program (--import): how late its event loop serves a timer of 10 ms. At SIGUSR2 it writes
// what it saw since the last one, in milliseconds, to the file EARSHOT_BENCH_LOOP_DELAY, and begins anew.
import { writeFileSync } from 'node:fs';

const PERIOD_MS = 10;

let delays: number[] = [];
let due = performance.now() + PERIOD_MS;

function tick(): void {
  const now = performance.now();
  delays.push(Math.max(0, now - due));
  do due += PERIOD_MS;
  while (due <= now);
  setTimeout(tick, due - now).unref();
}
setTimeout(tick, PERIOD_MS).unref();

process.on('SIGUSR2', () => {
  const seen = delays;
  delays = [];
  writeFileSync(process.env['EARSHOT_BENCH_LOOP_DELAY']!, JSON.stringify(seen));
});
