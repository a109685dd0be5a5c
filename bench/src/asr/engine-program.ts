import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface TapeFile {
  readonly path: string;
  readonly words: readonly { readonly text: string; readonly endTick: number }[];
}

/** As asr/bench/protocol.ts has it, which says what each means: bench may not import asr. */
export interface Setup {
  readonly model: string;
  readonly batch: number;
  readonly maxChannels: number;
  readonly speech: TapeFile;
  readonly conversations: readonly TapeFile[];
  readonly withLanguageModel: boolean;
}

export interface Ready {
  readonly model: string;
  readonly format: string;
  readonly chunkMs: number;
  readonly maxChannels: number;
  readonly estimate: number;
  readonly languageModel: boolean;
}

/** Milliseconds. */
export interface LatencySummary {
  readonly samples: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface PacedReport {
  readonly channels: number;
  readonly seconds: number;
  readonly brokenOff: boolean;
  readonly latencyMs: LatencySummary;
  readonly wordMs: LatencySummary;
  /** Null when it was broken off. */
  readonly cores: number | null;
  readonly modelThreadCores: number | null;
  readonly rowsPerStep: number;
  readonly audioShare: number;
}

export interface RawReport {
  readonly channels: number;
  readonly audioSeconds: number;
  readonly perCore: number;
  readonly perSecond: number;
}

/** Characters. */
const STDERR_KEPT = 4000;
const PROGRAM = fileURLToPath(new URL('../../../asr/bench.ts', import.meta.url));

/** One of asr/bench.ts's programs in a process of its own, so that it shares no threads with another. */
export class EngineProgram {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly ready: Ready;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, ready: Ready) {
    this.#child = child;
    this.#lines = lines;
    this.ready = ready;
  }

  /** @param pin the core that it is bound to (taskset); null: all. @throws Error when the program ended */
  static async start(name: 'ours' | 'peer', setup: Setup, pin: number | null): Promise<EngineProgram> {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM, name];
    const [command = '', ...args] = pin === null ? node : ['taskset', '-c', String(pin), ...node];
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stdout, stderr } = child;
    // sherpa-onnx says for each stream that it resamples: only what it said last is of use, when it ends.
    let said = '';
    stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-STDERR_KEPT)));
    child.once('exit', (code, signal) => {
      if (code !== 0) process.stderr.write(`${name} ended with ${code ?? signal}:\n${said}\n`);
    });
    // A program that ended says so by its output: there is no next line.
    stdin.on('error', () => undefined);
    await once(child, 'spawn');
    const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    stdin.write(`${JSON.stringify(setup)}\n`);
    return new EngineProgram(child, lines, await answer<Ready>(lines, name));
  }

  paced(channels: number, seconds: number, gated: boolean): Promise<PacedReport> {
    return this.#order<PacedReport>({ order: 'paced', channels, seconds, gated });
  }

  raw(channels: number, audioSeconds: number): Promise<RawReport> {
    return this.#order<RawReport>({ order: 'raw', channels, audioSeconds });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await gone;
  }

  #order<T>(order: object): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    return answer<T>(this.#lines, JSON.stringify(order));
  }
}

async function answer<T>(lines: AsyncIterator<string>, what: string): Promise<T> {
  const next = await lines.next();
  if (next.done === true) throw new Error(`asr/bench.ts ended at: ${what}`);
  return JSON.parse(next.value) as T;
}
