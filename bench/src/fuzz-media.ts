import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** A line of media/fuzz.ts. */
interface Progress {
  readonly packets: number;
  readonly seconds: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly rss: number;
  readonly done: boolean;
}

const MIB = 2 ** 20;
/** The first looks at the memory are of code that is still being compiled and pools that fill. */
const WARM_UP_SHARE = 0.2;

/** `fuzz-media`: random and damaged RTP, RTCP and SRTP through whole channels and every decoder, in a process of its own. */
export async function fuzzMedia(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: { packets: { type: 'string', default: '10000000' }, seed: { type: 'string', default: '1' } },
  });
  const program = fileURLToPath(new URL('../../media/fuzz.ts', import.meta.url));
  const argv = ['--disable-warning=ExperimentalWarning', '--expose-gc', program, values.packets, values.seed];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const looks: Progress[] = [];
  for await (const line of createInterface(child.stdout)) {
    const look = JSON.parse(line) as Progress;
    looks.push(look);
    process.stderr.write(`${look.packets} packets, heap ${(look.heapUsed / MIB).toFixed(1)} MiB\n`);
  }
  const status = await ended;
  const last = looks.at(-1);
  const { packets = 0, seconds = 0 } = last ?? {};
  return {
    setup: { packets: Number(values.packets), seed: Number(values.seed) },
    passed: status === 0 && last?.done === true,
    ...(status !== 0 && { status, error: said.slice(-4000) }),
    ...last,
    packetsPerSecond: Math.round(packets / seconds),
    heap: trend(looks, ({ heapUsed }) => heapUsed),
    external: trend(looks, ({ external }) => external),
    rss: trend(looks, ({ rss }) => rss),
  };
}

/** After the garbage was collected, MiB: the means of the first and the last quarter after warm-up, and what grew in a million packets. */
function trend(looks: readonly Progress[], of: (look: Progress) => number): object | null {
  const warm = looks.slice(Math.floor(WARM_UP_SHARE * looks.length)).filter(({ done }) => !done);
  const quarter = Math.floor(warm.length / 4);
  if (quarter === 0) return null;
  const mean = (part: readonly Progress[], value: (look: Progress) => number): number =>
    part.reduce((sum, look) => sum + value(look), 0) / part.length;
  const first = warm.slice(0, quarter);
  const last = warm.slice(-quarter);
  const millions = (mean(last, (look) => look.packets) - mean(first, (look) => look.packets)) / 1e6;
  const [before, after] = [mean(first, of) / MIB, mean(last, of) / MIB];
  return {
    firstQuarterMiB: round(before),
    lastQuarterMiB: round(after),
    growthMiBPerMillion: round((after - before) / millions),
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;
