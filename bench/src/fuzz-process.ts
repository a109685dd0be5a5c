import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What every line of a fuzzing process has beside its count of messages or packets. */
export interface Look {
  readonly seconds: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
  readonly done: boolean;
}

const MIB = 2 ** 20;
/** The first looks at the memory are of code that is still being compiled and pools that fill. */
const WARM_UP_SHARE = 0.2;

/**
 * Runs a program that fuzzes, says how far it is on stderr, and sums up what it said.
 * @param program relative to this folder
 * @param countOf messages or packets so far
 */
export async function runFuzzer<L extends Look>(
  program: string,
  args: readonly string[],
  what: string,
  countOf: (look: L) => number,
): Promise<object> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const argv = ['--disable-warning=ExperimentalWarning', '--expose-gc', path, ...args];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const looks: L[] = [];
  for await (const line of createInterface(child.stdout)) {
    const look = JSON.parse(line) as L;
    looks.push(look);
    process.stderr.write(`${countOf(look)} ${what}, heap ${(look.heapUsed / MIB).toFixed(1)} MiB\n`);
  }
  const status = await ended;
  const last = looks.at(-1);
  return {
    passed: status === 0 && last?.done === true,
    ...(status !== 0 && { status, error: said.slice(-4000) }),
    ...last,
    [`${what}PerSecond`]: last === undefined ? 0 : Math.round(countOf(last) / last.seconds),
    heap: trend(looks, countOf, ({ heapUsed }) => heapUsed),
    external: trend(looks, countOf, ({ external }) => external),
    rss: trend(looks, countOf, ({ rss }) => rss),
  };
}

/** After the garbage was collected, MiB: the means of the first and the last quarter after warm-up, and what grew in a million. */
function trend<L extends Look>(
  looks: readonly L[],
  countOf: (look: L) => number,
  of: (look: L) => number,
): object | null {
  const warm = looks.slice(Math.floor(WARM_UP_SHARE * looks.length)).filter(({ done }) => !done);
  const quarter = Math.floor(warm.length / 4);
  if (quarter === 0) return null;
  const mean = (part: readonly L[], value: (look: L) => number): number =>
    part.reduce((sum, look) => sum + value(look), 0) / part.length;
  const first = warm.slice(0, quarter);
  const last = warm.slice(-quarter);
  const millions = (mean(last, countOf) - mean(first, countOf)) / 1e6;
  const [before, after] = [mean(first, of) / MIB, mean(last, of) / MIB];
  return {
    firstQuarterMiB: round(before),
    lastQuarterMiB: round(after),
    growthMiBPerMillion: round((after - before) / millions),
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;
