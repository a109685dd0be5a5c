import type { CallId, ChannelPorts, ChannelTotals, FromMedia, Leg, LegId, ToMedia } from '@earshot/contracts';
import { Dialer, type Log } from '@earshot/platform';

export interface MediaLinkEvents {
  /** The legs that should be on the worker; asked after each hello. */
  legs(worker: number): readonly Leg[];
  hello(worker: number): void;
  lost(worker: number): void;
  legTimeout(worker: number, legId: LegId): void;
  /** A call that was recorded first is being recognised. */
  recognitionBegun(callId: CallId): void;
  /** A replacement could not take over a leg of its leg.sync. */
  legFailed(worker: number, legId: LegId): void;
}

export type OpenResult =
  | { readonly type: 'opened'; readonly ports: readonly ChannelPorts[] }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

export type UpdateResult =
  /** `heard`: the worker says so. Else it did not answer: it has it from the leg.sync after the break, if it is on record by then. */
  | { readonly type: 'updated'; readonly heard: boolean }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

const LATE_CLOSE_LIMIT_MS = 3_000;
/** A worker's loop is late by less than 5 ms when it is well; the kernel holds some five seconds of a stream. */
const LATE_MS = 500;
/** Reports come once a second. */
const OVERLOADED_REPORTS = 5;

type Reply = Extract<FromMedia, { readonly id: number }>;

/** The control link to one media worker: requests and their replies, hello and sync, load. */
export class MediaLink {
  readonly worker: number;
  readonly #events: MediaLinkEvents;
  readonly #log: Log;
  readonly #dialer: Dialer<FromMedia, ToMedia>;
  readonly #waiting = new Map<number, (reply: Reply | null) => void>();
  #nextId = 1;
  /** Of the leg.sync on this connection. */
  #syncId: number | null = null;
  #ready = false;
  #reportedChannels = 0;
  #openedSinceReport = 0;
  #lateReports = 0;
  #endedWaiting = 0;
  #catchingUp = 0;
  #diskScarce = false;

  constructor(worker: number, socketPath: string, events: MediaLinkEvents, log: Log) {
    this.worker = worker;
    this.#events = events;
    this.#log = log;
    this.#dialer = new Dialer<FromMedia, ToMedia>(socketPath, {
      open: () => undefined,
      message: (message) => this.#receive(message),
      lost: () => this.#lost(),
    });
  }

  /** The worker said hello and was told its legs. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Channels on the worker, as last reported plus what was placed since. */
  get channels(): number {
    return this.#reportedChannels + this.#openedSinceReport;
  }

  /** It has been late for seconds: packets wait in the kernel. */
  get overloaded(): boolean {
    return this.#lateReports >= OVERLOADED_REPORTS;
  }

  /** Calls on it that have ended and wait for recognition, as last reported: those of a worker that is away wait, too. */
  get endedWaiting(): number {
    return this.#endedWaiting;
  }

  /** Calls on it that were recorded first and are behind still. */
  get catchingUp(): number {
    return this.#catchingUp;
  }

  /** Less of its disk is free than is to be. */
  get diskScarce(): boolean {
    return this.#diskScarce;
  }

  async open(leg: Leg, limitMs: number): Promise<OpenResult> {
    this.#openedSinceReport += leg.channels.length;
    const reply = await this.#ask((id) => ({ type: 'leg.open', id, leg }), limitMs);
    if (reply?.type === 'leg.opened') return { type: 'opened', ports: reply.ports };
    this.#openedSinceReport = Math.max(0, this.#openedSinceReport - leg.channels.length);
    if (reply?.type === 'leg.failed') return { type: 'failed', code: reply.code, message: reply.message };
    // It may be open by now, its reply on the way; if it opens later, #openedTooLate closes it.
    if (this.#ready) void this.close(leg.legId, limitMs);
    return { type: 'failed', code: 'MEDIA_UNAVAILABLE', message: 'the media worker did not answer' };
  }

  /** A broken link counts as updated: the leg.sync that follows carries the leg as it is by then. */
  async update(leg: Leg, limitMs: number): Promise<UpdateResult> {
    const reply = await this.#ask((id) => ({ type: 'leg.update', id, leg }), limitMs);
    return reply?.type === 'leg.failed'
      ? { type: 'failed', code: reply.code, message: reply.message }
      : { type: 'updated', heard: reply !== null };
  }

  /** @returns the channels' totals, empty when the worker could not be asked within limitMs */
  async close(legId: LegId, limitMs: number): Promise<readonly ChannelTotals[]> {
    const reply = await this.#ask((id) => ({ type: 'leg.close', id, legId }), limitMs);
    return reply?.type === 'leg.closed' ? reply.channels : [];
  }

  stop(): void {
    this.#dialer.close();
    this.#answerAll();
  }

  /** @returns null when the link is not ready, breaks, or stays silent for limitMs */
  #ask(message: (id: number) => ToMedia, limitMs: number): Promise<Reply | null> {
    if (!this.#ready) return Promise.resolve(null);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(id, null), limitMs);
      this.#waiting.set(id, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
      this.#dialer.send(message(id));
    });
  }

  #answer(id: number, reply: Reply | null): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.(reply);
  }

  #answerAll(): void {
    for (const id of [...this.#waiting.keys()]) this.#answer(id, null);
  }

  #receive(message: FromMedia): void {
    switch (message.type) {
      case 'hello': {
        const legs = this.#events.legs(this.worker);
        this.#syncId = this.#nextId++;
        this.#dialer.send({ type: 'leg.sync', id: this.#syncId, legs });
        this.#ready = true;
        this.#reportedChannels = legs.reduce((sum, leg) => sum + leg.channels.length, 0);
        this.#openedSinceReport = 0;
        this.#log.info({ worker: this.worker, pid: message.pid, legs: legs.length }, 'media worker is there');
        this.#events.hello(this.worker);
        break;
      }
      case 'load':
        this.#reportedChannels = message.channels;
        this.#openedSinceReport = 0;
        this.#lateReports = message.loopDelayMs > LATE_MS ? this.#lateReports + 1 : 0;
        this.#endedWaiting = message.endedWaiting ?? 0;
        this.#catchingUp = message.catchingUp ?? 0;
        this.#diskScarce = message.diskScarce === true;
        break;
      case 'leg.timeout':
        this.#events.legTimeout(this.worker, message.legId);
        break;
      case 'recognition.begun':
        this.#events.recognitionBegun(message.callId);
        break;
      case 'leg.failed':
        if (this.#waiting.has(message.id)) {
          this.#answer(message.id, message);
        } else {
          this.#failedUnasked(message);
        }
        break;
      case 'leg.opened':
        if (this.#waiting.has(message.id)) this.#answer(message.id, message);
        else this.#openedTooLate(message.legId);
        break;
      case 'leg.updated':
      case 'leg.synced':
      case 'leg.closed':
        this.#answer(message.id, message);
        break;
    }
  }

  /** Of a leg.sync it is about a leg of a live call; of any other request the answer comes too late to matter. */
  #failedUnasked({ id, legId, code }: Extract<FromMedia, { type: 'leg.failed' }>): void {
    const { worker } = this;
    if (id !== this.#syncId) {
      this.#log.warn({ worker, legId, code }, 'media worker refused too late');
      return;
    }
    this.#log.error({ worker, legId, code }, 'media worker could not adopt a leg');
    this.#events.legFailed(worker, legId);
  }

  /** Its INVITE was answered without it: by another worker, or refused. */
  #openedTooLate(legId: LegId): void {
    this.#log.warn({ worker: this.worker, legId }, 'leg opened too late');
    void this.close(legId, LATE_CLOSE_LIMIT_MS);
  }

  #lost(): void {
    const wasReady = this.#ready;
    this.#ready = false;
    this.#syncId = null;
    this.#lateReports = 0;
    if (wasReady) this.#log.warn({ worker: this.worker }, 'media worker is gone');
    this.#answerAll();
    if (wasReady) this.#events.lost(this.worker);
  }
}
