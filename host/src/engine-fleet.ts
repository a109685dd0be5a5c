import type { Log } from '@earshot/platform';
import type { StartResult, Supervised } from './supervised.ts';

/** A model as ModelChoice names it, with folders absolute; null is the shipped one. */
export type Model = string | null;

interface Engine {
  readonly instance: number;
  readonly model: Model;
  readonly child: Supervised;
}

export interface FleetOptions {
  /** Engines that serve. Instance numbers go one beyond: the place where a replacement begins beside the old one. */
  readonly count: number;
  readonly make: (instance: number, model: Model) => Supervised;
  /** The children, or what is known of them, changed. */
  readonly changed: () => void;
  readonly log: Log;
}

export type SwapResult =
  | { readonly kind: 'swapped' }
  | { readonly kind: 'failed'; readonly message: string; readonly action: string };

/**
 * Media workers dial a new engine's socket at least every 500 ms (platform's Dialer); after so long all have it, and
 * the channels of the one that ends find it at once.
 */
const DIALLED_AFTER_MS = 1000;
const END_LIMIT_MS = 10_000;

/**
 * The recognition engines. To change the model they are replaced one by one: a new process beside an old one, in the place that
 * is free; when it is ready the old one gives its channels back and ends, and its place is free for the next. So there is
 * at most one engine more than configured.
 */
export class EngineFleet {
  readonly #options: FleetOptions;
  readonly #engines: Engine[] = [];
  #stopped = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  get children(): readonly Supervised[] {
    return this.#engines.map(({ child }) => child);
  }

  get engines(): readonly Engine[] {
    return this.#engines;
  }

  /** The first start: all at once. A failure ends those that were started. */
  async start(model: Model): Promise<StartResult> {
    const started = Array.from({ length: this.#options.count }, (_, instance) => this.#add(instance, model));
    this.#options.changed();
    const results = await Promise.all(started.map(({ child }) => child.start()));
    const failed = results.find((result) => result.kind === 'failed');
    if (failed === undefined) return { kind: 'ready' };
    await Promise.all(started.map((engine) => this.#end(engine)));
    return failed;
  }

  /** Replaces every engine that runs another model. One swap at a time. */
  async swap(model: Model): Promise<SwapResult> {
    const places = Array.from({ length: this.#options.count + 1 }, (_, instance) => instance);
    for (const old of this.#engines.filter((engine) => engine.model !== model)) {
      const free = places.find((instance) => this.#engines.every((engine) => engine.instance !== instance));
      if (free === undefined || this.#stopped) return failedBecause('Earshot is stopping.');
      const next = this.#add(free, model);
      this.#options.changed();
      const result = await next.child.start();
      if (result.kind === 'failed' || this.#stopped) {
        await this.#end(next);
        return result.kind === 'failed' ? result : failedBecause('Earshot is stopping.');
      }
      this.#options.changed();
      await new Promise((resolve) => setTimeout(resolve, DIALLED_AFTER_MS));
      this.#options.log.info({ from: old.child.spec.label, to: next.child.spec.label }, 'engine replaced');
      await this.#end(old);
    }
    return { kind: 'swapped' };
  }

  /** No other engine is started from now on. Their owner stops those there are. */
  close(): void {
    this.#stopped = true;
  }

  #add(instance: number, model: Model): Engine {
    const engine = { instance, model, child: this.#options.make(instance, model) };
    this.#engines.push(engine);
    return engine;
  }

  async #end(engine: Engine): Promise<void> {
    await engine.child.stop(END_LIMIT_MS);
    this.#engines.splice(this.#engines.indexOf(engine), 1);
    this.#options.changed();
  }
}

const failedBecause = (message: string): SwapResult => ({
  kind: 'failed',
  message,
  action: 'Start it again.',
});
