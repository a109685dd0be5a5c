import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('./native/rtp-load.c', import.meta.url));
const MEDIA_BENCH = fileURLToPath(new URL('../../../media/bench.ts', import.meta.url));

/** Compiles rtp-load. @returns its path. @throws Error without a C compiler */
export async function compileLoad(folder: string): Promise<string> {
  const program = join(folder, 'rtp-load');
  await promisify(execFile)(process.env['CC'] ?? 'cc', ['-std=gnu11', '-O2', '-o', program, SOURCE]);
  return program;
}

export interface GeneratorReport {
  /** Packets that the kernel took. */
  readonly sent: number;
  readonly seconds: number;
  /** The latest that a step of 1 ms began. */
  readonly latestMs: number;
  readonly cpuSeconds: number;
}

/**
 * Sends a stream to each port: for warmUp seconds, then `warm` is waited for while it goes on, then for so many seconds.
 * @returns what was sent after the warming up, and before
 */
export async function generate(
  program: string,
  ports: readonly number[],
  warmUp: number,
  seconds: number,
  warm: () => Promise<void>,
): Promise<{ report: GeneratorReport; sentBefore: number }> {
  const args = ['generate', String(warmUp), String(seconds)];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(`${ports.join('\n')}\n`);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { sent } = await answer<{ sent: number }>(lines, 'the generator');
  await warm();
  return { report: await answer<GeneratorReport>(lines, 'the generator'), sentBefore: sent };
}

/** Who only receives: the C program, a worker's reader, or Node's own sockets with rtp.js. */
export type ReceiverKind = 'c' | 'native' | 'dgram';

/** A program that binds sockets, says which, and counts until it is stopped. */
export class Receiver {
  readonly pid: number;
  readonly ports: readonly number[];
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, ports: readonly number[]) {
    this.pid = child.pid!;
    this.ports = ports;
    this.#child = child;
    this.#lines = lines;
  }

  static async start(kind: ReceiverKind, load: string, streams: number): Promise<Receiver> {
    const node = ['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0112', MEDIA_BENCH, kind];
    const [command, args] = kind === 'c' ? [load, ['receive']] : [process.execPath, node];
    const child = spawn(command, [...args, String(streams)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { ports } = await answer<{ ports: number[] }>(lines, kind);
    return new Receiver(child, lines, ports);
  }

  /** @returns the packets that it counted */
  async stop(): Promise<number> {
    this.#child.stdin?.end();
    const { packets } = await answer<{ packets: number }>(this.#lines, 'the receiver');
    return packets;
  }
}

async function answer<T>(lines: AsyncIterator<string>, who: string): Promise<T> {
  const line = await lines.next();
  if (line.done === true) throw new Error(`${who} ended without an answer`);
  return JSON.parse(line.value) as T;
}
