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
  /** Engines that serve. */
  readonly count: number;
  /**
   * Engines beyond them that stand by with a model, for one that dies. Instance numbers go one beyond all: the place where a
   * replacement begins beside the old one.
   */
  readonly standby?: (model: Model) => number;
  /** Channels that an engine has, as far as is known. */
  readonly channelsOf?: (instance: number) => number;
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
/** An engine gives its channels back over up to 20 s, so that they find the next one with time for each. */
const END_LIMIT_MS = 30_000;

/**
 * The recognition engines: those that serve and those that stand by, which differ in nothing; media workers leave as many empty
 * as there are to stand by. To change the model they are replaced one by one: a new process beside an old one, in the place
 * that is free; when it is ready the old one gives its channels back and ends, and its place is free for the next. So
 * there is at most one engine more than configured.
 */
export class EngineFleet {
  readonly #options: FleetOptions;
  readonly #engines: Engine[] = [];
  #stopped = false;
  /** The engines that stand by are started, or were not. */
  #standbyStarted: Promise<void> = Promise.resolve();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  get children(): readonly Supervised[] {
    return this.#engines.map(({ child }) => child);
  }

  get engines(): readonly Engine[] {
    return this.#engines;
  }

  /**
   * The first start of those that serve, all at once; a failure ends those that were started. Those that stand by are started
   * afterwards, and not waited for.
   */
  async start(model: Model): Promise<StartResult> {
    const started = Array.from({ length: this.#options.count }, (_, instance) => this.#add(instance, model));
    this.#options.changed();
    const results = await Promise.all(started.map(({ child }) => child.start()));
    const failed = results.find((result) => result.kind === 'failed');
    if (failed === undefined) {
      this.#standBy(model);
      return { kind: 'ready' };
    }
    await Promise.all(started.map((engine) => this.#end(engine)));
    return failed;
  }

  /** Replaces every engine that runs another model. One swap at a time. */
  async swap(model: Model): Promise<SwapResult> {
    await this.#standbyStarted;
    const wanted = this.#wanted(model);
    // Those that stand by come first: the channels of the others then find the new model wherever they go.
    const channelsOf = this.#options.channelsOf ?? (() => 0);
    const others = this.#engines
      .filter((engine) => engine.model !== model)
      .sort((a, b) => channelsOf(a.instance) - channelsOf(b.instance) || a.instance - b.instance);
    for (const old of others) {
      if (this.#engines.length > wanted) {
        await this.#end(old);
        continue;
      }
      if (this.#stopped) return failedBecause('Earshot is stopping.');
      const next = this.#add(this.#freePlace(), model);
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
    this.#standBy(model);
    return { kind: 'swapped' };
  }

  /** No other engine is started from now on. Their owner stops those there are. */
  close(): void {
    this.#stopped = true;
  }

  #wanted(model: Model): number {
    return this.#options.count + (this.#options.standby?.(model) ?? 0);
  }

  #freePlace(): number {
    const taken = new Set(this.#engines.map(({ instance }) => instance));
    let place = 0;
    while (taken.has(place)) place++;
    return place;
  }

  /** Starts those that are lacking. That one cannot be started is no reason not to serve. */
  #standBy(model: Model): void {
    const lacking = this.#wanted(model) - this.#engines.length;
    const started = Array.from({ length: Math.max(0, lacking) }, async () => {
      const engine = this.#add(this.#freePlace(), model);
      const result = await engine.child.start();
      if (result.kind === 'ready' || this.#stopped) return;
      this.#options.log.error({ engine: engine.child.spec.label, code: result.code }, 'no engine stands by');
      await this.#end(engine);
    });
    if (started.length === 0) return;
    this.#options.changed();
    this.#standbyStarted = Promise.all(started).then(() => this.#options.changed());
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
