import type { ChannelId } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { ChannelHost } from '../engine/channel-host.ts';
import type { ChannelOpening } from '../engine/channel.ts';
import type { ChannelOwner, LostCode, WordsSink } from '../engine/sink.ts';
import { DialGate } from './dial-gate.ts';
import type { RemoteMetrics } from './metrics.ts';
import type { RefusalReason, RemoteEvent, RemoteProtocol, StreamSettings } from './protocol.ts';
import { type ChannelPorts, RemoteChannel } from './remote-channel.ts';
import { Session, type SessionFailure, type SessionHandlers } from './session.ts';

export interface RemoteHostOptions {
  readonly protocol: RemoteProtocol;
  /** ws: or wss: */
  readonly url: string;
  /** Shown in logs. */
  readonly name: string;
  /** ASR_KEY. Goes into a header and nowhere else. */
  readonly key: string | null;
  /** Channels at once, each with a connection of its own. */
  readonly maxChannels: number;
  readonly sink: WordsSink;
  readonly log: Log;
  readonly metrics: RemoteMetrics;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly times: RemoteTimes;
}

export interface RemoteTimes {
  /** A stream begins anew after so long, in a quiet moment. */
  readonly rotateAfterMs: number;
  /** A server that owes an answer for so long is stalled. */
  readonly stallAfterMs: number;
}

export const REMOTE_TIMES: RemoteTimes = { rotateAfterMs: 3_600_000, stallAfterMs: 10_000 };
/** The same trouble is logged once in so long. */
const LOG_EVERY_MS = 60_000;
/** Audio of the stream that tries whether the server is there. */
const PROBE_SAMPLES = 1600;
const NO_SETTINGS: StreamSettings = { maxDelayMs: null, phrases: [] };

/** What people can do, by what is wrong. Texts of the log. */
const ADVICE: Readonly<Record<RefusalReason, string>> = {
  key: 'the speech server refuses the key: set ASR_KEY to a valid one and start again; it is tried again in a minute at the earliest, channels wait and no call ends',
  settings:
    'the speech server refuses the settings: check path, language and parameters in ASR_MODEL; channels wait and no call ends',
  full: 'the speech server takes no more streams: lower connections in ASR_MODEL, or raise its limit; channels wait and no call ends',
  link: 'the speech server cannot be reached: check that it runs and its address in ASR_MODEL; it is tried again, channels wait and no call ends',
};

/** The channels of an engine whose recogniser is a speech server: one stream a channel. */
export class RemoteHost implements ChannelHost {
  readonly #options: RemoteHostOptions;
  readonly #channels = new Map<ChannelId, RemoteChannel>();
  readonly #sessions = new Set<Session>();
  /** Of which it is not known yet whether the server serves them. */
  readonly #unproven = new Set<Session>();
  readonly #ports: ChannelPorts;
  readonly #gate = new DialGate(Math.random);
  #probe: Session | null = null;
  #loggedMs = -Infinity;
  #loggedReason: RefusalReason | null = null;
  #stopped = false;

  constructor(options: RemoteHostOptions) {
    this.#options = options;
    const { protocol, sink, metrics, nowMs } = options;
    this.#ports = {
      protocol,
      sink,
      rotateAfterMs: options.times.rotateAfterMs,
      nowMs,
      dial: (settings, handlers) => this.#dial(settings, handlers),
      release: (session) => this.#release(session),
      lose: (channel, code) => this.#lose(channel, code),
      ended: (channel) => this.#forget(channel),
      sent: (samples) => metrics.sent(samples),
      ignored: (reason) => metrics.ignored(reason),
      late: () => metrics.late(),
    };
    this.#tryOut();
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  get connectionCount(): number {
    return this.#sessions.size;
  }

  get healthy(): boolean {
    return this.#gate.healthy;
  }

  /** 0 while the server does not serve, so that other engines are preferred. */
  get headroom(): number {
    if (!this.#gate.healthy) return 0;
    return Math.max(0, 1 - this.#channels.size / this.#options.maxChannels);
  }

  /** Of each channel: audio that came and is not yet decided. */
  lagSeconds(): number[] {
    return Array.from(this.#channels.values(), (channel) => channel.lagTicks / 8000);
  }

  open(opening: ChannelOpening, owner: ChannelOwner): void {
    const previous = this.#channels.get(opening.channel);
    if (previous !== undefined) {
      if (opening.attempt <= previous.attempt) return;
      this.#forget(previous);
    }
    if (this.#channels.size >= this.#options.maxChannels) {
      owner.lost(opening.channel, opening.attempt, 'ENGINE_FULL');
      return;
    }
    this.#channels.set(opening.channel, new RemoteChannel(opening, owner, this.#ports));
  }

  audio(id: ChannelId, attempt: number, startTick: number, arrivalUs: number, body: Uint8Array): void {
    const channel = this.#current(id, attempt);
    if (channel?.audio(startTick, arrivalUs, body) === false) this.#lose(channel, 'CREDIT_EXCEEDED');
  }

  gap(id: ChannelId, attempt: number, toTick: number): void {
    this.#current(id, attempt)?.gap(toTick);
  }

  end(id: ChannelId, attempt: number, tick: number): void {
    this.#current(id, attempt)?.end(tick);
  }

  close(id: ChannelId, attempt: number): void {
    const channel = this.#current(id, attempt);
    if (channel !== null) this.#forget(channel);
  }

  finalise(id: ChannelId): void {
    this.#channels.get(id)?.finalise();
  }

  closeOwner(owner: ChannelOwner): void {
    for (const channel of [...this.#channels.values()]) if (channel.owner === owner) this.#forget(channel);
  }

  lose(count: number, code: LostCode): void {
    for (const channel of [...this.#channels.values()].slice(0, count)) this.#lose(channel, code);
  }

  loseAll(code: LostCode): void {
    for (const channel of [...this.#channels.values()]) this.#lose(channel, code);
  }

  resume(): void {
    for (const channel of [...this.#channels.values()]) {
      channel.pump();
      channel.sendPartial();
    }
  }

  tick(): void {
    if (this.#stopped) return;
    for (const channel of [...this.#channels.values()]) channel.tick();
    this.#probe?.watch();
    this.#tryOut();
  }

  stop(): void {
    this.#stopped = true;
    for (const session of [...this.#sessions]) this.#release(session);
  }

  #current(id: ChannelId, attempt: number): RemoteChannel | null {
    const channel = this.#channels.get(id);
    return channel?.attempt === attempt ? channel : null;
  }

  #lose(channel: RemoteChannel, code: LostCode): void {
    if (channel.closed) return;
    this.#forget(channel);
    channel.owner.lost(channel.id, channel.attempt, code);
  }

  #forget(channel: RemoteChannel): void {
    this.#channels.delete(channel.id);
    channel.close();
  }

  /** While the server is not known to serve and no channel would find out, a stream of nothing does. */
  #tryOut(): void {
    if (this.#gate.healthy || this.#probe !== null || this.#gate.opening > 0) return;
    for (const channel of this.#channels.values()) if (channel.waiting) return;
    this.#probe = this.#dial(NO_SETTINGS, {
      event: (event) => {
        const probe = this.#probe;
        if (event.kind === 'ready' && !this.#gate.healthy) probe?.audio(new Uint8Array(2 * PROBE_SAMPLES));
        if (probe === null || !this.#gate.healthy) return;
        this.#probe = null;
        this.#release(probe);
      },
      failed: () => (this.#probe = null),
    });
  }

  /**
   * Opens a stream if the gate lets it. A server is known to serve when it said so, or took the first audio where it need not
   * say so.
   */
  #dial(settings: StreamSettings, handlers: SessionHandlers): Session | null {
    const { protocol, url, key, nowMs, times } = this.#options;
    if (this.#stopped || !this.#gate.may(nowMs())) return null;
    this.#gate.began();
    const codec = protocol.codec(settings);
    const session: Session = new Session({
      url,
      headers: protocol.headers(key),
      codec,
      stallAfterMs: times.stallAfterMs,
      nowMs,
      handlers: {
        event: (event: RemoteEvent) => {
          const proof = event.kind === 'taken' || (event.kind === 'ready' && !codec.readyAtOpen);
          if (proof && this.#unproven.delete(session)) this.#serves();
          handlers.event(event);
        },
        failed: (failure) => {
          this.#sessions.delete(session);
          this.#sessionFailed(failure, this.#unproven.delete(session));
          handlers.failed(failure);
        },
      },
    });
    this.#sessions.add(session);
    this.#unproven.add(session);
    return session;
  }

  #release(session: Session): void {
    if (this.#unproven.delete(session)) this.#gate.abandoned();
    this.#sessions.delete(session);
    session.close();
  }

  #serves(): void {
    if (!this.#gate.healthy)
      this.#options.log.info({ server: this.#options.name }, 'the speech server serves');
    this.#gate.succeeded();
    this.#loggedReason = null;
    // Not from within the event of the one that found out.
    setImmediate(() => this.#dialAll());
  }

  #dialAll(): void {
    for (const channel of [...this.#channels.values()]) {
      if (!this.#gate.may(this.#options.nowMs())) break;
      if (channel.waiting) channel.pump();
    }
  }

  #sessionFailed({ reason, detail }: SessionFailure, opening: boolean): void {
    const { log, metrics, name, nowMs } = this.#options;
    metrics.failed(reason);
    // A stream that breaks later says nothing of the next one, unless the server says why.
    if (opening || reason !== 'link') this.#gate.failed(nowMs(), reason, opening);
    else {
      log.warn({ server: name, detail }, 'a stream to the speech server broke; its channel is opened again');
      return;
    }
    if (this.#loggedReason === reason && nowMs() - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedReason = reason;
    this.#loggedMs = nowMs();
    log.error({ server: name, reason, detail, channels: this.#channels.size }, ADVICE[reason]);
  }
}
