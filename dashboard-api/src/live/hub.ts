import { type EventView, monoUs, type ToLive } from '@earshot/contracts';
import { Gauge, Histogram, type Log, type Registry } from '@earshot/platform';
import type { Database } from '../queries/database.ts';
import { listEvents } from '../queries/events.ts';
import { type ClientOptions, LiveClient, type Outlet } from './client.ts';
import { OpenPartials } from './partials.ts';
import { LogTail } from './tail.ts';

const REPLAY_PAGE = 500;
const FLUSH_MS = 100;
const SWEEP_MS = 5000;

/** Joins the tail of the log and the bus to the clients that are connected. */
export class LiveHub {
  readonly tail: LogTail;
  readonly #db: Database;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #clients = new Set<LiveClient>();
  readonly #open = new OpenPartials();
  readonly #latency: Histogram<'kind'>;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(db: Database, log: Log, registry: Registry, now: () => number) {
    this.#db = db;
    this.#log = log;
    this.#now = now;
    this.tail = new LogTail(db, log, {
      events: (events) => this.#events(events),
      restored: () => this.#restored(),
    });
    const clients = this.#clients;
    new Gauge({
      name: 'earshot_live_clients',
      help: 'Clients on WebSocket or SSE.',
      registers: [registry],
      collect() {
        this.set(clients.size);
      },
    });
    this.#latency = new Histogram({
      name: 'earshot_delivery_latency_seconds',
      help: 'Until the write to a live client. partial: from the arrival of the audio; final: from its commit.',
      labelNames: ['kind'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10],
      registers: [registry],
    });
  }

  async start(): Promise<void> {
    await this.tail.start();
    this.#timers.push(
      setInterval(() => {
        for (const client of this.#clients) client.flush();
      }, FLUSH_MS),
      setInterval(() => this.#open.sweep(this.#now()), SWEEP_MS),
    );
  }

  /** Something came on the bus. */
  bus(message: ToLive): void {
    if (message.type === 'logged') {
      if (message.seq > this.tail.seq) this.tail.wake();
      return;
    }
    const partial = this.#open.take(message, this.#now());
    if (partial === null) return;
    for (const client of this.#clients) {
      if (client.partial(partial)) {
        this.#latency.observe({ kind: 'partial' }, Math.max(0, monoUs() - message.arrivalUs) / 1e6);
      }
    }
  }

  /** Connects a client. Nothing is sent before `catchUp`. */
  join(outlet: Outlet, options: ClientOptions): LiveClient {
    const client = new LiveClient(outlet, options);
    this.#clients.add(client);
    if (options.partials) {
      for (const partial of this.#open.values()) client.partial(partial);
    }
    return client;
  }

  /** Replays to the client what it lacks, and makes it live. Resolves when it is, or when it is gone. */
  async catchUp(client: LiveClient): Promise<void> {
    try {
      if (client.cursor > this.tail.seq) await this.tail.refresh();
      client.rewindTo(this.tail.seq);
      while (!client.closed && client.cursor < this.tail.seq) {
        const upTo = this.tail.seq;
        const range = { after: client.cursor, upTo, callId: client.callId, limit: REPLAY_PAGE };
        const events = await listEvents(this.#db, range);
        for (const event of events) client.replay(event);
        if (events.length < REPLAY_PAGE) client.replayedTo(upTo);
        while (client.congested && !client.closed) await pause(FLUSH_MS);
      }
      client.caughtUp();
    } catch (error) {
      this.#log.warn({ err: error }, 'replay to a live client failed');
      this.leave(client);
    }
  }

  leave(client: LiveClient): void {
    this.#clients.delete(client);
    client.close();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.tail.stop();
    for (const client of [...this.#clients]) this.leave(client);
  }

  #events(events: readonly EventView[]): void {
    for (const event of events) {
      const settled = event.type === 'segment.final' ? segmentIdOf(event) : null;
      if (settled !== null) this.#open.settle(settled);
      if (event.type === 'call.ended') this.#open.settleCall(event.callId);
      if (this.#clients.size === 0) continue;
      const json = JSON.stringify(event);
      const ageSeconds = Math.max(0, this.#now() - Date.parse(event.timestamp)) / 1000;
      for (const client of this.#clients) {
        if (settled !== null) client.settle(settled);
        const written = client.event(event, json);
        if (written && settled !== null) this.#latency.observe({ kind: 'final' }, ageSeconds);
        if (client.closed) this.#clients.delete(client);
      }
    }
  }

  /** Clients come again, and find by the epoch in `hello` that what they have may be void. */
  #restored(): void {
    this.#open.clear();
    for (const client of [...this.#clients]) this.leave(client);
  }
}

/** The id in the data of a segment.final, or null when it has none. */
function segmentIdOf(event: EventView): string | null {
  const segment = event.data['segment'] ?? event.data;
  const id = (segment as { id?: unknown }).id;
  return typeof id === 'string' ? id : null;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
