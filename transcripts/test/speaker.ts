import { type ChannelId, type FromCommit, monoUs, segmentIdOf } from '@earshot/contracts';
import type { Surroundings } from './harness.ts';

const WORD_TICKS = 4000;

/**
 * A media worker and its engine, for some channels: speaks each channel's words in finals of random length from the tick
 * that it was told, and does as they do when a link breaks: announces all channels again and starts from the answer.
 */
export class Speaker {
  readonly #around: Surroundings;
  readonly #words: number;
  readonly #random: () => number;
  readonly #channels = new Map<
    ChannelId,
    { asked: number; attempt: number; tick: number; speaking: boolean }
  >();
  #timer: NodeJS.Timeout | null = null;

  /** @param words each channel says: w0 w1 w2 … one every half second */
  constructor(around: Surroundings, channels: readonly ChannelId[], words: number, random: () => number) {
    this.#around = around;
    this.#words = words;
    this.#random = random;
    for (const channel of channels)
      this.#channels.set(channel, { asked: 0, attempt: 0, tick: 0, speaking: false });
    around.onCommit = (message) => this.#answered(message);
    around.onEngineLost = () => this.#stopAll();
    around.onEngineOpen = () => this.announceAll();
    around.onWorkerOpen = () => this.announceAll();
  }

  get endTick(): number {
    return this.#words * WORD_TICKS + 8000;
  }

  /** Speaks on, a final of some channel at a time. */
  start(): void {
    this.announceAll();
    this.#timer = setInterval(() => this.#speak(), 2);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  announceAll(): void {
    for (const [channel, state] of this.#channels) {
      state.speaking = false;
      state.asked = Math.max(state.asked, state.attempt) + 1;
      this.#around.worker.send({ type: 'attempt', channel, attempt: state.asked });
    }
  }

  /** All words of all channels were said in this attempt. */
  get done(): boolean {
    return [...this.#channels.values()].every((state) => state.speaking && state.tick === this.endTick);
  }

  #stopAll(): void {
    for (const state of this.#channels.values()) state.speaking = false;
  }

  #answered(message: FromCommit): void {
    if (message.type !== 'resume') return;
    const state = this.#channels.get(message.channel);
    if (state === undefined || message.attempt < state.asked) return;
    state.attempt = message.attempt;
    state.tick = message.tick;
    state.speaking = true;
  }

  #speak(): void {
    if (this.#around.engine.connection === null) return;
    for (const [channel, state] of this.#channels) {
      if (!state.speaking || this.#random() < 0.3) continue;
      const { attempt, tick } = state;
      const first = Math.ceil(tick / WORD_TICKS);
      const count = Math.min(1 + Math.floor(this.#random() * 4), this.#words - first);
      if (count <= 0) {
        // Told again and again: the link may have broken since.
        this.#around.settle(channel, attempt, this.endTick);
        this.#around.ledger(channel, 0, ['received', this.endTick]);
        this.#around.worker.send({ type: 'ended', channel, endTick: this.endTick });
        state.tick = this.endTick;
        continue;
      }
      const words = Array.from({ length: count }, (_, i) => ({
        text: `w${first + i}`,
        startTick: (first + i) * WORD_TICKS + 100,
        endTick: (first + i + 1) * WORD_TICKS,
        confidence: 1,
      }));
      const toTick = words.at(-1)!.endTick;
      const common = { channel, attempt, segmentId: segmentIdOf(channel, tick), fromTick: tick, words };
      this.#around.engine.send({ type: 'partial', ...common, rev: 1, arrivalUs: monoUs() });
      this.#around.engine.send({ type: 'final', ...common, toTick, arrivalUs: monoUs() });
      state.tick = toTick;
    }
  }
}
