import { join } from 'node:path';
import {
  type AsrChannelConfig,
  type ChannelId,
  type FromAsr,
  type FromCommit,
  type FromMedia,
  sockets,
  type ToAsr,
  type ToCommit,
  type ToMedia,
} from '@earshot/contracts';
import { type Connection, Dialer, listen, type Listener } from '@earshot/platform';
import { until } from './until.ts';

export interface Heard {
  readonly kind: 'audio' | 'gap';
  readonly from: number;
  readonly to: number;
  /** Copy of the PCM, for audio. */
  readonly pcm: Int16Array;
}

/** One opening of a channel on the fake engine, and all that was sent to it. */
export interface Opening {
  readonly channel: ChannelId;
  readonly attempt: number;
  readonly fromTick: number;
  readonly outputFromTick: number;
  readonly config: AsrChannelConfig;
  readonly heard: Heard[];
  /** Where the last message ended. */
  at: number;
  creditTick: number;
  endTick: number | null;
  closed: boolean;
}

/** An engine that speaks the contract and checks it: contiguous ticks, nothing beyond the credit. */
export class FakeEngine {
  readonly openings: Opening[] = [];
  readonly faults: string[] = [];
  /** Given beyond what was received. */
  creditAheadTicks = 16_000;
  /** Takes everything and answers nothing. */
  silent = false;
  /** Said of each channel as decided, instead of what was heard. */
  decidedTick: number | null = null;
  /** Told to transcripts as settled when it is decided. */
  transcripts: FakeTranscripts | null = null;
  readonly #listener: Listener;
  readonly #connections = new Set<Connection<ToAsr, FromAsr>>();

  private constructor(listener: Listener) {
    this.#listener = listener;
  }

  static async start(runDir: string, engine = 0, clearsAtGap = false): Promise<FakeEngine> {
    let fake: FakeEngine | null = null;
    const listener = await listen<ToAsr, FromAsr>(join(runDir, sockets.audio(engine)), (connection) => {
      const self = fake!;
      self.#connections.add(connection);
      const { pid } = process;
      connection.send({ type: 'hello', engine, pid, model: 'fake', chunkMs: 100, clearsAtGap });
      return {
        message: (message, body) => self.#receive(connection, message, body),
        close: () => self.#connections.delete(connection),
      };
    });
    fake = new FakeEngine(listener);
    return fake;
  }

  get connected(): boolean {
    return this.#connections.size > 0;
  }

  latest(channel: ChannelId): Opening | undefined {
    return this.openings.findLast((opening) => opening.channel === channel);
  }

  /** Says that it cannot keep the channel. */
  giveBack(opening: Opening, code = 'FULL'): void {
    const { channel, attempt } = opening;
    for (const connection of this.#connections) connection.send({ type: 'lost', channel, attempt, code });
  }

  /** As if the process had died. */
  async die(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await this.#listener.close();
  }

  #receive(connection: Connection<ToAsr, FromAsr>, message: ToAsr, body: Uint8Array): void {
    if (message.type === 'open') {
      const { channel, attempt, fromTick, outputFromTick, config } = message;
      const opening: Opening = {
        channel,
        attempt,
        fromTick,
        outputFromTick,
        config,
        heard: [],
        at: fromTick,
        creditTick: fromTick,
        endTick: null,
        closed: false,
      };
      this.openings.push(opening);
      this.#credit(connection, opening);
      return;
    }
    const opening = this.openings.findLast(
      (each) => each.channel === message.channel && each.attempt === message.attempt,
    );
    if (opening === undefined || opening.closed) {
      if (message.type !== 'close') this.faults.push(`${message.type} for a channel that is not open`);
      return;
    }
    if (message.type === 'close') opening.closed = true;
    else if (message.type === 'end') {
      if (message.tick !== opening.at) this.faults.push(`end at ${message.tick}, heard up to ${opening.at}`);
      opening.endTick = message.tick;
      this.#decided(opening);
    } else {
      this.#audio(opening, message, body);
      this.#credit(connection, opening);
    }
  }

  #audio(opening: Opening, message: Extract<ToAsr, { type: 'audio' | 'gap' }>, body: Uint8Array): void {
    const pcm = new Int16Array(Uint8Array.from(body).buffer);
    const from = message.type === 'audio' ? message.startTick : opening.at;
    const to = message.type === 'audio' ? from + pcm.length : message.toTick;
    if (from !== opening.at) this.faults.push(`${message.type} from ${from}, expected ${opening.at}`);
    if (to <= from) this.faults.push(`${message.type} of nothing at ${from}`);
    if (to > opening.creditTick) this.faults.push(`${message.type} to ${to}, credit ${opening.creditTick}`);
    if (pcm.length > 8000) this.faults.push(`audio of ${pcm.length} ticks`);
    opening.heard.push({ kind: message.type, from, to, pcm });
    opening.at = to;
  }

  #credit(connection: Connection<ToAsr, FromAsr>, opening: Opening): void {
    const { channel, attempt, at } = opening;
    if (this.silent) return;
    opening.creditTick = at + this.creditAheadTicks;
    const decidedTick = this.decidedTick ?? at;
    connection.send({ type: 'credit', channel, attempt, uptoTick: opening.creditTick, decidedTick });
    if (this.decidedTick === null) this.#decided(opening);
  }

  #decided(opening: Opening): void {
    this.transcripts?.settle(opening.channel, opening.endTick ?? opening.at);
  }
}

/** Transcripts' end of the commit link: fences attempts, remembers how far a channel is settled. */
export class FakeTranscripts {
  readonly ledgers: Extract<ToCommit, { type: 'ledger' }>[] = [];
  readonly disk: Omit<Extract<ToCommit, { type: 'disk' }>, 'type'>[] = [];
  readonly recognition: Omit<Extract<ToCommit, { type: 'recognition' }>, 'type'>[] = [];
  readonly settledTick = new Map<ChannelId, number>();
  readonly attempts = new Map<ChannelId, number>();
  readonly ended = new Map<ChannelId, number>();
  readonly asked: { channel: ChannelId; attempt: number }[] = [];
  /** While true nothing is said to be committed. */
  holdCommits = false;
  readonly #listener: Listener;
  readonly #connections = new Set<Connection<ToCommit, FromCommit>>();

  private constructor(listener: Listener) {
    this.#listener = listener;
  }

  static async start(runDir: string, before?: FakeTranscripts): Promise<FakeTranscripts> {
    let fake: FakeTranscripts | null = null;
    const listener = await listen<ToCommit, FromCommit>(join(runDir, sockets.commit), (connection) => {
      const self = fake!;
      self.#connections.add(connection);
      connection.send({ type: 'hello', pid: process.pid });
      return {
        message: (message) => self.#receive(connection, message),
        close: () => self.#connections.delete(connection),
      };
    });
    fake = new FakeTranscripts(listener);
    if (before !== undefined) {
      for (const [channel, tick] of before.settledTick) fake.settledTick.set(channel, tick);
    }
    return fake;
  }

  settle(channel: ChannelId, tick: number): void {
    if (this.holdCommits || tick <= (this.settledTick.get(channel) ?? 0)) return;
    this.settledTick.set(channel, tick);
    for (const connection of this.#connections) connection.send({ type: 'committed', channel, tick });
  }

  async die(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await this.#listener.close();
  }

  #receive(connection: Connection<ToCommit, FromCommit>, message: ToCommit): void {
    if (message.type === 'ended') {
      this.ended.set(message.channel, message.endTick);
      const tick = this.settledTick.get(message.channel) ?? 0;
      connection.send({ type: 'committed', channel: message.channel, tick });
    }
    if (message.type === 'ledger') this.ledgers.push(message);
    if (message.type === 'recognition') this.recognition.push(message);
    if (message.type === 'disk') {
      const { type: _type, ...told } = message;
      this.disk.push(told);
    }
    if (message.type !== 'attempt') return;
    const { channel } = message;
    this.asked.push({ channel, attempt: message.attempt });
    const attempt = Math.max(message.attempt, this.attempts.get(channel) ?? 0);
    this.attempts.set(channel, attempt);
    const tick = this.settledTick.get(channel) ?? 0;
    connection.send({ type: 'resume', channel, attempt, tick });
    if (tick > 0) connection.send({ type: 'committed', channel, tick });
  }
}

type Answer = Extract<FromMedia, { id: number }>;

/** The gateway's end of the control link. */
export class FakeGateway {
  readonly reports: FromMedia[] = [];
  readonly failures: Extract<FromMedia, { type: 'leg.failed' }>[] = [];
  hellos = 0;
  readonly #answers = new Map<number, Answer>();
  readonly #dialer: Dialer<FromMedia, ToMedia>;
  /** A leg that a sync could not bring in line is told before its answer. */
  readonly #syncs = new Set<number>();
  #nextId = 1;

  constructor(runDir: string) {
    this.#dialer = new Dialer<FromMedia, ToMedia>(join(runDir, sockets.control(0)), {
      open: () => undefined,
      message: (message) => {
        if (message.type === 'hello') this.hellos++;
        else if (message.type === 'leg.failed' && this.#syncs.has(message.id)) this.failures.push(message);
        else if ('id' in message) this.#answers.set(message.id, message);
        else this.reports.push(message);
      },
      lost: () => undefined,
    });
  }

  async connected(): Promise<void> {
    await until(() => this.#dialer.connection !== null, 'control link');
  }

  async ask<T extends (ToMedia extends infer M ? (M extends { id: number } ? Omit<M, 'id'> : never) : never)>(
    message: T,
  ): Promise<Answer> {
    await this.connected();
    const id = this.#nextId++;
    if (message.type === 'leg.sync') this.#syncs.add(id);
    this.#dialer.send({ ...message, id });
    await until(() => this.#answers.has(id), `answer to ${message.type}`);
    return this.#answers.get(id)!;
  }

  close(): void {
    this.#dialer.close();
  }
}
