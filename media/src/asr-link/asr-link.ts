import {
  type ChannelId,
  type EngineRow,
  type FromAsr,
  linearTableOf,
  monoUsAt,
  type RecognitionConfig,
  type ToAsr,
} from '@earshot/contracts';
import type { Connection, Log } from '@earshot/platform';
import { CommitLink } from '../commit-link/commit-link.ts';
import type { AudioSource } from '../spool/tape.ts';
import { HANGOVER_TICKS, PRE_ROLL_TICKS } from '../vad/gate.ts';
import { AsrChannel, type ReadWindow, type Subject } from './asr-channel.ts';
import { Engines } from './engines.ts';
import { nextStep, pcmOf, type Step } from './step.ts';

/** A channel reopens so long before its committed tick: what the shipped model remembers (3.6 s) is in it (docs/adr/0010). */
const WARM_UP_TICKS = 4 * 8000;
/** One second of audio in a message at most. */
const MAX_AUDIO_TICKS = 8000;
/** While nothing is heard, a gap is told four times a second, not ten. */
const MIN_GAP_TICKS = 2000;
/** A channel with more than this to send (1 s) is behind, and served after the live ones. */
const BEHIND_TICKS = 8000;
/** Messages to channels that are behind, in one 20 ms turn: 64 s of audio cost about 2 ms. */
const BEHIND_BUDGET = 64;
/** Messages to one channel in one turn. */
const CHANNEL_BUDGET = 16;
/** The bound of this arrow in bytes, over the credit: an engine that does not read gets nothing more. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
/** An engine that gave a channel back is not asked at once again. */
const LOST_PAUSE_US = 250_000;
/** Between two turns: a process that stood still for so long has credit to read before it may judge an engine. */
const STALL_US = 500_000;
const PHASES = 5;

/** Label values of earshot_asr_reopens_total. */
export type ReopenReason = 'engine_link' | 'engine_lost' | 'silent' | 'transcripts_link';

export interface AsrLinkEvents {
  reopened(reason: ReopenReason): void;
  /** Transcripts has everything before the tick. */
  committed(channel: ChannelId, tick: number): void;
  /** The channel is committed to its end: nothing of it is needed for recognition any more. */
  settled(channel: ChannelId): void;
}

/**
 * Feeds the channels' tapes to recognition engines, from where transcripts says on. Whatever breaks, a channel is opened again
 * from its committed tick under a higher attempt; there is no other recovery.
 */
export class AsrLink {
  readonly #engines: Engines;
  readonly #commit: CommitLink;
  readonly #channels = new Map<ChannelId, AsrChannel>();
  readonly #events: AsrLinkEvents;
  readonly #log: Log;
  readonly #nowUs: () => number;
  readonly #step: Step = { kind: 'gap', to: 0 };
  #added = 0;
  #turn = 0;
  #lastTurnUs = 0;
  #steadySinceUs = 0;

  constructor(
    runDir: string,
    worker: number,
    engineCount: number,
    events: AsrLinkEvents,
    log: Log,
    nowUs: () => number,
  ) {
    this.#events = events;
    this.#log = log;
    this.#nowUs = nowUs;
    this.#engines = new Engines(runDir, engineCount, {
      connected: () => this.#placeAll(),
      message: (engine, message) => this.#fromEngine(engine, message),
      lost: (engine) => this.#engineGone(engine),
    });
    this.#commit = new CommitLink(runDir, worker, {
      connected: () => this.#reopenAll(),
      resume: (channel, attempt, tick) => this.#resume(channel, attempt, tick),
      committed: (channel, tick) => this.#committed(channel, tick),
    });
  }

  table(rows: readonly EngineRow[]): void {
    this.#engines.table(rows);
  }

  /**
   * @param attempt the first to ask for; higher than any that was used
   * @param recognition what the call asks of the recogniser, asked for at each opening
   */
  add(
    subject: Subject,
    readWindow: ReadWindow,
    attempt: number,
    recognition: () => RecognitionConfig = () => ({}),
  ): void {
    const channel = new AsrChannel(subject, readWindow, recognition, attempt, this.#added++ % PHASES);
    this.#channels.set(subject.id, channel);
    this.#commit.attempt(subject.id, attempt);
  }

  /** The timeline ended and its last block is in the files. */
  ended(id: ChannelId, endTick: number): void {
    const channel = this.#channels.get(id);
    if (channel === undefined) return;
    channel.endTick = endTick;
    this.#commit.ended(id, endTick);
    this.#settleIfDone(channel);
  }

  remove(id: ChannelId): void {
    const channel = this.#channels.get(id);
    if (channel === undefined) return;
    this.#leaveEngine(channel, channel.state !== 'settled');
    this.#channels.delete(id);
  }

  attemptOf(id: ChannelId): number {
    return this.#channels.get(id)?.attempt ?? 0;
  }

  /** Received and not yet decided, in ticks; 0 for a channel that nothing is expected of. */
  lagTicks(id: ChannelId): number {
    const channel = this.#channels.get(id);
    if (channel === undefined || channel.state === 'settled') return 0;
    const received = channel.endTick ?? channel.subject.tape.endTick;
    return Math.max(0, received - Math.max(channel.decidedTick, channel.committedTick));
  }

  /** Every 20 ms. Live channels first, each every 100 ms; then those that are behind, a bounded amount. */
  turn(nowUs: number): void {
    const phase = this.#turn++ % PHASES;
    if (nowUs - this.#lastTurnUs > STALL_US) this.#steadySinceUs = nowUs;
    this.#lastTurnUs = nowUs;
    for (const channel of this.#channels.values()) {
      if (channel.phase !== phase) continue;
      channel.subject.logClock(nowUs);
      if (channel.state === 'placing') this.#place(channel);
      if (channel.state === 'open' && channel.sendable <= BEHIND_TICKS) this.#pump(channel, CHANNEL_BUDGET);
      if (channel.state === 'open') this.#leaveIfSilent(channel, nowUs);
      this.#slim(channel);
    }
    let budget = BEHIND_BUDGET;
    for (const channel of this.#channels.values()) {
      if (budget <= 0) break;
      if (channel.state !== 'open' || channel.sendable <= BEHIND_TICKS) continue;
      budget -= this.#pump(channel, Math.min(budget, CHANNEL_BUDGET));
    }
  }

  /** An engine that takes a channel and gives no credit for what waits is as good as dead. */
  #leaveIfSilent(channel: AsrChannel, nowUs: number): void {
    const { engine, decidedTick } = channel;
    const unread = engine === null ? 0 : (this.#engines.connection(engine)?.bufferedBytes ?? 0);
    const waiting = channel.starved || (unread >= MAX_BUFFERED_BYTES && channel.sendable > 0);
    if (!channel.patience.isOver(nowUs, waiting, this.#steadySinceUs)) return;
    this.#log.warn(
      { channel: channel.subject.id, engine },
      'engine gives no credit; its channel is opened again',
    );
    channel.patience.left(decidedTick);
    channel.avoid = engine;
    this.#events.reopened('silent');
    this.#reopen(channel);
  }

  /** An ended channel may wait long for its commit: in the files, not in memory. */
  #slim(channel: AsrChannel): void {
    const { state, endTick, endSent, subject } = channel;
    if (endTick === null || (state === 'open' && !endSent) || subject.tape.heldBlocks === 0) return;
    if (subject.inFiles) subject.tape.discard();
  }

  close(): void {
    this.#engines.close();
    this.#commit.close();
  }

  #reopenAll(): void {
    for (const channel of this.#channels.values()) {
      if (channel.state === 'settled') continue;
      if (channel.state !== 'asking') this.#events.reopened('transcripts_link');
      this.#reopen(channel);
      if (channel.endTick !== null) this.#commit.ended(channel.subject.id, channel.endTick);
    }
  }

  #reopen(channel: AsrChannel): void {
    this.#leaveEngine(channel, true);
    channel.state = 'asking';
    channel.attempt++;
    channel.window = null;
    this.#commit.attempt(channel.subject.id, channel.attempt);
  }

  #leaveEngine(channel: AsrChannel, tell: boolean): void {
    if (channel.engine === null) return;
    this.#engines.removed(channel.engine);
    if (tell) {
      const { id } = channel.subject;
      this.#engines
        .connection(channel.engine)
        ?.send({ type: 'close', channel: id, attempt: channel.attempt });
    }
    channel.engine = null;
  }

  #resume(id: ChannelId, attempt: number, tick: number): void {
    const channel = this.#channels.get(id);
    if (channel === undefined || channel.state !== 'asking' || attempt < channel.attempt) return;
    channel.attempt = attempt;
    // Taken by transcripts, which may still have to write it: not yet committed.
    channel.resumeTick = tick;
    channel.state = 'placing';
    this.#settleIfDone(channel);
    this.#place(channel);
  }

  #committed(id: ChannelId, tick: number): void {
    const channel = this.#channels.get(id);
    if (channel === undefined || tick < channel.committedTick) return;
    channel.committedTick = tick;
    // What a reopened channel would ask for: warm-up, and the hangover before it.
    const needed = tick - WARM_UP_TICKS - HANGOVER_TICKS;
    channel.subject.tape.release(needed);
    this.#events.committed(id, needed);
    this.#settleIfDone(channel);
  }

  #settleIfDone(channel: AsrChannel): void {
    if (channel.state === 'settled' || channel.endTick === null) return;
    // While asking, the committed tick is hearsay: transcripts may have been replaced.
    if (channel.state === 'asking' || channel.committedTick < channel.endTick) return;
    // An engine that has the channel is to hear of the end, and finishes with it by itself.
    if (channel.state === 'open' && !channel.endSent) return;
    this.#leaveEngine(channel, false);
    channel.state = 'settled';
    channel.window = null;
    this.#events.settled(channel.subject.id);
  }

  #placeAll(): void {
    for (const channel of this.#channels.values()) if (channel.state === 'placing') this.#place(channel);
  }

  #place(channel: AsrChannel): void {
    if (channel.state !== 'placing' || this.#nowUs() < channel.notBeforeUs) return;
    const engine = this.#engines.choose(channel.avoid);
    if (engine === null) return;
    const fromTick = Math.max(0, channel.resumeTick - WARM_UP_TICKS);
    channel.engine = engine;
    channel.state = 'open';
    channel.cursor = fromTick;
    channel.creditTick = fromTick;
    channel.decidedTick = Math.max(fromTick, channel.resumeTick);
    channel.endSent = false;
    channel.patience.reset();
    channel.lastWasGap = false;
    channel.window = null;
    this.#engines.placed(engine);
    this.#engines.connection(engine)?.send({
      type: 'open',
      channel: channel.subject.id,
      attempt: channel.attempt,
      fromTick,
      outputFromTick: channel.resumeTick,
      config: { ...channel.recognition(), priority: 'live' },
    });
  }

  #fromEngine(engine: number, message: FromAsr): void {
    if (message.type === 'hello') return;
    const channel = this.#channels.get(message.channel);
    const current =
      channel?.state === 'open' && channel.engine === engine && channel.attempt === message.attempt;
    if (channel === undefined || !current) return;
    if (message.type === 'credit') {
      channel.creditTick = Math.max(channel.creditTick, message.uptoTick);
      channel.decidedTick = Math.max(channel.decidedTick, message.decidedTick);
      channel.patience.decided(channel.decidedTick);
      channel.patience.reset();
      return;
    }
    this.#log.warn({ channel: message.channel, engine, code: message.code }, 'engine gave a channel back');
    channel.avoid = engine;
    // One that is being replaced says so once, when its replacement is there.
    channel.notBeforeUs = message.code === 'ENGINE_DRAINING' ? 0 : this.#nowUs() + LOST_PAUSE_US;
    this.#events.reopened('engine_lost');
    this.#reopen(channel);
  }

  #engineGone(engine: number): void {
    let count = 0;
    for (const channel of this.#channels.values()) {
      if (channel.engine !== engine) continue;
      this.#leaveEngine(channel, false);
      channel.avoid = null;
      this.#events.reopened('engine_link');
      this.#reopen(channel);
      count++;
    }
    if (count > 0) this.#log.warn({ engine, channels: count }, 'engine link lost; channels are opened again');
  }

  /** Sends what may be sent. @returns the messages it took */
  #pump(channel: AsrChannel, budget: number): number {
    const connection = channel.engine === null ? null : this.#engines.connection(channel.engine);
    if (connection === null) return 0;
    let sent = 0;
    while (sent < budget && connection.bufferedBytes < MAX_BUFFERED_BYTES) {
      const source = this.#sourceOf(channel);
      if (source === null || !this.#sendStep(channel, source, connection)) break;
      sent++;
    }
    if (channel.endTick !== null && channel.cursor >= channel.endTick && !channel.endSent) {
      channel.endSent = true;
      const { attempt, endTick } = channel;
      connection.send({ type: 'end', channel: channel.subject.id, attempt, tick: endTick });
      this.#settleIfDone(channel);
    }
    return sent;
  }

  #sendStep(channel: AsrChannel, source: AudioSource, connection: Connection<FromAsr, ToAsr>): boolean {
    const { subject, attempt, cursor } = channel;
    const limit = Math.min(channel.creditTick, channel.endTick ?? Infinity);
    const final = channel.endTick !== null && source === subject.tape;
    nextStep(source, cursor, limit, MAX_AUDIO_TICKS, final, this.#step);
    const { kind, to } = this.#step;
    if (to <= cursor) return false;
    if (kind === 'gap') {
      const more =
        channel.endTick !== null ||
        channel.sendable > BEHIND_TICKS ||
        to >= channel.creditTick ||
        source.gate.openUntil(to) >= 0;
      if (channel.lastWasGap && to - cursor < MIN_GAP_TICKS && !more) return false;
      connection.send({ type: 'gap', channel: subject.id, attempt, toTick: to });
    } else {
      const pcm = pcmOf(source, cursor, to, linearTableOf(subject.encoding));
      const arrivalUs = source.blockFrom(to - 1)?.arrivalUs || monoUsAt(subject.zero, to);
      connection.send(
        { type: 'audio', channel: subject.id, attempt, startTick: cursor, arrivalUs: Math.round(arrivalUs) },
        new Uint8Array(pcm.buffer),
      );
    }
    channel.lastWasGap = kind === 'gap';
    channel.cursor = to;
    channel.patience.reset();
    return true;
  }

  /** The tape, or a window of the files for what is older; null while that is read. */
  #sourceOf(channel: AsrChannel): AudioSource | null {
    const { tape } = channel.subject;
    const { window, cursor } = channel;
    if (cursor >= tape.firstTick) {
      channel.window = null;
      return tape;
    }
    if (window !== null && cursor >= window.firstTick && cursor < window.endTick - PRE_ROLL_TICKS)
      return window;
    if (!channel.loading) void this.#load(channel, cursor, tape.firstTick + 2 * PRE_ROLL_TICKS);
    return null;
  }

  async #load(channel: AsrChannel, fromTick: number, upToTick: number): Promise<void> {
    channel.loading = true;
    try {
      channel.window = await channel.readWindow(fromTick, upToTick);
    } finally {
      channel.loading = false;
    }
  }
}
