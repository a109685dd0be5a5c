import { type ChannelId, type FromAsr, type ToAsr, monoUs, sockets } from '@earshot/contracts';
import { Dialer } from '@earshot/platform';
import { join } from 'node:path';
import { bytesOf } from './speech.ts';

/** As a media worker does it: each channel every 100 ms, a fifth of them in each turn of 20 ms. */
const TURN_MS = 20;
const PHASES = 5;
const MESSAGE_TICKS = 800;
/** Behind: as much as a second in a message. */
const MOST_TICKS = 8000;
const ATTEMPT = 1;

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
  readonly startedMs = performance.now();
  /** Until it has its first credit. */
  opening = true;
  cursor = 0;
  credit = 0;
  readonly sent: Sent[] = [];

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

/**
 * Many channels of unbroken audio in real time, over the audio socket of engine 0, as one media worker has them. Measures how
 * long the result of a chunk takes from the sending of its last sample, and how long an opening takes until its credit is there.
 */
export class Fleet {
  readonly #dialer: Dialer<FromAsr, ToAsr>;
  readonly #channels = new Map<ChannelId, FleetChannel>();
  /** Milliseconds, since clear(). */
  readonly latenciesMs: number[] = [];
  readonly opensMs: number[] = [];
  #timer: NodeJS.Timeout | null = null;
  #turn = 0;
  #startMs = performance.now();

  constructor(runDir: string) {
    this.#dialer = new Dialer<FromAsr, ToAsr>(join(runDir, sockets.audio(0)), {
      open: () => undefined,
      message: (message) => this.#receive(message),
      lost: () => undefined,
    });
  }

  get up(): boolean {
    return this.#dialer.connection !== null;
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
  open(id: ChannelId, tape: Int16Array, offset: number): void {
    this.#channels.set(id, new FleetChannel(id, this.#channels.size % PHASES, tape, offset));
    const config = { priority: 'live' } as const;
    this.#dialer.send({
      type: 'open',
      channel: id,
      attempt: ATTEMPT,
      fromTick: 0,
      outputFromTick: 0,
      config,
    });
  }

  /** Forgets a channel, and has its engine do so. */
  close(id: ChannelId): void {
    if (this.#channels.delete(id)) this.#dialer.send({ type: 'close', channel: id, attempt: ATTEMPT });
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#dialer.close();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #receive(message: FromAsr): void {
    if (message.type !== 'credit') return;
    const channel = this.#channels.get(message.channel);
    if (channel === undefined) return;
    const nowMs = performance.now();
    if (channel.opening) this.opensMs.push(nowMs - channel.startedMs);
    channel.opening = false;
    channel.credit = Math.max(channel.credit, message.uptoTick);
    let last: Sent | null = null;
    while (channel.sent.length > 0 && channel.sent[0]!.endTick <= message.decidedTick)
      last = channel.sent.shift()!;
    // A chunk may end inside a message: that message made it complete.
    if (last !== null && last.endTick < message.decidedTick) last = channel.sent[0] ?? last;
    if (last !== null) this.latenciesMs.push(nowMs - last.atMs);
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
    if (!this.up) return;
    const nowMs = performance.now();
    const nowTick = Math.floor((nowMs - channel.startedMs) * 8);
    const end = Math.min(nowTick, channel.credit);
    while (channel.cursor + MESSAGE_TICKS <= end) {
      const left = end - channel.cursor;
      const ticks = left >= MOST_TICKS ? MOST_TICKS : MESSAGE_TICKS;
      const startTick = channel.cursor;
      channel.cursor += ticks;
      const arrivalUs = monoUs() - Math.round((nowTick - channel.cursor) * 125);
      channel.sent.push({ endTick: channel.cursor, atMs: nowMs });
      this.#dialer.send(
        { type: 'audio', channel: channel.id, attempt: ATTEMPT, startTick, arrivalUs },
        bytesOf(channel.pcm(startTick, channel.cursor)),
      );
    }
  }
}
