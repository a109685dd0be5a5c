import { join } from 'node:path';
import {
  EarshotError,
  sockets,
  type ChannelPorts,
  type ChannelTotals,
  type Leg,
  type LegId,
} from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { MediaLink, type MediaLinkEvents, type UpdateResult } from './media-link.ts';

export interface Placed {
  readonly worker: number;
  readonly ports: readonly ChannelPorts[];
}

/** All workers together may take this long for one leg: the caller's INVITE is waiting. */
const PLACE_LIMIT_MS = 2_000;
/** One worker may take this long before the next is tried. A healthy one takes a few milliseconds. */
const TRY_LIMIT_MS = 900;
const UPDATE_LIMIT_MS = 1_000;
/**
 * The worker reads what the kernel still holds before it answers, and hundreds may end at once: without its answer a call has no
 * totals. Nobody waits for it: BYE is answered before, and a worker that hangs is replaced after 2.5 s, which ends the wait.
 */
const CLOSE_LIMIT_MS = 15_000;

/** Puts legs on media workers: the least loaded first, the next when it fails. */
export class Placement {
  readonly #links: readonly MediaLink[];
  readonly #log: Log;
  readonly #waitingForHello = new Set<() => void>();

  constructor(runDir: string, workers: number, events: MediaLinkEvents, log: Log) {
    this.#log = log;
    const watched: MediaLinkEvents = {
      legs: (worker) => events.legs(worker),
      lost: (worker) => events.lost(worker),
      legTimeout: (worker, legId) => events.legTimeout(worker, legId),
      recognitionBegun: (callId) => events.recognitionBegun(callId),
      legFailed: (worker, legId) => events.legFailed(worker, legId),
      hello: (worker) => {
        events.hello(worker);
        for (const wake of [...this.#waitingForHello]) wake();
      },
    };
    this.#links = Array.from(
      { length: workers },
      (_, worker) => new MediaLink(worker, join(runDir, sockets.control(worker)), watched, log),
    );
  }

  get ready(): boolean {
    return this.#links.some((link) => link.ready);
  }

  /** Every worker that is there has been late for seconds. */
  get overloaded(): boolean {
    return this.ready && this.#links.every((link) => !link.ready || link.overloaded);
  }

  /** Calls that have ended and wait for recognition. */
  get endedWaiting(): number {
    return this.#links.reduce((sum, link) => sum + link.endedWaiting, 0);
  }

  /** Engines are busy with calls that were recorded first. */
  get catchingUp(): boolean {
    return this.#links.some((link) => link.catchingUp > 0);
  }

  /** A worker says that less of the disk is free than is to be. */
  get diskScarce(): boolean {
    return this.#links.some((link) => link.diskScarce);
  }

  /** @throws EarshotError MEDIA_UNAVAILABLE when no worker says hello within limitMs */
  async whenReady(limitMs: number): Promise<void> {
    if (!this.ready) await this.#nextHello(limitMs);
    if (!this.ready) throw new EarshotError('MEDIA_UNAVAILABLE', 'no media worker said hello');
  }

  has(worker: number): boolean {
    return worker < this.#links.length;
  }

  /**
   * Opens a leg on the least loaded worker. Waits for a worker that is just being replaced.
   * @throws EarshotError RTP_PORTS_EXHAUSTED or MEDIA_UNAVAILABLE when no worker takes the leg within 2 s
   */
  async open(leg: Leg): Promise<Placed> {
    const deadlineMs = performance.now() + PLACE_LIMIT_MS;
    const refused = new Set<MediaLink>();
    let failure = new EarshotError('MEDIA_UNAVAILABLE', 'no media worker is connected');
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || refused.size === this.#links.length) throw failure;
      const candidates = this.#links.filter((candidate) => candidate.ready && !refused.has(candidate));
      const link = leastLoaded(candidates);
      if (link === null) {
        await this.#nextHello(leftMs);
        continue;
      }
      // With nobody else to ask, a worker that is held up by a burst gets all the time there is.
      const limitMs = candidates.length > 1 ? Math.min(TRY_LIMIT_MS, leftMs) : leftMs;
      const result = await link.open(leg, limitMs);
      if (result.type === 'opened') {
        if (coversChannels(leg, result.ports)) return { worker: link.worker, ports: result.ports };
        void link.close(leg.legId, CLOSE_LIMIT_MS);
        refused.add(link);
        failure = new EarshotError('MEDIA_UNAVAILABLE', 'the media worker gave no port for a channel');
        continue;
      }
      // A worker that died while it was asked may come back in time; one that said no or hangs will not.
      if (link.ready) refused.add(link);
      this.#log.warn({ worker: link.worker, legId: leg.legId, code: result.code }, 'leg not opened');
      failure = new EarshotError(
        result.code === 'RTP_PORTS_EXHAUSTED' ? 'RTP_PORTS_EXHAUSTED' : 'MEDIA_UNAVAILABLE',
        result.message,
      );
    }
  }

  #nextHello(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waitingForHello.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#waitingForHello.add(done);
    });
  }

  /**
   * Asks the worker that has a call. One that is just being replaced is waited for, also when it goes while it is asked.
   * @param answered whether the answer is one, and not that of a broken link
   */
  async #askPatiently<T>(
    worker: number,
    ask: (link: MediaLink) => Promise<T>,
    answered: (result: T) => boolean,
  ): Promise<T | undefined> {
    const link = this.#links[worker];
    if (link === undefined) return undefined;
    const deadlineMs = performance.now() + PLACE_LIMIT_MS;
    const leftMs = (): number => deadlineMs - performance.now();
    for (;;) {
      while (!link.ready && leftMs() > 0) await this.#nextHello(leftMs());
      const result = await ask(link);
      if (answered(result) || link.ready || leftMs() <= 0) return result;
    }
  }

  /** Opens a further leg of a call on the worker that has the call. Waits for one that is just being replaced. */
  async openOn(worker: number, leg: Leg): Promise<Placed> {
    const result = await this.#askPatiently(
      worker,
      (link) => link.open(leg, TRY_LIMIT_MS),
      ({ type }) => type === 'opened',
    );
    if (result?.type === 'opened') {
      if (coversChannels(leg, result.ports)) return { worker, ports: result.ports };
      void this.close(worker, leg.legId);
    }
    const code = result?.type === 'failed' ? result.code : 'MEDIA_UNAVAILABLE';
    this.#log.warn({ worker, legId: leg.legId, code }, 'leg not opened');
    throw new EarshotError(
      code === 'RTP_PORTS_EXHAUSTED' ? code : 'MEDIA_UNAVAILABLE',
      'the media worker of the call took no further channel',
    );
  }

  /** @param patient waits for a worker that is just being replaced */
  async update(worker: number, leg: Leg, patient = false): Promise<UpdateResult> {
    const ask = (link: MediaLink): Promise<UpdateResult> => link.update(leg, UPDATE_LIMIT_MS);
    const link = this.#links[worker];
    const result = patient
      ? await this.#askPatiently(worker, ask, (answer) => answer.type === 'failed' || answer.heard)
      : link && (await ask(link));
    return result ?? { type: 'updated', heard: false };
  }

  async close(worker: number, legId: LegId): Promise<readonly ChannelTotals[]> {
    return (await this.#links[worker]?.close(legId, CLOSE_LIMIT_MS)) ?? [];
  }

  stop(): void {
    for (const link of this.#links) link.stop();
  }
}

function leastLoaded(links: readonly MediaLink[]): MediaLink | null {
  const well = links.filter((link) => !link.overloaded);
  let best: MediaLink | null = null;
  for (const link of well.length > 0 ? well : links) {
    if (best === null || link.channels < best.channels) best = link;
  }
  return best;
}

const coversChannels = (leg: Leg, ports: readonly ChannelPorts[]): boolean =>
  leg.channels.every(({ channel }) => ports.some((port) => port.channel === channel));
