import type { ChannelId } from '@earshot/contracts';
import type { ModelDescription } from '../models/model.ts';
import { type BatchPlan, planBatch } from './batching.ts';
import { Channel, type ChannelOpening } from './channel.ts';
import { LoadMeter } from './load.ts';
import type { ChannelOwner, LostCode, WordsSink } from './sink.ts';
import type { StepThread } from './step-thread.ts';

/** Told of every step; for metrics. */
export interface StepReport {
  readonly rows: number;
  readonly size: number;
  readonly seconds: number;
  /** Real audio in it, samples of 1/8000 s. */
  readonly samples: number;
}

export interface EngineOptions {
  readonly model: ModelDescription;
  readonly thread: StepThread;
  readonly maxChannels: number;
  readonly sizes: readonly number[];
  readonly sink: WordsSink;
  /** Monotonic milliseconds, of the clock that arrivals are of (contracts' monoUs). */
  readonly nowMs: () => number;
  readonly onStep: (report: StepReport) => void;
  /** The model failed: the engine is of no more use. */
  readonly onFailure: (error: Error) => void;
}

/**
 * The channels of one engine and the batches made of them. Work-conserving: a batch starts as soon as the model is free and
 * any channel has a chunk. Nothing starts while the words link is blocked.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #channels = new Map<ChannelId, Channel>();
  readonly #freeRows: number[] = [];
  readonly #waiting: { live: Channel[]; catchUp: Channel[] } = { live: [], catchUp: [] };
  readonly #load: LoadMeter;
  #stepping = false;
  #startSoon = false;
  #stopped = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    for (let row = options.maxChannels - 1; row >= 0; row--) this.#freeRows.push(row);
    const largest = options.sizes.at(-1) ?? 1;
    const rowSeconds = (options.thread.secondsBySize.get(largest) ?? 0) / largest;
    this.#load = new LoadMeter(rowSeconds, options.nowMs());
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  /** Free share of what this engine can carry, 0..1; 0 when every row is taken. */
  get headroom(): number {
    if (this.#freeRows.length === 0) return 0;
    return this.#load.headroom(this.#options.nowMs(), this.#options.sizes.at(-1) ?? 1);
  }

  open(opening: ChannelOpening, owner: ChannelOwner): void {
    const previous = this.#channels.get(opening.channel);
    if (previous !== undefined) {
      if (opening.attempt <= previous.attempt) return;
      this.#forget(previous);
    }
    const row = this.#freeRows.pop();
    if (row === undefined) {
      owner.lost(opening.channel, opening.attempt, 'ENGINE_FULL');
      return;
    }
    const channel = new Channel(opening, row, owner, this.#options.sink, this.#options.model);
    this.#channels.set(opening.channel, channel);
  }

  audio(id: ChannelId, attempt: number, startTick: number, arrivalUs: number, body: Uint8Array): void {
    const channel = this.#current(id, attempt);
    if (channel === null) return;
    if (channel.audio(startTick, arrivalUs, body)) this.#advance(channel);
    else this.#lose(channel, 'CREDIT_EXCEEDED');
  }

  gap(id: ChannelId, attempt: number, toTick: number): void {
    const channel = this.#current(id, attempt);
    if (channel === null) return;
    channel.gap(toTick);
    this.#advance(channel);
  }

  end(id: ChannelId, attempt: number, tick: number): void {
    const channel = this.#current(id, attempt);
    if (channel === null) return;
    channel.end(tick);
    this.#advance(channel);
  }

  close(id: ChannelId, attempt: number): void {
    const channel = this.#current(id, attempt);
    if (channel !== null) this.#forget(channel);
  }

  closeOwner(owner: ChannelOwner): void {
    for (const channel of [...this.#channels.values()]) if (channel.owner === owner) this.#forget(channel);
  }

  /** Gives every channel back to its media worker. */
  loseAll(code: LostCode): void {
    for (const channel of [...this.#channels.values()]) this.#lose(channel, code);
  }

  /** The words link took everything: go on, with the partials that were held back. */
  resume(): void {
    for (const channel of [...this.#channels.values()]) {
      if (!channel.scheduled) this.#advance(channel);
      channel.sendPartial();
    }
    this.#schedule();
  }

  /** To be called a few times a second: sends progress that was held back because it came too often. */
  tick(): void {
    if (this.#options.sink.blocked) return;
    const nowMs = this.#options.nowMs();
    for (const channel of this.#channels.values()) channel.report(nowMs);
  }

  stop(): void {
    this.#stopped = true;
  }

  #current(id: ChannelId, attempt: number): Channel | null {
    const channel = this.#channels.get(id);
    return channel?.attempt === attempt ? channel : null;
  }

  #advance(channel: Channel): void {
    if (channel.closed || channel.scheduled || this.#options.sink.blocked) return;
    switch (channel.advance(this.#options.nowMs())) {
      case 'idle':
        break;
      case 'ended':
        this.#forget(channel);
        break;
      case 'chunk':
        channel.scheduled = true;
        (channel.isLive(1000 * this.#options.nowMs()) ? this.#waiting.live : this.#waiting.catchUp).push(
          channel,
        );
        this.#schedule();
        break;
    }
  }

  /** After what is being read from the sockets now: channels whose audio came together go together. */
  #schedule(): void {
    if (this.#stepping || this.#startSoon) return;
    this.#startSoon = true;
    setImmediate(() => {
      this.#startSoon = false;
      this.#startStep();
    });
  }

  #startStep(): void {
    if (this.#stepping || this.#stopped || this.#options.sink.blocked) return;
    const plan = planBatch(this.#waiting.live.length, this.#waiting.catchUp.length, this.#options.sizes);
    if (plan === null) return;
    const rows = [
      ...this.#waiting.live.splice(0, plan.live),
      ...this.#waiting.catchUp.splice(0, plan.catchUp),
    ];
    this.#stepping = true;
    this.#step(rows, plan).then(
      () => {
        this.#stepping = false;
        this.#startStep();
      },
      (error: unknown) => {
        if (!this.#stopped) this.#options.onFailure(error as Error);
      },
    );
  }

  async #step(channels: readonly Channel[], plan: BatchPlan): Promise<void> {
    const { thread, model, nowMs, onStep } = this.#options;
    const { chunkSamples } = model.timing;
    const real = channels.map((channel, row) => channel.fill(thread.buffers, row, chunkSamples));
    const seconds = await thread.step(channels.length, plan.size);
    const now = nowMs();
    let samples = 0;
    for (const [row, channel] of channels.entries()) {
      samples += real[row]!;
      channel.scheduled = false;
      if (channel.closed) continue;
      channel.take(thread.buffers, row, model.framesPerChunk, real[row]!);
      channel.report(now, { stepped: true });
      this.#advance(channel);
    }
    const waiting = this.#waiting.live.length + this.#waiting.catchUp.length;
    this.#load.step(now, seconds, channels.length, plan.size, waiting);
    onStep({ rows: channels.length, size: plan.size, seconds, samples });
  }

  #lose(channel: Channel, code: LostCode): void {
    this.#forget(channel);
    channel.owner.lost(channel.id, channel.attempt, code);
  }

  #forget(channel: Channel): void {
    if (channel.closed) return;
    channel.closed = true;
    this.#channels.delete(channel.id);
    // Steps come one after another and a fresh row is cleared in its first: it may be given away while in a batch.
    this.#freeRows.push(channel.row);
    for (const queue of [this.#waiting.live, this.#waiting.catchUp]) {
      const at = queue.indexOf(channel);
      if (at >= 0) queue.splice(at, 1);
    }
  }
}
