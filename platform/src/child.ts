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
import type { Config } from './config-shape.ts';
import { readConfig } from './config.ts';
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
  /** An RTP and an RTCP socket. @param rtpPort on this one, or none @throws LendError with code RTP_PORTS_EXHAUSTED */
  lend(channel: ChannelId, rtpPort?: number): Promise<{ rtp: LentSocket; rtcp: LentSocket }>;
  /** Gives a channel's sockets back; close your own end first. */
  giveBack(channel: ChannelId): void;
  onEngines(listener: (engines: readonly EngineRow[]) => void): void;
  /** Told whether new calls are taken, at once and whenever it changes. Without host they are. */
  onAdmission(listener: (open: boolean) => void): void;
  /** Asks host to take new calls, or none. @returns false where there is no host to ask */
  setAdmission(open: boolean): boolean;
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
  const becoming = process.env['EARSHOT_STANDBY'] === '1' ? await standBy(name, messages, rehearse) : null;
  const given = becoming?.instance ?? process.env['EARSHOT_INSTANCE'];
  const instance = Number(given ?? '0');
  const label = given === undefined ? name : `${name}-${instance}`;
  const log = createLog(label, process.env['LOG_LEVEL'] ?? 'info');
  const registry = createRegistry(label);
  const channel = new HostChannel(messages, becoming?.ahead ?? new Map(), log, registry);
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

/** What a process is when it no longer stands by: its instance, and the sockets that were sent ahead, by port. */
interface Becoming {
  readonly instance: string;
  readonly ahead: ReadonlyMap<number, unknown>;
}

/**
 * Stands by until host says which instance this process is to be. Until then it is sent the sockets of all instances: hundreds of
 * them take a tenth of a second, since Node waits for an answer to each. A process whose host is gone ends.
 */
async function standBy(
  name: string,
  messages: HostMessages,
  rehearse: (config: Config) => Promise<void>,
): Promise<Becoming> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  try {
    await rehearse(readConfig(process.env));
  } catch (error) {
    createLog(name, process.env['LOG_LEVEL'] ?? 'info').warn({ err: error }, 'rehearsal failed');
  }
  return new Promise((resolve) => {
    const gone = (): void => process.exit(1);
    process.on('disconnect', gone);
    const ahead = new Map<number, unknown>();
    messages.listener = (message, handle) => {
      if (message.type === 'lent') {
        ahead.set(message.port, handle);
      } else if (message.type === 'lent.back') {
        (ahead.get(message.port) as { close(): void } | undefined)?.close();
        ahead.delete(message.port);
      } else if (message.type === 'become') {
        process.off('disconnect', gone);
        messages.listener = null;
        resolve({ instance: String(message.instance), ahead });
      } else {
        process.exit(message.type === 'drain' ? 0 : 70);
      }
    };
    process.send?.({ type: 'standing-by' } satisfies FromChild);
  });
}

type HostListener = (message: ToChild, handle: unknown) => void;

/** What host sends, in order, to whoever listens; what comes while nobody does is kept. */
class HostMessages {
  readonly #kept: [ToChild, unknown][] = [];
  #listener: HostListener | null = null;

  constructor() {
    process.on('message', (message: ToChild, handle: unknown) => {
      if (this.#listener === null) this.#kept.push([message, handle]);
      else this.#listener(message, handle);
    });
  }

  set listener(listener: HostListener | null) {
    this.#listener = listener;
    while (this.#listener !== null) {
      const kept = this.#kept.shift();
      if (kept === undefined) return;
      this.#listener(...kept);
    }
  }
}

class HostChannel implements HostLink {
  readonly underHost = process.send !== undefined;
  readonly lentAtStart: LentSocket[] = [];
  service: Service | null = null;
  onDrain: () => void = () => undefined;
  /** Sent before this process was told what it is. */
  readonly #ahead: ReadonlyMap<number, unknown>;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #engineListeners: ((engines: readonly EngineRow[]) => void)[] = [];
  readonly #lends = new Map<number, LendWaiter>();
  readonly #metricWaiters = new Map<number, (processes: readonly ProcessMetrics[]) => void>();
  readonly #allLent: Promise<void>;
  #sayAllLent: () => void = () => undefined;
  #engines: readonly EngineRow[] = [];
  readonly #admissionListeners: ((open: boolean) => void)[] = [];
  #admissionOpen = true;
  #nextId = 1;

  constructor(messages: HostMessages, ahead: ReadonlyMap<number, unknown>, log: Log, registry: Registry) {
    this.#ahead = ahead;
    this.#log = log;
    this.#registry = registry;
    this.#allLent = new Promise((resolve) => (this.#sayAllLent = resolve));
    messages.listener = (message, handle) => this.#receive(message, handle);
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

  lend(channel: ChannelId, rtpPort?: number): Promise<{ rtp: LentSocket; rtcp: LentSocket }> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#lends.set(id, { resolve, reject, rtp: null, rtcp: null });
      this.send({ type: 'lend', id, channel, ...(rtpPort === undefined ? {} : { rtpPort }) });
    });
  }

  giveBack(channel: ChannelId): void {
    this.send({ type: 'return', channel });
  }

  onEngines(listener: (engines: readonly EngineRow[]) => void): void {
    this.#engineListeners.push(listener);
    if (this.#engines.length > 0) listener(this.#engines);
  }

  onAdmission(listener: (open: boolean) => void): void {
    this.#admissionListeners.push(listener);
    listener(this.#admissionOpen);
  }

  setAdmission(open: boolean): boolean {
    this.send({ type: 'admission.set', open });
    return this.underHost;
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
      case 'lent': {
        const { kind, port, channel } = message;
        this.#lent({ kind, port, channel, handle: handle ?? this.#ahead.get(port) }, message.id);
        break;
      }
      case 'lent.all':
        this.#closeOthers();
        this.#sayAllLent();
        break;
      case 'lend.failed':
        this.#lends.get(message.id)?.reject(new LendError(message.code, message.message));
        this.#lends.delete(message.id);
        break;
      case 'lent.back':
      case 'become':
        break;
      case 'engines':
        this.#engines = message.engines;
        for (const listener of this.#engineListeners) listener(message.engines);
        break;
      case 'admission':
        this.#admissionOpen = message.open;
        for (const listener of this.#admissionListeners) listener(message.open);
        break;
      case 'metrics':
        this.#metricWaiters.get(message.id)?.(message.processes);
        this.#metricWaiters.delete(message.id);
        break;
    }
  }

  /** What was sent ahead for other instances than the one that this process became. */
  #closeOthers(): void {
    const ours = new Set(this.lentAtStart.map(({ handle }) => handle));
    for (const handle of this.#ahead.values()) {
      if (!ours.has(handle)) (handle as { close(): void }).close();
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
