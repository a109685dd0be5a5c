import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CALL_ID_PATTERN, type CallId, modelFiles, parseModelStatus } from '@earshot/contracts';
import { type Log, type Pool, readIfThere, type Registry } from '@earshot/platform';
import { completeCalls, type ServedCall } from './call-log.ts';
import { wordDifferences } from './compare.ts';
import { FollowedCall } from './followed-call.ts';
import { registerShadowMetrics, type ShadowMetrics } from './metrics.ts';
import { ShadowRecogniser } from './recogniser.ts';
import { type ShadowLine, writeShadowLine } from './report.ts';

/** Channels that it hears at once; calls beyond are counted and left out. It must not take a core from live calls. */
export const MAX_CHANNELS = 20;
/** A new call is followed while there is room for two parties. */
const CHANNELS_OF_A_CALL = 2;
const READ_EVERY_MS = 500;
const ASK_EVERY_MS = 2000;
/** A call that lasts longer has been heard enough of. */
const MOST_AUDIO_SECONDS = 4 * 3600;
/** A call that was complete and is not recognised by then never will be. */
const FINISH_LIMIT_MS = 10 * 60_000;

export interface ShadowOptions {
  readonly modelFolder: string;
  readonly dataDir: string;
  readonly pool: Pool;
  readonly registry: Registry;
  readonly log: Log;
  readonly onFailure: (error: Error) => void;
  /** For tests. */
  readonly maxChannels?: number;
}

interface Finishing {
  readonly call: FollowedCall;
  readonly served: ServedCall;
  readonly sinceMs: number;
}

/** Runs a model on live calls' spools, and says how its words differ from the serving model's. Nothing waits for it. */
export class Shadow {
  readonly #options: ShadowOptions;
  readonly #recogniser: ShadowRecogniser;
  readonly #metrics: ShadowMetrics;
  readonly #spool: string;
  readonly #maxChannels: number;
  /** Calls in the spool that were looked at: those from before it began, too. */
  #seen: Set<string> | null = null;
  readonly #live = new Map<CallId, FollowedCall>();
  readonly #finishing = new Map<CallId, Finishing>();
  #timer: NodeJS.Timeout | null = null;
  #askedMs = 0;
  #stopped = false;

  /** @throws EarshotError MODEL_MISSING, MODEL_INVALID */
  static async start(options: ShadowOptions): Promise<Shadow> {
    const maxChannels = options.maxChannels ?? MAX_CHANNELS;
    const recogniser = await ShadowRecogniser.start(options.modelFolder, maxChannels, options.onFailure);
    const shadow = new Shadow(options, recogniser, maxChannels);
    await shadow.#findCalls();
    shadow.#schedule();
    return shadow;
  }

  private constructor(options: ShadowOptions, recogniser: ShadowRecogniser, maxChannels: number) {
    this.#options = options;
    this.#recogniser = recogniser;
    this.#maxChannels = maxChannels;
    this.#spool = join(options.dataDir, 'spool');
    this.#metrics = registerShadowMetrics(options.registry, {
      channels: () => this.channelCount,
      lagSeconds: () => Math.max(0, ...[...this.#live.values()].map((call) => call.lagSeconds)),
      speed: () => recogniser.speed,
    });
  }

  get modelName(): string {
    return this.#recogniser.modelName;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#recogniser.stop();
  }

  /** Channels that it hears now. */
  get channelCount(): number {
    let count = 0;
    for (const call of this.#live.values()) count += call.channelCount;
    for (const { call } of this.#finishing.values()) count += call.channelCount;
    return count;
  }

  /** Channels in use, or soon: those of a new call appear with their first audio. */
  get #reserved(): number {
    let count = 0;
    for (const call of this.#live.values()) count += Math.max(CHANNELS_OF_A_CALL, call.channelCount);
    for (const { call } of this.#finishing.values()) count += call.channelCount;
    return count;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#turn()
        .catch((error: unknown) => this.#options.log.warn({ err: error }, 'the shadow missed a turn'))
        .finally(() => this.#schedule());
    }, READ_EVERY_MS);
  }

  async #turn(): Promise<void> {
    await this.#findCalls();
    for (const call of this.#live.values()) await this.#follow(call);
    const now = performance.now();
    if (now - this.#askedMs >= ASK_EVERY_MS) {
      this.#askedMs = now;
      for (const served of await completeCalls(this.#options.pool, [...this.#live.keys()])) {
        const call = this.#live.get(served.callId);
        if (call === undefined) continue;
        call.finish(served.ends);
        this.#live.delete(served.callId);
        this.#finishing.set(served.callId, { call, served, sinceMs: now });
      }
    }
    for (const finishing of [...this.#finishing.values()]) {
      await this.#read(finishing.call);
      await this.#finishIfDone(finishing, now);
    }
  }

  async #follow(call: FollowedCall): Promise<void> {
    await this.#read(call);
    if (call.heardSeconds > MOST_AUDIO_SECONDS) call.failure ??= 'longer than a shadow listens';
    if (call.failure === null) return;
    this.#live.delete(call.callId);
    await this.#failed(call, call.failure);
  }

  async #read(call: FollowedCall): Promise<void> {
    try {
      await call.read();
    } catch (error) {
      this.#options.log.warn({ err: error, callId: call.callId }, 'a spool cannot be read');
      call.failure = 'its spool cannot be read';
    }
  }

  /** Calls that began since the last look. */
  async #findCalls(): Promise<void> {
    const names = await readdir(this.#spool).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const calls = names.filter((name) => new RegExp(CALL_ID_PATTERN).test(name));
    const seen = this.#seen;
    this.#seen = new Set(calls);
    if (seen === null) return;
    for (const name of calls) {
      if (seen.has(name)) continue;
      const callId = name as CallId;
      if (this.#reserved + CHANNELS_OF_A_CALL > this.#maxChannels) {
        await this.#write({
          ...this.#lineOf(callId),
          outcome: 'skipped',
          reason: 'as many calls as it may hear',
        });
        continue;
      }
      const folder = join(this.#spool, name);
      this.#live.set(
        callId,
        new FollowedCall(callId, folder, this.#recogniser, () => this.channelCount < this.#maxChannels),
      );
    }
  }

  async #finishIfDone({ call, served, sinceMs }: Finishing, nowMs: number): Promise<void> {
    if (!call.finished && call.failure === null && nowMs - sinceMs < FINISH_LIMIT_MS) return;
    this.#finishing.delete(call.callId);
    // A call so short that its spool was gone before it was seen.
    const missed = [...served.words].some(([index, words]) => words.length > 0 && !call.words.has(index));
    if (call.failure !== null || !call.finished || missed) {
      return this.#failed(call, call.failure ?? (missed ? 'its audio was gone' : 'not recognised in time'));
    }
    await call.close();
    let words = 0;
    let shadowWords = 0;
    let differences = 0;
    for (const index of new Set([...served.words.keys(), ...call.words.keys()])) {
      const theirs = served.words.get(index) ?? [];
      const ours = call.words.get(index) ?? [];
      words += theirs.length;
      shadowWords += ours.length;
      differences += wordDifferences(theirs, ours);
    }
    const { audioSeconds, maxLagSeconds } = call;
    this.#metrics.compared(words, differences);
    await this.#write({
      ...this.#lineOf(call.callId),
      outcome: 'compared',
      words,
      shadowWords,
      differences,
      audioSeconds,
      maxLagSeconds,
    });
  }

  async #failed(call: FollowedCall, reason: string): Promise<void> {
    await call.close();
    await this.#write({ ...this.#lineOf(call.callId), outcome: 'failed', reason });
  }

  #lineOf(callId: CallId): ShadowLine {
    return {
      at: new Date().toISOString(),
      callId,
      model: this.modelName,
      serving: '',
      outcome: 'failed',
      words: 0,
      shadowWords: 0,
      differences: 0,
      audioSeconds: 0,
      maxLagSeconds: 0,
      speed: Math.round(this.#recogniser.speed * 10) / 10,
    };
  }

  async #write(line: ShadowLine): Promise<void> {
    const { dataDir, log } = this.#options;
    this.#metrics.call(line.outcome);
    const whole = { ...line, serving: await servingModel(dataDir) };
    const { outcome, callId, words, differences } = whole;
    log.info({ callId, outcome, words, differences }, 'shadow compared a call');
    await writeShadowLine(dataDir, whole).catch((error: unknown) =>
      log.warn({ err: error }, 'what the shadow heard cannot be written'),
    );
  }
}

/** The model that serves, as host says; `unknown` where no host does. */
async function servingModel(dataDir: string): Promise<string> {
  const text = await readIfThere(join(dataDir, modelFiles.status));
  return (text === null ? null : parseModelStatus(text))?.engines[0]?.model ?? 'unknown';
}
