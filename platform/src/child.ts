import {
  type EngineRow,
  type FromChild,
  type LentKind,
  type ProcessMetrics,
  type ToChild,
  isEarshotError,
} from '@earshot/contracts';
import type { ChannelId } from '@earshot/contracts';
import type { Registry } from 'prom-client';
import { type Config, readConfig } from './config.ts';
import { createLog, type Log } from './log.ts';
import { createRegistry } from './metrics.ts';

/** A socket that host bound and lends; `handle` is Node's raw UDP or TCP handle. */
export interface LentSocket {
  readonly kind: LentKind;
  readonly port: number;
  readonly channel: ChannelId | null;
  readonly handle: unknown;
}

export interface ChildContext {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
  /** Folder of the Unix sockets. */
  readonly runDir: string;
  /** Which of its kind this process is, from 0. */
  readonly instance: number;
  readonly host: HostLink;
}

export interface Service {
  /** Shown in host's log when the process is ready. */
  readonly info?: Readonly<Record<string, string | number | boolean>>;
  /** Finish what is in hand. The process exits when it resolves. */
  drain(): Promise<void>;
  /** For asr engines: the row of host's headroom table. */
  engineRow?(): EngineRow;
}

/** The child's side of the IPC channel to host. */
export interface HostLink {
  /** Sockets that host lent to the predecessor of this process, complete when runChild's start is called. */
  readonly lentAtStart: readonly LentSocket[];
  /** An RTP and an RTCP socket. @throws LendError with code RTP_PORTS_EXHAUSTED */
  lend(channel: ChannelId): Promise<{ rtp: LentSocket; rtcp: LentSocket }>;
  /** Gives a channel's sockets back; close your own end first. */
  giveBack(channel: ChannelId): void;
  onEngines(listener: (engines: readonly EngineRow[]) => void): void;
  /** The metrics of all processes, as host last heard them. */
  metrics(): Promise<readonly ProcessMetrics[]>;
}

/**
 * Runs a process under host: reads the configuration, waits for lent sockets, starts the service, says ready,
 * answers pings, drains when told, ends by itself when host is gone. SIGINT, SIGTERM and SIGHUP are ignored: a terminal sends them
 * to the whole group, and the order of stopping is host's. Without an IPC channel (a container of its own) SIGTERM drains.
 *
 * @param rehearse run by a process that stands by, before it says so: what makes a start quicker. It may fail.
 */
export async function runChild(
  name: string,
  start: (context: ChildContext) => Promise<Service>,
  rehearse: (config: Config) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const messages = new HostMessages();
  const given =
    process.env['EARSHOT_STANDBY'] === '1'
      ? await standBy(name, messages, rehearse)
      : process.env['EARSHOT_INSTANCE'];
  const instance = Number(given ?? '0');
  const label = given === undefined ? name : `${name}-${instance}`;
  const log = createLog(label, process.env['LOG_LEVEL'] ?? 'info');
  const registry = createRegistry(label);
  const channel = new HostChannel(messages, log, registry);
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught exception');
    process.exit(70);
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection');
    process.exit(70);
  });
  let service: Service | null = null;
  let draining = false;
  const drain = async (): Promise<void> => {
    if (draining) return;
    draining = true;
    try {
      await service?.drain();
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, 'drain failed');
      process.exit(1);
    }
  };
  channel.onDrain = () => void drain();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!channel.underHost) void drain();
    });
  }
  try {
    const config = readConfig(process.env);
    await channel.predecessorsSockets();
    service = await start({
      config,
      log,
      registry,
      runDir: process.env['EARSHOT_RUN_DIR'] ?? '.',
      instance,
      host: channel,
    });
    channel.service = service;
    channel.send({ type: 'ready', info: service.info ?? {} });
  } catch (error) {
    log.fatal({ err: error }, 'start failed');
    const known = isEarshotError(error)
      ? { code: error.code, message: error.message, action: error.action }
      : { code: 'INTERNAL', message: (error as Error).message, action: 'See the log above.' };
    channel.send({ type: 'fatal', ...known });
    // The channel is asynchronous: give it a moment to carry the reason.
    setTimeout(() => process.exit(1), 50);
  }
}

/**
 * Stands by until host says which instance this process is to be. Nothing else is sent before; a process whose host is gone
 * ends.
 */
async function standBy(
  name: string,
  messages: HostMessages,
  rehearse: (config: Config) => Promise<void>,
): Promise<string> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  try {
    await rehearse(readConfig(process.env));
  } catch (error) {
    createLog(name, process.env['LOG_LEVEL'] ?? 'info').warn({ err: error }, 'rehearsal failed');
  }
  return new Promise((resolve) => {
    const gone = (): void => process.exit(1);
    process.on('disconnect', gone);
    messages.next = (message) => {
      process.off('disconnect', gone);
      if (message.type !== 'become') process.exit(message.type === 'drain' ? 0 : 70);
      resolve(String(message.instance));
    };
    process.send?.({ type: 'standing-by' } satisfies FromChild);
  });
}

/** What host sends, in order, to whoever listens; what comes while nobody does is kept. */
class HostMessages {
  readonly #kept: [ToChild, unknown][] = [];
  #next: ((message: ToChild, handle: unknown) => void) | null = null;
  #listener: ((message: ToChild, handle: unknown) => void) | null = null;

  constructor() {
    process.on('message', (message: ToChild, handle: unknown) => {
      const to = this.#next ?? this.#listener;
      this.#next = null;
      if (to === null) this.#kept.push([message, handle]);
      else to(message, handle);
    });
  }

  /** For the next message only. */
  set next(listener: (message: ToChild, handle: unknown) => void) {
    this.#next = listener;
  }

  listen(listener: (message: ToChild, handle: unknown) => void): void {
    this.#listener = listener;
    for (const [message, handle] of this.#kept.splice(0)) listener(message, handle);
  }
}

class HostChannel implements HostLink {
  readonly underHost = process.send !== undefined;
  readonly lentAtStart: LentSocket[] = [];
  service: Service | null = null;
  onDrain: () => void = () => undefined;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #engineListeners: ((engines: readonly EngineRow[]) => void)[] = [];
  readonly #lends = new Map<number, LendWaiter>();
  readonly #metricWaiters = new Map<number, (processes: readonly ProcessMetrics[]) => void>();
  readonly #allLent: Promise<void>;
  #sayAllLent: () => void = () => undefined;
  #engines: readonly EngineRow[] = [];
  #nextId = 1;

  constructor(messages: HostMessages, log: Log, registry: Registry) {
    this.#log = log;
    this.#registry = registry;
    this.#allLent = new Promise((resolve) => (this.#sayAllLent = resolve));
    messages.listen((message, handle) => this.#receive(message, handle));
    process.on('disconnect', () => {
      log.error('host is gone');
      process.exit(1);
    });
  }

  predecessorsSockets(): Promise<void> {
    return this.underHost ? this.#allLent : Promise.resolve();
  }

  send(message: FromChild): void {
    if (process.connected) process.send?.(message);
  }

  lend(channel: ChannelId): Promise<{ rtp: LentSocket; rtcp: LentSocket }> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#lends.set(id, { resolve, reject, rtp: null, rtcp: null });
      this.send({ type: 'lend', id, channel });
    });
  }

  giveBack(channel: ChannelId): void {
    this.send({ type: 'return', channel });
  }

  onEngines(listener: (engines: readonly EngineRow[]) => void): void {
    this.#engineListeners.push(listener);
    if (this.#engines.length > 0) listener(this.#engines);
  }

  async metrics(): Promise<readonly ProcessMetrics[]> {
    if (!this.underHost) {
      return [{ process: 'self', pid: process.pid, metrics: await this.#registry.getMetricsAsJSON() }];
    }
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#metricWaiters.set(id, resolve);
      this.send({ type: 'metrics.get', id });
    });
  }

  #receive(message: ToChild, handle: unknown): void {
    switch (message.type) {
      case 'ping':
        void this.#pong(message.id);
        break;
      case 'drain':
        this.onDrain();
        break;
      case 'lent':
        this.#lent({ kind: message.kind, port: message.port, channel: message.channel, handle }, message.id);
        break;
      case 'lent.all':
        this.#sayAllLent();
        break;
      case 'lend.failed':
        this.#lends.get(message.id)?.reject(new LendError(message.code, message.message));
        this.#lends.delete(message.id);
        break;
      case 'become':
        break;
      case 'engines':
        this.#engines = message.engines;
        for (const listener of this.#engineListeners) listener(message.engines);
        break;
      case 'metrics':
        this.#metricWaiters.get(message.id)?.(message.processes);
        this.#metricWaiters.delete(message.id);
        break;
    }
  }

  #lent(socket: LentSocket, id: number | null): void {
    const waiter = id === null ? undefined : this.#lends.get(id);
    if (id === null || waiter === undefined) {
      this.lentAtStart.push(socket);
      return;
    }
    if (socket.kind === 'rtp') waiter.rtp = socket;
    else waiter.rtcp = socket;
    if (waiter.rtp !== null && waiter.rtcp !== null) {
      this.#lends.delete(id);
      waiter.resolve({ rtp: waiter.rtp, rtcp: waiter.rtcp });
    }
  }

  async #pong(id: number): Promise<void> {
    try {
      const metrics = await this.#registry.getMetricsAsJSON();
      const engine = this.service?.engineRow?.();
      this.send({ type: 'pong', id, metrics, ...(engine === undefined ? {} : { engine }) });
    } catch (error) {
      this.#log.warn({ err: error }, 'metrics failed');
      this.send({ type: 'pong', id, metrics: [] });
    }
  }
}

interface LendWaiter {
  readonly resolve: (sockets: { rtp: LentSocket; rtcp: LentSocket }) => void;
  readonly reject: (error: Error) => void;
  rtp: LentSocket | null;
  rtcp: LentSocket | null;
}

/** Host could not lend a socket; `code` is one of the error catalogue. */
export class LendError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'LendError';
    this.code = code;
  }
}
