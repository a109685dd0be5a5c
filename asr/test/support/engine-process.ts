import type { EngineRow, FromChild, ToChild } from '@earshot/contracts';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from './rig.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));

/** An engine on a machine that has much else to do. */
const PONG_LIMIT_MS = 60_000;

interface Metric {
  readonly name: string;
  readonly values: readonly { readonly value: number; readonly labels: Readonly<Record<string, string>> }[];
}

/** What a ping was answered with. */
export interface Pong {
  readonly engine: EngineRow | null;
  readonly metrics: readonly Metric[];
}

/** An engine as host has it: a process of its own, spoken to over its IPC channel. */
export class EngineProcess {
  readonly #process: ChildProcess;
  readonly #messages: FromChild[] = [];
  #pings = 0;

  private constructor(runDir: string, instance: number, env: Readonly<Record<string, string>>) {
    this.#process = fork(MAIN, {
      env: {
        ...process.env,
        LOG_LEVEL: 'error',
        EARSHOT_INSTANCE: String(instance),
        EARSHOT_RUN_DIR: runDir,
        ...env,
      },
      // Its log, on our standard error.
      stdio: ['ignore', 2, 'inherit', 'ipc'],
    });
    this.#process.on('message', (message) => this.#messages.push(message as FromChild));
    this.#send({ type: 'lent.all' });
  }

  /** @throws when it does not become ready within a minute */
  static async start(
    runDir: string,
    instance: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<EngineProcess> {
    const engine = new EngineProcess(runDir, instance, env);
    await until('the engine', () => engine.#messages.some(({ type }) => type === 'ready'), 60_000);
    return engine;
  }

  /** What it said when it was ready. */
  get info(): Readonly<Record<string, string | number | boolean>> {
    return this.#messages.find((message) => message.type === 'ready')?.info ?? {};
  }

  async ping(): Promise<Pong> {
    const pong = await this.pingOrNull();
    if (pong === null) throw new Error('the engine is gone');
    return pong;
  }

  /** As ping(); null when it is gone. */
  async pingOrNull(): Promise<Pong | null> {
    const id = ++this.#pings;
    this.#send({ type: 'ping', id });
    const isPong = (message: FromChild): boolean => message.type === 'pong' && message.id === id;
    await until('a pong', () => !this.#process.connected || this.#messages.some(isPong), PONG_LIMIT_MS);
    const at = this.#messages.findIndex(isPong);
    if (at < 0) return null;
    const pong = this.#messages.splice(at, 1)[0] as Extract<FromChild, { type: 'pong' }>;
    return { engine: pong.engine ?? null, metrics: pong.metrics as readonly Metric[] };
  }

  /** CPU time of all its threads since its start. */
  async cpuSeconds(): Promise<number> {
    return valueOf(await this.ping(), 'earshot_process_cpu_seconds_total');
  }

  /** The same, without asking it, in steps of 10 ms (proc(5): utime and stime). */
  cpuSecondsSoFar(): number {
    const afterName = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return (Number(afterName[11]) + Number(afterName[12])) / 100;
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exit();
  }

  /** @returns the exit status; null when a signal ended it */
  async drain(): Promise<number | null> {
    this.#send({ type: 'drain' });
    return this.#exit();
  }

  async #exit(): Promise<number | null> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode === null && signalCode === null) await once(this.#process, 'exit');
    return this.#process.exitCode;
  }

  #send(message: ToChild): void {
    // To one that is about to go it fails, which is no error here.
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }
}

/** The value of a metric, or the sum over its labels. */
export function valueOf(pong: Pong, name: string): number {
  const metric = pong.metrics.find((one) => one.name === name);
  return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}
