import { isAbsolute, join } from 'node:path';
import {
  type ModelChoice,
  modelFiles,
  type ModelStatus,
  parseModelChoice,
  parseModelStatus,
  type ShadowStatus,
} from '@earshot/contracts';
import { type Log, readIfThere, writeWhole } from '@earshot/platform';
import type { EngineFleet, Model } from './engine-fleet.ts';
import type { CheckResult } from './model-check.ts';
import type { StartResult, Supervised } from './supervised.ts';

const LOOK_EVERY_MS = 500;
const SHADOW_END_LIMIT_MS = 5000;

export interface KeeperOptions {
  /** Absolute. */
  readonly dataDir: string;
  /** ASR_MODEL: wins over every choice. */
  readonly fixed: string | null;
  readonly fleet: EngineFleet;
  readonly check: (model: Model) => Promise<CheckResult>;
  readonly makeShadow: (model: string) => Supervised;
  /** The shadow's processes: none or one. */
  readonly shadowChanged: (children: readonly Supervised[]) => void;
  readonly log: Log;
}

/**
 * Which model serves: reads DATA_DIR/model-choice.json at start and whenever it changes, has the engines replaced, keeps the
 * shadow, and writes DATA_DIR/model-status.json. Whatever is wrong with a choice, what serves goes on serving.
 */
export class ModelKeeper {
  readonly #options: KeeperOptions;
  #serving: Model = null;
  #seen: string | null = null;
  #choice: ModelChoice | null = null;
  #state: ModelStatus['state'] = 'serving';
  #message: string | null = null;
  #shadow: { readonly use: string; readonly child: Supervised; refused: boolean } | null = null;
  #shadowStatus: ShadowStatus | null = null;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #written: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Starts the engines with what was chosen; where that cannot be used, with what served last, else the shipped model. */
  async start(): Promise<StartResult> {
    const { fixed, fleet, log } = this.#options;
    const read = await this.#read();
    if (read.kind === 'choice') this.#choice = read.choice;
    const candidates = fixed === null ? await this.#candidates() : [fixed];
    let result: StartResult | null = null;
    for (const model of candidates) {
      if (this.#stopped) break;
      result = await fleet.start(model);
      if (result.kind === 'ready') {
        this.#serving = model;
        break;
      }
      // Ended because Earshot stops, for another reason maybe: that says nothing of the model.
      if (this.#stopped) break;
      if (this.#message === null) {
        this.#state = 'refused';
        this.#message = result.message;
      }
      log.error({ model, code: result.code }, 'the chosen model cannot be used');
    }
    this.#sayWhoChose();
    await this.changed();
    return result ?? { kind: 'failed', code: 'NOT_READY', message: 'stopped', action: 'Start it again.' };
  }

  /** From now on a change of the choice is acted on. */
  watch(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    if (this.#wantedShadow !== null) this.#looking = this.#keepShadow().finally(() => (this.#looking = null));
  }

  /** Ends the shadow and acts on nothing more; the fleet is stopped by its owner. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#state = 'stopped';
    await this.#shadow?.child.stop(SHADOW_END_LIMIT_MS);
    await this.changed();
  }

  /** Writes the status. Called on every change of the engines, too. */
  changed(): Promise<void> {
    const { dataDir, fixed, fleet, log } = this.#options;
    this.#written = this.#written.then(async () => {
      const status: ModelStatus = {
        state: this.#state,
        use: this.#serving,
        chosenBy:
          fixed !== null ? 'environment' : (this.#choice?.use ?? null) !== null ? 'choice' : 'default',
        choice: this.#choice?.changedAt ?? null,
        engines: fleet.engines.map(({ instance, child }) => ({
          engine: instance,
          pid: child.pid,
          model: nameOf(child),
        })),
        shadow: this.#shadowStatus,
        message: this.#message,
        at: new Date().toISOString(),
      };
      await writeWhole(join(dataDir, modelFiles.status), `${JSON.stringify(status, null, 2)}\n`).catch(
        (error: unknown) => log.warn({ err: error }, 'the model status cannot be written'),
      );
    });
    return this.#written;
  }

  #look(): void {
    if (this.#looking !== null) return;
    this.#looking = this.#act()
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'the model was not changed'))
      .finally(() => (this.#looking = null));
  }

  async #act(): Promise<void> {
    const read = await this.#read();
    if (read.kind === 'same' || this.#stopped) return;
    if (read.kind === 'damaged') {
      return this.#say(
        'refused',
        `${modelFiles.choice} in DATA_DIR is damaged. Choose with npm run model -- use NAME.`,
      );
    }
    // All at once up to the first await: whoever follows the status must not take what was said of the choice before for
    // what is said of this one.
    this.#choice = read.choice;
    const wanted = this.#modelOf(this.#choice?.use ?? null);
    this.#state = 'serving';
    this.#message = null;
    this.#sayWhoChose();
    this.#expectShadow();
    // Engines differ after a swap that could neither be finished nor undone.
    const differ = this.#options.fleet.engines.some(({ model }) => model !== wanted);
    if (this.#options.fixed === null && (wanted !== this.#serving || differ)) await this.#change(wanted);
    else await this.changed();
    await this.#keepShadow();
  }

  get #wantedShadow(): Model {
    return this.#modelOf(this.#choice?.shadow ?? null);
  }

  /** One that was refused may be asked for again: what was wrong with it may have been mended. */
  get #shadowIsAsWanted(): boolean {
    return this.#wantedShadow === (this.#shadow?.use ?? null) && this.#shadow?.refused !== true;
  }

  #expectShadow(): void {
    const use = this.#wantedShadow;
    if (this.#shadowIsAsWanted) return;
    this.#shadowStatus = use === null ? null : { use, state: 'starting', model: null, message: null };
  }

  async #change(wanted: Model): Promise<void> {
    const { check, fleet, log } = this.#options;
    await this.#say('checking', null);
    const checked = await check(wanted);
    if (this.#stopped) return;
    if (checked.kind === 'bad') {
      log.error({ model: wanted, code: checked.code }, 'the chosen model is refused');
      return this.#say('refused', `${checked.message} ${checked.action}`);
    }
    await this.#say('swapping', null);
    log.info({ model: checked.name }, 'engines are replaced for another model');
    const swapped = await fleet.swap(wanted);
    if (swapped.kind === 'swapped') {
      this.#serving = wanted;
      log.info({ model: checked.name }, 'every engine has the other model');
      return this.#say('serving', null);
    }
    if (this.#stopped) return;
    log.error({ model: wanted }, 'an engine with the other model did not start');
    const refused = `${swapped.message} ${swapped.action}`;
    // Those that were replaced already go back, so that all calls hear the same model.
    const back = wanted === this.#serving ? swapped : await fleet.swap(this.#serving);
    if (back.kind === 'swapped') return this.#say('refused', refused);
    if (this.#stopped) return;
    log.error({ model: this.#serving }, 'an engine could not go back: engines run different models');
    const why = back === swapped ? '' : ` and could not all go back (${back.message})`;
    await this.#say('refused', `${refused} Engines run different models${why}: choose one again.`);
  }

  async #keepShadow(): Promise<void> {
    const wanted = this.#wantedShadow;
    if (this.#shadowIsAsWanted || this.#stopped) return;
    await this.#shadow?.child.stop(SHADOW_END_LIMIT_MS);
    if (this.#stopped) return;
    this.#shadow = null;
    this.#options.shadowChanged([]);
    this.#expectShadow();
    if (wanted === null) return this.changed();
    const child = this.#options.makeShadow(wanted);
    const shadow = { use: wanted, child, refused: false };
    this.#shadow = shadow;
    this.#options.shadowChanged([child]);
    await this.changed();
    // It was stopped before there was a process to stop.
    if (this.#stopped) return;
    const result = await child.start();
    if (result.kind === 'ready') {
      this.#shadowStatus = { use: wanted, state: 'running', model: nameOf(child), message: null };
    } else {
      shadow.refused = true;
      const message = `${result.message} ${result.action}`;
      this.#shadowStatus = { use: wanted, state: 'refused', model: null, message };
    }
    await this.changed();
  }

  async #read(): Promise<Read> {
    const text = await readIfThere(join(this.#options.dataDir, modelFiles.choice));
    if (text === this.#seen) return { kind: 'same' };
    this.#seen = text;
    const choice = text === null ? null : parseModelChoice(text);
    if (text === null || choice !== null) return { kind: 'choice', choice };
    this.#options.log.error('model-choice.json is not a choice; the model stays');
    return { kind: 'damaged' };
  }

  async #candidates(): Promise<Model[]> {
    if (this.#choice === null) return [null];
    const { dataDir } = this.#options;
    const text = await readIfThere(join(dataDir, modelFiles.status));
    const last = text === null ? null : parseModelStatus(text);
    return [...new Set([this.#modelOf(this.#choice.use), this.#modelOf(last?.use ?? null), null])];
  }

  #modelOf(use: string | null): Model {
    if (use === null || isAbsolute(use) || /^[a-z][a-z0-9.+-]*:\/\//i.test(use)) return use;
    return join(this.#options.dataDir, use);
  }

  #sayWhoChose(): void {
    const { fixed } = this.#options;
    if (fixed === null || (this.#choice?.use ?? null) === null) return;
    this.#message = `ASR_MODEL is set to ${fixed} and wins over what was chosen. Unset it and start again to choose.`;
  }

  #say(state: ModelStatus['state'], message: string | null): Promise<void> {
    if (!this.#stopped) {
      this.#state = state;
      this.#message = message;
    }
    return this.changed();
  }
}

/** Against what was read the last time; a choice of null is none. */
type Read =
  | { readonly kind: 'same' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'choice'; readonly choice: ModelChoice | null };

const nameOf = (child: Supervised): string | null =>
  child.ready && typeof child.info['model'] === 'string' ? child.info['model'] : null;
