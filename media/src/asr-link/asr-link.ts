import type { CallId, ChannelId, EngineRow, FromAsr, RecognitionState } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { CommitLink } from '../commit-link/commit-link.ts';
import { HANGOVER_TICKS } from '../vad/gate.ts';
import { AsrChannel, BEHIND_TICKS, type Beginning, type ReadWindow, type Subject } from './asr-channel.ts';
import { Balance } from './balance.ts';
import { type EngineCounts, Engines } from './engines.ts';
import { feed, MAX_BUFFERED_BYTES } from './feeder.ts';
import { type DeferrableView, freeShare, RecordFirst, type Waiting, waitingOf } from './record-first.ts';
import { WARM_UP_TICKS, warmUpFrom } from './warm-up.ts';

/** Messages to channels that are behind, in one 20 ms turn: 64 s of audio cost about 2 ms. */
const BEHIND_BUDGET = 64;
/** Messages to one channel in one turn. */
const CHANNEL_BUDGET = 16;
/** An engine that gave a channel back is not asked at once again. */
const LOST_PAUSE_US = 250_000;
/** Between two turns: a process that stood still for so long has credit to read before it may judge an engine. */
const STALL_US = 500_000;
const PHASES = 5;
/** Channels between two moments at which other things may have their turn: some 100 us. */
const AT_ONCE = 8;

/** Label values of earshot_asr_reopens_total. */
export type ReopenReason = 'engine_link' | 'engine_lost' | 'rebalanced' | 'silent' | 'transcripts_link';

export interface AsrLinkEvents {
  reopened(reason: ReopenReason): void;
  /** Transcripts has everything before the tick. */
  committed(channel: ChannelId, tick: number): void;
  /** The channel is committed to its end: nothing of it is needed for recognition any more. */
  settled(channel: ChannelId): void;
  /** How recognition goes with a call that was recorded first has changed. */
  recognition(callId: CallId, state: RecognitionState): void;
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
  readonly #balance = new Balance();
  readonly #recordFirst: RecordFirst;
  readonly #serving: number;
  #added = 0;
  #turn = 0;
  #lastTurnUs = 0;
  #steadySinceUs = 0;

  constructor(
    runDir: string,
    worker: number,
    engines: EngineCounts,
    events: AsrLinkEvents,
    log: Log,
    nowUs: () => number,
  ) {
    this.#events = events;
    this.#log = log;
    this.#nowUs = nowUs;
    this.#serving = engines.serving;
    this.#recordFirst = new RecordFirst(worker);
    this.#engines = new Engines(runDir, engines, {
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

  /** The link to transcripts, which carries the ledgers too. */
  get commit(): CommitLink {
    return this.#commit;
  }

  /** Host's headroom table, once a second: what engines cannot keep up with goes where there is room, and then what waits for some. */
  table(rows: readonly EngineRow[]): void {
    this.#engines.table(rows);
    this.#rebalance();
    this.#beginDeferred();
  }

  add(subject: Subject, readWindow: ReadWindow, beginning: Beginning): void {
    const channel = new AsrChannel(subject, readWindow, beginning, this.#added++ % PHASES);
    this.#channels.set(subject.id, channel);
    this.#commit.attempt(subject.id, channel.attempt);
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

  /** Received and not yet decided, in ticks; 0 for a channel that nothing is expected of, null for one that is to be late. */
  lagTicks(id: ChannelId): number | null {
    const channel = this.#channels.get(id);
    if (channel === undefined || channel.state === 'settled') return 0;
    return channel.recognition === 'current' ? channel.lagTicks : null;
  }

  /** Calls that were recorded first and wait for clear room. */
  get waiting(): Waiting {
    return waitingOf(this.#views);
  }

  /** Every 20 ms. Live channels first, each every 100 ms; then those that are behind, a bounded amount. Yields in between. */
  *turn(nowUs: number): Generator<void, void> {
    const phase = this.#turn++ % PHASES;
    if (nowUs - this.#lastTurnUs > STALL_US) this.#steadySinceUs = nowUs;
    this.#lastTurnUs = nowUs;
    let done = 0;
    for (const channel of this.#channels.values()) {
      if (channel.phase !== phase) continue;
      channel.subject.logClock(nowUs);
      if (channel.state === 'placing') this.#place(channel);
      if (channel.state === 'open' && channel.sendable <= BEHIND_TICKS) this.#pump(channel, CHANNEL_BUDGET);
      if (channel.state === 'open') this.#leaveIfSilent(channel, nowUs);
      this.#slim(channel);
      if (++done % AT_ONCE === 0) yield;
    }
    let budget = BEHIND_BUDGET;
    for (const channel of this.#channels.values()) {
      if (budget <= 0) break;
      if (channel.state !== 'open' || channel.sendable <= BEHIND_TICKS) continue;
      budget -= this.#pump(channel, Math.min(budget, CHANNEL_BUDGET));
      yield;
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
      if (channel.state === 'placing' || channel.state === 'open') this.#events.reopened('transcripts_link');
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
    channel.state = channel.recognition === 'waiting' ? 'deferred' : 'placing';
    this.#settleIfDone(channel);
    this.#place(channel);
  }

  get #views(): DeferrableView[] {
    return Array.from(this.#channels.values(), ({ view }) => view);
  }

  /** Calls that were recorded first are begun when there is clear room, all channels of one at once. */
  #beginDeferred(): void {
    const free = freeShare(this.#engines.views(), this.#serving);
    const { begin, caughtUp } = this.#recordFirst.look(this.#views, free, this.#nowUs());
    for (const callId of caughtUp) this.#recognise(callId, 'current');
    if (begin === null) return;
    this.#recognise(begin, 'catching-up');
    this.#log.info({ callId: begin }, 'clear room: a call is recognised that was recorded first');
  }

  #recognise(callId: CallId, state: RecognitionState): void {
    for (const channel of this.#channels.values()) {
      if (channel.callId !== callId) continue;
      channel.recognition = state;
      if (channel.state === 'deferred') channel.state = 'placing';
      this.#place(channel);
    }
    this.#events.recognition(callId, state);
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
    const { wanted } = channel;
    const isThere = wanted !== null && this.#engines.connection(wanted) !== null;
    const engine = isThere ? wanted : this.#engines.choose(channel.avoid);
    if (engine === null) return;
    const { resumeTick, subject } = channel;
    const fromTick = warmUpFrom(subject.tape, resumeTick, this.#engines.clearsAtGap(engine));
    channel.wanted = null;
    channel.engine = engine;
    channel.state = 'open';
    channel.placedUs = this.#nowUs();
    channel.cursor = fromTick;
    channel.creditTick = fromTick;
    channel.decidedTick = resumeTick;
    channel.endSent = false;
    channel.patience.reset();
    channel.lastWasGap = false;
    channel.window = null;
    this.#engines.placed(engine);
    this.#engines.connection(engine)?.send({
      type: 'open',
      channel: subject.id,
      attempt: channel.attempt,
      fromTick,
      outputFromTick: resumeTick,
      // Its arrivals may be of before a reboot, and look new.
      config: { ...channel.config(), priority: isLate(channel, this.#nowUs()) ? 'catch-up' : 'live' },
    });
  }

  #fromEngine(engine: number, message: Exclude<FromAsr, { type: 'hello' }>): void {
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

  /** Channels of an engine that does not keep up go to one with clear room, some a second. */
  #rebalance(): void {
    let sent = 0;
    let audio = 0;
    const open = [...this.#channels.values()].flatMap((channel) => {
      const { engine, state, lagTicks, placedUs, movedUs, decidedTick, committedTick, resumeTick } = channel;
      // How far behind it is says nothing of its engine while it is to be late.
      if (state !== 'open' || engine === null || channel.recognition !== 'current') return [];
      sent += channel.sentTicks;
      audio += channel.audioTicks;
      const againTicks = decidedTick - Math.max(resumeTick, committedTick);
      return { channel, engine, lagTicks, placedUs, movedUs, againTicks };
    });
    const nowUs = this.#nowUs();
    const moves = this.#balance.look(this.#engines.views(), open, sent === 0 ? 1 : audio / sent, nowUs);
    if (moves === null) return;
    const { from, to, channels } = moves;
    for (const { channel } of channels) {
      channel.avoid = from;
      channel.wanted = to;
      channel.movedUs = nowUs;
      this.#events.reopened('rebalanced');
      this.#reopen(channel);
    }
    this.#log.info({ from, to, channels: channels.length }, 'engine does not keep up: channels move');
  }

  #engineGone(engine: number): void {
    this.#balance.gone(engine);
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
    const sent = feed(channel, connection, budget);
    if (channel.endSent) this.#settleIfDone(channel);
    return sent;
  }
}

/** All of it is of long ago: it has ended, or is of before a reboot, when the monotonic clock began again. */
const isLate = ({ recognition, endTick, subject }: AsrChannel, nowUs: number): boolean =>
  recognition === 'catching-up' && (endTick !== null || subject.zero.monoUs > nowUs);
