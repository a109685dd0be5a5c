import { type ChannelId, monoUs } from '@earshot/contracts';
import { Engine } from '../engine/engine.ts';
import type { ChannelOwner, WordsSink } from '../engine/sink.ts';
import { StepThread } from '../engine/step-thread.ts';
import { describeModel } from '../models/folder.ts';
import type { Step } from './block-feed.ts';

export interface ShadowChannelEvents {
  /** More may be sent, up to there; everything before decidedTick is recognised. */
  credit(uptoTick: number, decidedTick: number): void;
  final(words: readonly string[]): void;
  ended(): void;
  /** The engine gave it back. */
  lost(): void;
}

/** The shadow's calls are few; large batches would only hold up the live engines. */
const SIZES: readonly number[] = [1, 2, 4, 8];
const TICK_MS = 100;

/** The shadow's own engine: one model, some channels, all of them catch-up, no partials. */
export class ShadowRecogniser {
  readonly modelName: string;
  readonly #engine: Engine;
  readonly #thread: StepThread;
  readonly #channels = new Map<ChannelId, ShadowChannelEvents>();
  readonly #ticker: NodeJS.Timeout;
  #audioSeconds = 0;
  #busySeconds = 0;

  /** @throws EarshotError MODEL_MISSING, MODEL_INVALID */
  static async start(
    folder: string,
    maxChannels: number,
    onFailure: (error: Error) => void,
  ): Promise<ShadowRecogniser> {
    const model = describeModel(folder);
    const thread = await StepThread.start(model, maxChannels, SIZES);
    return new ShadowRecogniser(model, thread, maxChannels, onFailure);
  }

  private constructor(
    model: ReturnType<typeof describeModel>,
    thread: StepThread,
    maxChannels: number,
    onFailure: (error: Error) => void,
  ) {
    this.modelName = model.name;
    this.#thread = thread;
    const sink: WordsSink = {
      congested: true, // nobody looks at partials
      blocked: false,
      partial: () => undefined,
      final: (channel, _attempt, { words }) =>
        this.#channels.get(channel)?.final(words.map(({ text }) => text)),
      progress: () => undefined,
      ended: (channel) => {
        const events = this.#channels.get(channel);
        this.#channels.delete(channel);
        events?.ended();
      },
    };
    this.#engine = new Engine({
      model,
      thread,
      maxChannels,
      sizes: SIZES,
      sink,
      gatherMs: 0,
      nowMs: () => monoUs() / 1000,
      onStep: ({ samples, seconds }) => {
        this.#audioSeconds += samples / 8000;
        this.#busySeconds += seconds;
      },
      onFailure,
    });
    this.#ticker = setInterval(() => this.#engine.tick(), TICK_MS);
  }

  /** Seconds of audio for a second of the model's time; 0 before the first. */
  get speed(): number {
    return this.#busySeconds === 0 ? 0 : this.#audioSeconds / this.#busySeconds;
  }

  open(channel: ChannelId, events: ShadowChannelEvents): void {
    this.#channels.set(channel, events);
    const owner: ChannelOwner = {
      credit: (_channel, _attempt, uptoTick, decidedTick) => events.credit(uptoTick, decidedTick),
      lost: () => {
        this.#channels.delete(channel);
        events.lost();
      },
    };
    this.#engine.open(
      { channel, attempt: 1, fromTick: 0, outputFromTick: 0, live: false, maxDelayMs: null, phrases: [] },
      owner,
    );
  }

  send(channel: ChannelId, step: Step): void {
    if (step.kind === 'gap') this.#engine.gap(channel, 1, step.to);
    else this.#engine.audio(channel, 1, step.from, 0, new Uint8Array(step.samples.slice().buffer));
  }

  end(channel: ChannelId, tick: number): void {
    this.#engine.end(channel, 1, tick);
  }

  close(channel: ChannelId): void {
    this.#channels.delete(channel);
    this.#engine.close(channel, 1);
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    this.#engine.stop();
    await this.#thread.close();
  }
}
