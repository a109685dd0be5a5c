import { join } from 'node:path';
import {
  type AlertKind,
  type FromCalls,
  type FromCommands,
  type FromEngine,
  type ToCalls,
  type ToCommands,
  type ToEngine,
  type ToCommit,
  type FromCommit,
  sockets,
} from '@earshot/contracts';
import { type Listener, type Log, type Pool, type Registry, listen } from '@earshot/platform';
import { setTimeout as delay } from 'node:timers/promises';
import { type CallDocument } from '../document/call.ts';
import type { ChannelDocument } from '../document/channel.ts';
import { loadCalls, loadUnfinished } from '../log/load.ts';
import type { LogItem, Outcome } from '../log/items.ts';
import { LogWriter } from '../log/writer.ts';
import { Attempts } from './attempts.ts';
import { CallDirectory } from './directory.ts';
import { Commands } from './commands.ts';
import { Engines } from './engines.ts';
import { Fences } from './fences.ts';
import { Ledgers } from './ledgers.ts';
import { Pauses } from './pauses.ts';
import { LiveBus } from './live-bus.ts';
import { createMetrics, type TranscriptsMetrics } from './metrics.ts';
import { Vocabulary } from './vocabulary.ts';
import { secondsSince, Words } from './words.ts';

/** Queued changes at which engines are no longer read: they hold their finals, media workers their audio. */
const QUEUE_LIMIT = 200_000;
const SWEEP_MS = 250;
/** A call that ended and is not complete after this long is worth a warning. */
const INCOMPLETE_WARNING_MS = 60_000;
const DRAIN_LIMIT_MS = 5000;
const LOAD_RETRY_MS = 500;

export interface ServiceOptions {
  readonly pool: Pool;
  readonly log: Log;
  readonly registry: Registry;
  /** Folder of the Unix sockets. */
  readonly runDir: string;
  /** Monotonic clock, ms: every interval is measured with it. */
  readonly now?: () => number;
  /** Wall clock, ms since 1970. */
  readonly wallMs?: () => number;
  readonly queueLimit?: number;
}

/**
 * The process's live part: four listening arrows and the live bus around the documents and the writer. All state is
 * either in the call log or is made again from it: see start().
 */
export class TranscriptsService {
  readonly #pool: Pool;
  readonly #log: Log;
  readonly #runDir: string;
  readonly #now: () => number;
  readonly #queueLimit: number;
  readonly #metrics: TranscriptsMetrics;
  readonly #writer: LogWriter;
  readonly #directory: CallDirectory;
  readonly #fences = new Fences();
  readonly #bus: LiveBus;
  readonly #words: Words;
  readonly #ledgers: Ledgers;
  readonly #attempts: Attempts;
  readonly #engines = new Engines();
  readonly #vocabulary: Vocabulary;
  readonly #pauses: Pauses;
  readonly #commands: Commands;
  readonly #ended = new Set<CallDocument>();
  #listeners: Listener[] = [];
  #wordsListener: Listener | null = null;
  #paused = false;
  #sweeper: NodeJS.Timeout | null = null;

  constructor(options: ServiceOptions) {
    const now = options.now ?? (() => performance.now());
    const wallMs = options.wallMs ?? Date.now;
    this.#pool = options.pool;
    this.#log = options.log;
    this.#runDir = options.runDir;
    this.#now = now;
    this.#queueLimit = options.queueLimit ?? QUEUE_LIMIT;
    this.#metrics = createMetrics(options.registry, () => this.#writer.length);
    this.#writer = new LogWriter({
      pool: options.pool,
      log: options.log,
      now,
      wallMs,
      channelsFor: (batch) => this.#fences.rowsFor(batch, now()),
      committed: (batch, channels, seconds) => {
        this.#metrics.commitSeconds.observe(seconds);
        this.#metrics.segments.inc(batch.segments.length);
        this.#metrics.words.inc(batch.words);
        this.#metrics.completed.inc(batch.completed);
        this.#metrics.revised.inc(batch.revisions.length);
        this.#metrics.ledgerParts.inc(batch.ledger.length);
        for (const { type, data } of batch.events)
          if (type === 'alert.raised') this.#metrics.alerts.inc({ kind: data['kind'] as AlertKind });
        this.#fences.written(channels, now(), (channel) => this.#attempts.committed(channel));
        if (batch.seq !== null) this.#bus.logged(batch.seq);
        this.#regulate();
      },
    });
    this.#directory = new CallDirectory({
      load: (callIds) => loadCalls(options.pool, callIds, now()),
      down: () => this.#writer.down,
      now,
      log: options.log,
    });
    this.#bus = new LiveBus(join(options.runDir, sockets.live(0)), ({ arrivalUs }) =>
      this.#metrics.wordLatency.observe({ kind: 'partial' }, secondsSince(arrivalUs)),
    );
    const withCall = this.#directory.with.bind(this.#directory);
    const withCallOrDrop = this.#directory.withOrDrop.bind(this.#directory);
    this.#words = new Words({
      log: options.log,
      metrics: this.#metrics,
      bus: this.#bus,
      now,
      withCall,
      withCallOrDrop,
      add: (call, channel, item, arrivalUs) => this.#addFinal(call, channel, item, arrivalUs),
      moved: (call, channel) => {
        this.#fences.mark(call, channel, false);
        this.#judge(call);
      },
    });
    this.#ledgers = new Ledgers({ log: options.log, add: this.#writer.add.bind(this.#writer) });
    this.#attempts = new Attempts({
      log: options.log,
      ledgers: this.#ledgers,
      now,
      down: () => this.#writer.down,
      withCall,
      fenced: (call, channel) => this.#fences.mark(call, channel, true),
      ended: (call, channel) => {
        this.#ledgers.hand(call);
        this.#fences.mark(call, channel, true);
        this.#judge(call);
      },
    });
    this.#vocabulary = new Vocabulary({
      pool: options.pool,
      log: options.log,
      wallMs,
      changed: (lists) => this.#engines.vocabulary(lists),
    });
    this.#pauses = new Pauses(now);
    this.#commands = new Commands({
      engines: this.#engines,
      vocabulary: this.#vocabulary,
      pauses: this.#pauses,
      withCall,
      add: (item, settled) => this.#writer.add(item, settled),
    });
  }

  /** Reads the unfinished calls and the vocabulary (waiting for the database), then listens. */
  async start(): Promise<{ calls: number }> {
    const documents = await this.#load();
    this.#directory.adopt(documents);
    for (const call of documents) if (call.endedAtMs !== null) this.#ended.add(call);
    this.#wordsListener = await listen<FromEngine, ToEngine>(this.#path(sockets.words), (connection) => {
      this.#engines.connected(connection);
      return {
        message: (message) => this.#words.receive(message),
        close: () => this.#engines.lost(connection),
      };
    });
    this.#listeners = [
      this.#wordsListener,
      await listen<ToCommit, FromCommit>(this.#path(sockets.commit), (connection) => ({
        message: (message) => this.#attempts.receive(connection, message),
        close: () => this.#attempts.lost(connection),
      })),
      await listen<ToCalls, FromCalls>(this.#path(sockets.calls), (connection) => {
        this.#pauses.connected(connection);
        return {
          message: (message) => this.#call(message, (id) => connection.send({ type: 'ack', id })),
          close: () => this.#pauses.lost(connection),
        };
      }),
      await listen<ToCommands, FromCommands>(this.#path(sockets.commands), (connection) => ({
        message: (message) => this.#commands.receive(message, (answer) => connection.send(answer)),
        close: () => undefined,
      })),
    ];
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    return { calls: documents.length };
  }

  /** Takes nothing more, writes what is queued, ends. */
  async drain(): Promise<void> {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.#vocabulary.drain();
    this.#ledgers.sweep();
    const left = await this.#writer.close(DRAIN_LIMIT_MS);
    if (left > 0) this.#log.error({ left }, 'stopped with changes that are not in the call log');
    this.#bus.close();
  }

  #path(name: string): string {
    return join(this.#runDir, name);
  }

  async #load(): Promise<CallDocument[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#vocabulary.load();
        return await loadUnfinished(this.#pool, this.#now());
      } catch (error) {
        if (attempt === 1) this.#log.warn({ err: error }, 'call log not readable, waiting for it');
        await delay(LOAD_RETRY_MS);
      }
    }
  }

  #call(message: ToCalls, ack: (id: number) => void): void {
    const callId = 'call' in message ? message.call.callId : message.callId;
    if (message.type === 'call.pause.failed') {
      this.#pauses.failed(callId, message.paused);
      ack(message.id);
      return;
    }
    if (message.type === 'call.trace') {
      const { id, entries } = message;
      // Behind the look-up that its call.started may wait for: of a call that is not in the log it would be passed over.
      this.#directory.with(callId, () => this.#writer.add({ kind: 'trace', callId, entries }, () => ack(id)));
      return;
    }
    this.#directory.with(callId, (call) => {
      const settled = (outcome: Outcome): void => {
        // Sending it again would not help, so it is acknowledged all the same.
        if (!outcome.done)
          this.#log.warn({ callId, type: message.type, code: outcome.code }, 'call message refused');
        ack(message.id);
        if (message.type === 'call.ended') this.#pauses.ended(callId);
        else this.#pauses.updated(callId, message.call.paused === true);
      };
      if (message.type === 'call.ended') {
        const { endedAtMs, endReason, channels } = message;
        call.end(channels, this.#now());
        this.#ended.add(call);
        this.#writer.add({ kind: 'ended', callId, endedAtMs, endReason, totals: channels }, settled);
        for (const channel of call.channels.values()) this.#fences.mark(call, channel, true);
        this.#judge(call);
        return;
      }
      const isNew = !call.known;
      call.describe(message.call);
      const kind = message.type === 'call.started' ? 'started' : 'updated';
      if (isNew) call.beginsAs(message.call.recognition ?? 'current');
      this.#writer.add({ kind, callId, call: message.call }, settled);
      this.#words.known(call);
      this.#ledgers.hand(call);
      if (call.discarded) this.#speakAgain(call);
    });
  }

  /** Words of the call were given up while it was unknown: its media worker has the audio still. */
  #speakAgain(call: CallDocument): void {
    call.discarded = false;
    this.#log.warn({ callId: call.callId }, 'call started after all, its words are asked for again');
    this.#attempts.askAgain(call);
  }

  #addFinal(call: CallDocument, channel: ChannelDocument, item: LogItem, arrivalUs: number): void {
    this.#fences.mark(call, channel, false);
    this.#writer.add(item, (outcome) => {
      channel.queued--;
      if (outcome.done) {
        if (call.recognition === 'current')
          this.#metrics.wordLatency.observe({ kind: 'final' }, secondsSince(arrivalUs));
      } else this.#metrics.wordsDropped.inc({ reason: 'not-writable' });
    });
    this.#regulate();
  }

  /** Logs the completion once the call has ended and every channel is settled. */
  #judge(call: CallDocument): void {
    if (call.complete) return;
    const proof = call.proof(this.#now());
    if (proof === null) return;
    call.complete = true;
    this.#ended.delete(call);
    for (const channel of call.channels.values()) this.#fences.mark(call, channel, true);
    this.#writer.add({ kind: 'complete', callId: call.callId, proof }, () =>
      this.#directory.markLogged(call.callId),
    );
  }

  #regulate(): void {
    if (!this.#paused && this.#writer.length >= this.#queueLimit) {
      this.#paused = true;
      this.#wordsListener?.pause();
      this.#log.error({ queued: this.#writer.length }, 'call log too far behind, engines are not read');
    } else if (this.#paused && this.#writer.length <= this.#queueLimit / 2) {
      this.#paused = false;
      this.#wordsListener?.resume();
      this.#log.info({ queued: this.#writer.length }, 'engines are read again');
    }
  }

  #sweep(): void {
    const nowMs = this.#now();
    if (this.#fences.anyDue(nowMs)) this.#writer.touch();
    this.#attempts.sweep();
    this.#ledgers.sweep();
    this.#words.sweep();
    this.#pauses.sweep();
    for (const call of this.#ended) {
      this.#judge(call);
      if (call.complete || call.warned || call.isExcused(nowMs)) continue;
      if (nowMs - (call.endedAtMs ?? nowMs) < INCOMPLETE_WARNING_MS) continue;
      call.warned = true;
      this.#log.warn({ callId: call.callId, missing: call.missing() }, 'call ended, transcript not complete');
    }
    this.#directory.sweep((call) => {
      this.#ended.delete(call);
      this.#fences.forget(call);
      this.#attempts.forget(call);
      this.#ledgers.forget(call);
    });
  }
}
