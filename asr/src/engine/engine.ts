import { type ChannelId, TICKS_PER_SECOND } from '@earshot/contracts';
import type { ModelDescription } from '../models/model.ts';
import { Channel, type ChannelOpening } from './channel.ts';
import type { ChannelHost } from './channel-host.ts';
import { LoadMeter } from './load.ts';
import type { Stepper } from './shared-step.ts';
import type { ChannelOwner, LostCode, WordsSink } from './sink.ts';
import { type Batch, Waiting } from './waiting.ts';

/** Told of every step; for metrics. */
export interface StepReport {
  readonly rows: number;
  readonly size: number;
  readonly seconds: number;
  /** Real audio in it, samples of 1/8000 s. */
  readonly samples: number;
  /** For each row, milliseconds from its chunk being full to its result being out. */
  readonly latenciesMs: readonly number[];
}

export interface EngineOptions {
  readonly model: ModelDescription;
  readonly thread: Stepper;
  readonly maxChannels: number;
  readonly sizes: readonly number[];
  /** How long (ms) a small batch is held back for others to join it; left out: as measured. 0: never. */
  readonly gatherMs?: number;
  readonly sink: WordsSink;
  /** Monotonic milliseconds, of the clock that arrivals are of (contracts' monoUs). */
  readonly nowMs: () => number;
  readonly onStep: (report: StepReport) => void;
  /** The model failed: the engine is of no more use. */
  readonly onFailure: (error: Error) => void;
}

/** Two full batches are given to the model at once when they take at most this share of a chunk. */
const TWO_STEPS_SHARE = 0.25;

/**
 * The channels of one engine and the batches made of them. When the model is free and any channel has a chunk a batch starts,
 * at once or, while few wait and none is behind, after a short moment (waiting.ts). While a batch runs and so many wait that the
 * next is full, a quick model is given that, too, and goes on with it by itself. Nothing starts while the words link is blocked.
 */
export class Engine implements ChannelHost {
  readonly #options: EngineOptions;
  readonly #channels = new Map<ChannelId, Channel>();
  readonly #freeRows: number[] = [];
  readonly #waiting: Waiting<Channel>;
  readonly #load: LoadMeter;
  /** Of channels that are gone. */
  readonly #partialWords = { shown: 0, changed: 0 };
  #ignoredPhrases = 0;
  /** Batches that the model has: one that runs, and maybe a full one that goes on after it. */
  #inFlight = 0;
  #batches = 0;
  readonly #mostInFlight: number;
  #startSoon = false;
  #gathering = false;
  #stopped = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    for (let row = options.maxChannels - 1; row >= 0; row--) this.#freeRows.push(row);
    const { secondsBySize } = options.thread;
    const largest = options.sizes.at(-1) ?? 1;
    const rowSeconds = (secondsBySize.get(largest) ?? 0) / largest;
    this.#load = new LoadMeter(rowSeconds, options.nowMs(), largest);
    const chunkSeconds = options.model.timing.chunkSamples / TICKS_PER_SECOND;
    // A chunk that comes meanwhile waits for both.
    const isQuick = 2 * (secondsBySize.get(largest) ?? Infinity) <= chunkSeconds * TWO_STEPS_SHARE;
    this.#mostInFlight = options.thread.spare !== null && isQuick ? 2 : 1;
    this.#waiting = new Waiting({
      sizes: options.sizes,
      secondsBySize,
      chunkSeconds,
      gatherMs: options.gatherMs,
    });
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  /** Free share of what this engine can carry, 0..1; 0 when every row is taken. */
  get headroom(): number {
    if (this.#freeRows.length === 0) return 0;
    return this.#load.headroom(this.#options.nowMs(), this.#options.sizes.at(-1) ?? 1);
  }

  /** Rows of state that no channel has. */
  get freeRowCount(): number {
    return this.#freeRows.length;
  }

  /** Channels with a full chunk that wait for a batch. */
  get waiting(): { readonly live: number; readonly catchUp: number } {
    const { live, catchUp } = this.#waiting;
    return { live, catchUp };
  }

  /** Audio that came and is not yet decided, in seconds, of each channel. */
  lagSeconds(): number[] {
    return Array.from(this.#channels.values(), (channel) => channel.lagTicks / TICKS_PER_SECOND);
  }

  /** Phrases that channels were opened with and that the model cannot prefer, since the start. */
  get ignoredPhrases(): number {
    return this.#ignoredPhrases;
  }

  /** Words in partials since the start, each once, and how many of them were taken back or changed later. */
  get partialWords(): { readonly shown: number; readonly changed: number } {
    const total = { ...this.#partialWords };
    for (const { partialWords } of this.#channels.values()) {
      total.shown += partialWords.shown;
      total.changed += partialWords.changed;
    }
    return total;
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
    this.#ignoredPhrases += channel.ignoredPhrases;
  }

  audio(id: ChannelId, attempt: number, startTick: number, arrivalUs: number, body: Uint8Array): void {
    const channel = this.#current(id, attempt);
    if (channel === null) return;
    if (!channel.audio(startTick, arrivalUs, body)) this.#lose(channel, 'CREDIT_EXCEEDED');
    else if (!channel.scheduled) this.#advance(channel);
    else if (this.#inFlight === 0 && this.#isBehind(channel)) {
      this.#waiting.hurry();
      this.#schedule();
    }
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

  finalise(id: ChannelId): void {
    this.#channels.get(id)?.finalise(this.#options.nowMs());
  }

  closeOwner(owner: ChannelOwner): void {
    for (const channel of [...this.#channels.values()]) if (channel.owner === owner) this.#forget(channel);
  }

  lose(count: number, code: LostCode): void {
    const channels = [...this.#channels.values()].sort((a, b) => a.openTicks - b.openTicks);
    for (const channel of channels.slice(0, count)) this.#lose(channel, code);
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
    const nowMs = this.#options.nowMs();
    switch (channel.advance(nowMs)) {
      case 'idle':
        break;
      case 'ended':
        this.#forget(channel);
        break;
      case 'chunk':
        channel.scheduled = true;
        if (this.#isBehind(channel)) this.#waiting.hurry();
        this.#waiting.push(channel, channel.isLive(1000 * nowMs), nowMs);
        this.#schedule();
        break;
    }
  }

  #isBehind(channel: Channel): boolean {
    return channel.lagTicks >= 2 * this.#options.model.timing.chunkSamples;
  }

  /** After what is being read from the sockets now: channels whose audio came together go together. */
  #schedule(): void {
    if (this.#startSoon || !this.#takesBatch) return;
    this.#startSoon = true;
    setImmediate(() => {
      this.#startSoon = false;
      this.#startSteps();
    });
  }

  /** While one batch runs only a full one is made: more may come that would join a small one. */
  get #takesBatch(): boolean {
    if (this.#inFlight === 0) return true;
    return this.#inFlight < this.#mostInFlight && this.#waiting.count >= (this.#options.sizes.at(-1) ?? 1);
  }

  #startSteps(): void {
    while (this.#takesBatch && !this.#stopped && !this.#options.sink.blocked) {
      const holdMs = this.#inFlight > 0 ? 0 : this.#waiting.holdMs(this.#options.nowMs());
      if (holdMs > 0) {
        this.#startLater(holdMs);
        return;
      }
      const batch = this.#waiting.take();
      if (batch === null) return;
      this.#inFlight++;
      this.#step(batch).then(
        () => {
          this.#inFlight--;
          this.#startSteps();
        },
        (error: unknown) => {
          if (!this.#stopped) this.#options.onFailure(error as Error);
        },
      );
    }
  }

  #startLater(ms: number): void {
    if (this.#gathering) return;
    this.#gathering = true;
    setTimeout(() => {
      this.#gathering = false;
      this.#startSteps();
    }, ms);
  }

  async #step({ items: channels, sinceMs, plan }: Batch<Channel>): Promise<void> {
    const { thread, model, nowMs, onStep } = this.#options;
    const { chunkSamples } = model.timing;
    // In turn: what the batch before wrote is read when its step is done, whether this one runs by then or not.
    const buffers = this.#batches++ % 2 === 1 && thread.spare !== null ? thread.spare : thread.buffers;
    const real: number[] = [];
    for (const [row, channel] of channels.entries()) {
      real.push(channel.fill(buffers, row, chunkSamples));
      buffers.full[row] = channel.wantsFull ? 1 : 0;
    }
    const seconds = await thread.step(channels.length, plan.size, buffers);
    const now = nowMs();
    let samples = 0;
    for (const [row, channel] of channels.entries()) {
      samples += real[row]!;
      channel.scheduled = false;
      if (channel.closed) continue;
      channel.take(buffers, row, model.framesPerChunk, real[row]!);
      channel.report(now, { stepped: true });
      this.#advance(channel);
    }
    this.#load.step(now, seconds, channels.length, plan.size, this.#waiting.count);
    const latenciesMs = sinceMs.map((ms) => now - ms);
    onStep({ rows: channels.length, size: plan.size, seconds, samples, latenciesMs });
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
    this.#waiting.remove(channel);
    const { shown, changed } = channel.partialWords;
    this.#partialWords.shown += shown;
    this.#partialWords.changed += changed;
  }
}
