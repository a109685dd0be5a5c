import { type ChannelId, type FromAsr, type ToAsr, monoUs, sockets } from '@earshot/contracts';
import { Dialer } from '@earshot/platform';
import { join } from 'node:path';
import { bytesOf } from './speech.ts';

/** As a media worker does it: each channel every 100 ms, a fifth of them in each turn of 20 ms. */
const TURN_MS = 20;
const PHASES = 5;
const MESSAGE_TICKS = 800;

interface Sent {
  readonly endTick: number;
  readonly atMs: number;
}

class FleetChannel {
  readonly id: ChannelId;
  readonly phase: number;
  readonly tape: Int16Array;
  /** Where on the tape its time begins. */
  readonly offset: number;
  attempt = 1;
  engine = 0;
  startedMs = 0;
  cursor = 0;
  credit = -1;
  decidedTick = 0;
  endTick = Infinity;
  endSent = false;
  /** Sends whenever there is credit, not in its turn. */
  eager = false;
  openedMs: number | null = null;
  sent: Sent[] = [];

  constructor(id: ChannelId, phase: number, tape: Int16Array, offset: number) {
    this.id = id;
    this.phase = phase;
    this.tape = tape;
    this.offset = offset;
  }

  pcm(from: number, to: number): Int16Array {
    const out = new Int16Array(to - from);
    for (let i = 0; i < out.length; i++) out[i] = this.tape[(this.offset + from + i) % this.tape.length]!;
    return out;
  }
}

export interface FleetOptions {
  readonly runDir: string;
  readonly engines: number;
  /** Told when a channel's engine is gone or gave it back: the channel is to be opened again. */
  readonly onLost?: (channel: ChannelId) => void;
}

/**
 * Many channels of unbroken audio in real time, over the audio sockets, as one media worker has them. Measures how long the
 * result of a chunk takes from the sending of its last sample, and how long an opening takes until its credit is there.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #dialers: Dialer<FromAsr, ToAsr>[];
  readonly #channels = new Map<ChannelId, FleetChannel>();
  readonly up: boolean[];
  /** Milliseconds, since clear(). */
  readonly latenciesMs: number[] = [];
  readonly opensMs: number[] = [];
  #timer: NodeJS.Timeout | null = null;
  #turn = 0;
  #startMs = performance.now();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.up = new Array<boolean>(options.engines).fill(false);
    this.#dialers = Array.from(
      { length: options.engines },
      (_, engine) =>
        new Dialer<FromAsr, ToAsr>(join(options.runDir, sockets.audio(engine)), {
          open: () => (this.up[engine] = true),
          message: (message) => this.#receive(message),
          lost: () => {
            this.up[engine] = false;
            this.#engineGone(engine);
          },
        }),
    );
  }

  /** Begins to send. */
  start(): void {
    this.#startMs = performance.now();
    this.#timer = setInterval(() => this.#turns(), TURN_MS);
  }

  clear(): void {
    this.latenciesMs.length = 0;
    this.opensMs.length = 0;
  }

  /** @param offset where on the tape (which is repeated) the channel begins */
  open(id: ChannelId, tape: Int16Array, offset: number, engine = 0): void {
    const channel = new FleetChannel(id, this.#channels.size % PHASES, tape, offset);
    channel.startedMs = performance.now();
    this.#channels.set(id, channel);
    this.#place(channel, engine, 0);
  }

  /** Opens it again from its committed tick, 4 s earlier, as media workers do. */
  reopen(id: ChannelId, engine: number, committedTick: number): void {
    const channel = this.#channels.get(id);
    if (channel === undefined) return;
    channel.attempt++;
    this.#place(channel, engine, committedTick);
  }

  /** Plays a channel once more under a new attempt, opened at a tick, to its end, as fast as credit allows. */
  replay(id: ChannelId, engine: number, fromTick: number, endTick: number): void {
    const channel = this.#channels.get(id);
    if (channel === undefined) return;
    channel.attempt++;
    channel.endTick = endTick;
    channel.eager = true;
    this.#place(channel, engine, fromTick);
  }

  /** The channel ends where it is now in real time. @returns its end */
  end(id: ChannelId): number {
    const channel = this.#channels.get(id)!;
    const atTick = Math.floor((performance.now() - channel.startedMs) * 8);
    channel.endTick = Math.ceil(atTick / MESSAGE_TICKS) * MESSAGE_TICKS;
    return channel.endTick;
  }

  /** Forgets a channel, and has its engine do so. */
  close(id: ChannelId): void {
    const channel = this.#channels.get(id);
    if (channel === undefined) return;
    this.#channels.delete(id);
    this.#dialers[channel.engine]!.send({ type: 'close', channel: id, attempt: channel.attempt });
  }

  engineOf(id: ChannelId): number {
    return this.#channels.get(id)!.engine;
  }

  /** Audio that has passed in real time and is not yet decided, in seconds. */
  lagSeconds(id: ChannelId): number {
    const channel = this.#channels.get(id)!;
    const nowTick = Math.min(channel.endTick, (performance.now() - channel.startedMs) * 8);
    return Math.max(0, (nowTick - channel.decidedTick) / 8000);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const dialer of this.#dialers) dialer.close();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #place(channel: FleetChannel, engine: number, outputFromTick: number): void {
    const fromTick = Math.max(0, outputFromTick - 32_000);
    channel.engine = engine;
    channel.cursor = fromTick;
    channel.credit = fromTick;
    channel.decidedTick = outputFromTick;
    channel.endSent = false;
    channel.sent = [];
    channel.openedMs = performance.now();
    const { id, attempt } = channel;
    const config = { priority: 'live' } as const;
    this.#dialers[engine]!.send({ type: 'open', channel: id, attempt, fromTick, outputFromTick, config });
  }

  #engineGone(engine: number): void {
    for (const channel of this.#channels.values()) {
      if (channel.engine === engine) this.#options.onLost?.(channel.id);
    }
  }

  #receive(message: FromAsr): void {
    if (message.type === 'hello') return;
    const channel = this.#channels.get(message.channel);
    if (channel === undefined || channel.attempt !== message.attempt) return;
    if (message.type === 'lost') {
      this.#options.onLost?.(channel.id);
      return;
    }
    const nowMs = performance.now();
    if (channel.openedMs !== null) this.opensMs.push(nowMs - channel.openedMs);
    channel.openedMs = null;
    channel.credit = Math.max(channel.credit, message.uptoTick);
    channel.decidedTick = Math.max(channel.decidedTick, message.decidedTick);
    let last: Sent | null = null;
    while (channel.sent.length > 0 && channel.sent[0]!.endTick <= message.decidedTick)
      last = channel.sent.shift()!;
    // A chunk may end inside a message: that message made it complete.
    if (last !== null && last.endTick < message.decidedTick) last = channel.sent[0] ?? last;
    if (last !== null) this.latenciesMs.push(nowMs - last.atMs);
    if (channel.eager) this.#pump(channel);
  }

  #turns(): void {
    // A timer that comes late is made up for.
    const due = Math.floor((performance.now() - this.#startMs) / TURN_MS);
    for (; this.#turn < due; this.#turn++) {
      for (const channel of this.#channels.values()) {
        if (channel.phase === this.#turn % PHASES) this.#pump(channel);
      }
    }
  }

  #pump(channel: FleetChannel): void {
    const nowMs = performance.now();
    const nowTick = Math.floor((nowMs - channel.startedMs) * 8);
    const { id, attempt } = channel;
    const dialer = this.#dialers[channel.engine]!;
    if (dialer.connection === null) return;
    const end = Math.min(nowTick, channel.endTick, channel.credit);
    // A reopened channel's cursor lies anywhere: its last message is shorter.
    while (channel.cursor + MESSAGE_TICKS <= end || (channel.cursor < end && end === channel.endTick)) {
      // Behind: as much as a second in a message.
      const left = end - channel.cursor;
      const ticks = left >= 8000 ? 8000 : Math.min(left, MESSAGE_TICKS);
      const startTick = channel.cursor;
      channel.cursor += ticks;
      const arrivalUs = monoUs() - Math.round((nowTick - channel.cursor) * 125);
      channel.sent.push({ endTick: channel.cursor, atMs: nowMs });
      dialer.send(
        { type: 'audio', channel: id, attempt, startTick, arrivalUs },
        bytesOf(channel.pcm(startTick, channel.cursor)),
      );
    }
    if (channel.cursor >= channel.endTick && !channel.endSent) {
      channel.endSent = true;
      dialer.send({ type: 'end', channel: id, attempt, tick: channel.endTick });
    }
  }
}

export const quantile = (values: readonly number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
};
