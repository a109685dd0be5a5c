import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallId,
  type CallInfo,
  type ChannelId,
  type ChannelTotals,
  channelIdOf,
  type Command,
  type FromCalls,
  type FromCommands,
  type FromCommit,
  type FromEngine,
  type SpanKind,
  monoUs,
  newCallId,
  segmentIdOf,
  sockets,
  type ToCalls,
  type ToCommands,
  type ToCommit,
  type ToEngine,
  type ToLive,
  type Word,
} from '@earshot/contracts';
import { createLog, createPool, createRegistry, Dialer, listen, migrate } from '@earshot/platform';
import type { Listener, Pool, Registry } from '@earshot/platform';
import { until } from '../../platform/test/until.ts';
import { type ServiceOptions, TranscriptsService } from '../src/server/service.ts';

export { until };

export const log = createLog('test', process.env['TEST_LOG'] ?? 'silent');

/** Everything around the process: an engine, a media worker, a gateway, a dashboard-api, a post-call. */
export class Surroundings {
  readonly runDir: string;
  readonly fromCommit: FromCommit[] = [];
  readonly acks: number[] = [];
  /** What the gateway was asked for. */
  readonly asked: { callId: CallId; paused: boolean }[] = [];
  readonly answers: FromCommands[] = [];
  /** What the engine was told. */
  readonly told: ToEngine[] = [];
  readonly live: ToLive[] = [];
  readonly engine: Dialer<ToEngine, FromEngine>;
  readonly worker: Dialer<FromCommit, ToCommit>;
  readonly gateway: Dialer<FromCalls, ToCalls>;
  readonly postCall: Dialer<FromCommands, ToCommands>;
  #liveListener: Listener | null = null;
  #nextId = 1;
  /** As a media worker does when the link is new: announce every channel again. */
  onWorkerOpen: () => void = () => undefined;
  /** As an engine does when its words link broke: all its channels are lost. */
  onEngineLost: () => void = () => undefined;
  onEngineOpen: () => void = () => undefined;
  onCommit: (message: FromCommit) => void = () => undefined;

  constructor(runDir: string) {
    this.runDir = runDir;
    const nothing = (): void => undefined;
    const path = (name: string): string => join(runDir, name);
    this.engine = new Dialer(path(sockets.words), {
      open: () => this.onEngineOpen(),
      message: (message) => void this.told.push(message),
      lost: () => this.onEngineLost(),
    });
    this.worker = new Dialer(path(sockets.commit), {
      open: () => this.onWorkerOpen(),
      message: (message) => {
        this.fromCommit.push(message);
        this.onCommit(message);
      },
      lost: nothing,
    });
    this.gateway = new Dialer(path(sockets.calls), {
      open: nothing,
      message: (message) => {
        if (message.type === 'ack') this.acks.push(message.id);
        else this.asked.push({ callId: message.callId, paused: message.paused });
      },
      lost: nothing,
    });
    this.postCall = new Dialer(path(sockets.commands), {
      open: nothing,
      message: (message) => void this.answers.push(message),
      lost: nothing,
    });
  }

  static async make(): Promise<Surroundings> {
    return new Surroundings(await mkdtemp(join(tmpdir(), 'es-')));
  }

  async listenLive(): Promise<void> {
    this.#liveListener = await listen<ToLive, never>(join(this.runDir, sockets.live(0)), () => ({
      message: (message) => void this.live.push(message),
      close: () => undefined,
    }));
  }

  connected(): Promise<unknown> {
    const links = [this.engine, this.worker, this.gateway, this.postCall];
    return until('all arrows are connected', () => links.every((link) => link.connection !== null));
  }

  start(call: CallInfo): number {
    const id = this.#nextId++;
    this.gateway.send({ type: 'call.started', id, call });
    return id;
  }

  update(call: CallInfo): number {
    const id = this.#nextId++;
    this.gateway.send({ type: 'call.updated', id, call });
    return id;
  }

  /** A part of a channel's ledger, as a media worker tells it. */
  ledger(channel: ChannelId, fromTick: number, ...spans: [SpanKind, number][]): number {
    const toTick = spans.reduce((tick, [, ticks]) => tick + ticks, fromTick);
    this.worker.send({ type: 'ledger', channel, fill: false, fromTick, toTick, spans, notes: [] });
    return toTick;
  }

  ledgeredTick(channel: ChannelId): number {
    return Math.max(
      0,
      ...this.fromCommit.map((message) =>
        message.type === 'ledgered' && message.channel === channel ? message.toTick : 0,
      ),
    );
  }

  /** The media worker's ledger of those channels is told before. */
  end(callId: CallId, channels: readonly ChannelTotals[] = []): number {
    for (const { channel, endTick } of channels)
      if (endTick > 0) this.ledger(channel, 0, ['received', endTick]);
    const id = this.#nextId++;
    this.gateway.send({ type: 'call.ended', id, callId, endedAtMs: Date.now(), endReason: 'bye', channels });
    return id;
  }

  acked(id: number): Promise<unknown> {
    return until(`ack ${id}`, () => this.acks.includes(id));
  }

  /** Opens a channel as a media worker does. @returns where to go on, and the attempt to use */
  async open(channel: ChannelId, attempt: number): Promise<{ attempt: number; tick: number }> {
    this.fromCommit.length = 0;
    this.worker.send({ type: 'attempt', channel, attempt });
    const resume = await until('resume', () =>
      this.fromCommit.find((message) => message.type === 'resume' && message.channel === channel),
    );
    if (resume.type !== 'resume') throw new Error('unreachable');
    return resume;
  }

  final(
    channel: ChannelId,
    attempt: number,
    fromTick: number,
    words: readonly Word[],
    toTick?: number,
  ): void {
    this.engine.send({
      type: 'final',
      channel,
      attempt,
      segmentId: segmentIdOf(channel, fromTick),
      fromTick,
      toTick: toTick ?? words.at(-1)!.endTick,
      words,
      arrivalUs: monoUs(),
    });
  }

  settle(channel: ChannelId, attempt: number, settledTick: number): void {
    this.engine.send({ type: 'progress', channel, attempt, decidedTick: settledTick, settledTick });
  }

  /** Sends a command as post-call or dashboard-api does. @returns the answer */
  async command(command: Command): Promise<FromCommands> {
    const id = this.#nextId++;
    this.postCall.send({ ...command, id });
    return until(`answer to ${command.type}`, () => this.answers.find((answer) => answer.id === id));
  }

  committedTick(channel: ChannelId): number {
    return Math.max(
      0,
      ...this.fromCommit.map((message) =>
        message.type === 'committed' && message.channel === channel ? message.tick : 0,
      ),
    );
  }

  async close(): Promise<void> {
    for (const link of [this.engine, this.worker, this.gateway, this.postCall]) link.close();
    await this.#liveListener?.close();
    await rm(this.runDir, { recursive: true, force: true });
  }
}

export interface Running {
  readonly service: TranscriptsService;
  readonly pool: Pool;
  /** The value of a metric (a histogram's count by `name_count`), summed over what labels are not named. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  stop(): Promise<void>;
}

async function metricOf(registry: Registry, name: string, labels: Record<string, string>): Promise<number> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics
    .flatMap((metric) =>
      (metric.values as { value: number; metricName?: string; labels: Record<string, unknown> }[]).map(
        (row) => ({
          name: row.metricName ?? metric.name,
          ...row,
        }),
      ),
    )
    .filter((row) => row.name === name)
    .filter((row) => Object.entries(labels).every(([key, label]) => row.labels[key] === label))
    .reduce((sum, { value }) => sum + value, 0);
}

/** The service in this process. */
export async function startService(
  url: string,
  runDir: string,
  options: Partial<ServiceOptions> = {},
): Promise<Running> {
  const pool = createPool(url, log, 3);
  const registry = createRegistry('test');
  const service = new TranscriptsService({ pool, log, registry, runDir, ...options });
  await service.start();
  return {
    service,
    pool,
    metric: (name, labels = {}) => metricOf(registry, name, labels),
    stop: async () => {
      await service.drain();
      await pool.end();
    },
  };
}

export const migrated = async (url: string): Promise<string> => {
  await migrate(url, log);
  return url;
};

/** The real process, as host starts it but without host. */
export function spawnTranscripts(url: string, runDir: string): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, '../main.ts')], {
    env: { ...process.env, DATABASE_URL: url, EARSHOT_RUN_DIR: runDir, LOG_LEVEL: 'warn' },
    stdio: process.env['TEST_LOG'] === undefined ? 'ignore' : 'inherit',
  });
}

export function makeCall(channels = 2): CallInfo {
  const callId = newCallId(Date.now(), randomBytes(10));
  return {
    callId,
    startedAtMs: Date.now(),
    dialect: 'siprec-rfc7866',
    sip: {
      callId: 'a84b4c76e66710',
      from: 'sip:srs@example.test',
      to: 'sip:earshot@example.test',
      transport: 'udp',
      source: '127.0.0.1:5070',
    },
    externalIds: { 'x-crm-id': '4711' },
    channels: Array.from({ length: channels }, (_, index) => ({
      channel: channelIdOf(callId, index),
      index,
      role: index === 0 ? 'agent' : 'customer',
      label: String(index),
      codec: 'PCMU',
      participant: { name: null, aor: null },
      evidence: ['label'],
    })),
    worker: 0,
  };
}

export const totalsOf = (channel: ChannelId, endTick: number): ChannelTotals => ({
  channel,
  endTick,
  packetsReceived: 10,
  packetsLost: 1,
  packetsLate: 0,
  packetsDuplicate: 0,
  packetsRejected: 0,
});

/** Words of 0.5 s each from a tick on. */
export const wordsFrom = (tick: number, ...texts: string[]): Word[] =>
  texts.map((text, i) => ({
    text,
    startTick: tick + i * 4000 + 100,
    endTick: tick + (i + 1) * 4000,
    confidence: 0.9,
  }));
