import type { EngineRow } from '@earshot/contracts';
import { EngineProcess } from './engine-process.ts';

const TABLE_EVERY_MS = 1000;

/** Engines as host keeps them: one that dies is started again in its place, and media is told once a second how they are. */
export class EngineHost {
  readonly engines = new Map<number, EngineProcess>();
  readonly #runDir: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #tell: (rows: readonly EngineRow[]) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #rows = new Map<number, EngineRow>();
  #stopped = false;
  #starting: Promise<unknown> = Promise.resolve();

  constructor(
    runDir: string,
    tell: (rows: readonly EngineRow[]) => void,
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#runDir = runDir;
    this.#tell = tell;
    this.#env = env;
    this.#timer = setInterval(() => this.#tellAndAsk(), TABLE_EVERY_MS);
  }

  get rows(): readonly EngineRow[] {
    return [...this.#rows.values()];
  }

  async start(instance: number): Promise<EngineProcess> {
    const engine = await EngineProcess.start(this.#runDir, instance, this.#env);
    this.engines.set(instance, engine);
    return engine;
  }

  /** SIGKILL, and another in its place as soon as it is gone. */
  async kill(instance: number): Promise<void> {
    const engine = this.engines.get(instance)!;
    this.engines.delete(instance);
    await engine.kill();
    this.#rows.delete(instance);
    this.#tell(this.rows);
    this.#starting = this.start(instance);
  }

  /** Asks an engine to finish and waits until it has gone. */
  async drain(instance: number): Promise<void> {
    const engine = this.engines.get(instance)!;
    await engine.drain();
    this.engines.delete(instance);
    this.#rows.delete(instance);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#starting;
    await Promise.all([...this.engines.values()].map((engine) => engine.drain()));
  }

  /** An engine that answers late is told of as it was. */
  #tellAndAsk(): void {
    this.#tell(this.rows);
    for (const [instance, engine] of this.engines) {
      void engine.pingOrNull().then((pong) => {
        const isHere = this.engines.get(instance) === engine && !this.#stopped;
        if (isHere && pong?.engine) this.#rows.set(instance, pong.engine);
      });
    }
  }
}
