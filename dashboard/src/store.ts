import type { CallView, DiagnosisView, LedgerView, SegmentView, TraceView } from '@earshot/contracts';
import { useEffect, useState } from 'preact/hooks';
import * as api from './net/api.ts';
import { type Connection, LiveSocket } from './net/live-socket.ts';
import { pollMs, shortestMs } from './state/ledger.ts';
import { LiveCalls } from './state/live-calls.ts';
import { Transcript } from './state/transcript.ts';

/** Events before the connection that are read for the last words of each call. */
const LOOK_BACK_EVENTS = 500;
const REFRESH_MS = 400;
const CAPACITY_MS = 5000;
/** In a call that is younger nobody needs to have spoken. */
const DIAGNOSED_MS = 5000;

/** The call that is open. */
export interface OpenCall {
  readonly id: string;
  view: CallView | null;
  readonly transcript: Transcript;
  /** Null until it is there, and for a call that has none. */
  ledger: LedgerView | null;
  /** When the ledger is to be asked for again, on this computer's clock. */
  ledgerDueMs: number;
  /** Why nothing was said; asked for while there are no words. */
  diagnosis: DiagnosisView | null;
  /** Why it cannot be shown, or null. */
  fault: api.ApiError | null;
  /** Which load the view is from. */
  shownLoad: number;
}

/**
 * What the page shows, and how it hears of it. Messages change it at once; what is drawn is told at most once an
 * animation frame, so 600 partials a second cost as many small changes and 60 drawings.
 */
export class Store {
  readonly live = new LiveCalls();
  open: OpenCall | null = null;
  connection: Connection = 'connecting';
  capacity: api.Capacity | null = null;
  /** Rises when the list of ended calls may have changed. */
  endedVersion = 0;
  /** The live list was loaded at least once. */
  ready = false;
  readonly #listeners = new Set<() => void>();
  readonly #socket: LiveSocket;
  #loads = 0;
  #frame: number | null = null;
  #liveTimer: number | null = null;
  #endedTimer: number | null = null;
  #liveFailed = false;
  /** The last words up to this seq are still to be read. */
  #lookBackFrom: number | null = null;

  constructor(origin: string) {
    this.#socket = new LiveSocket(`${origin.replace(/^http/, 'ws')}/v1/live`, {
      message: (message) => {
        const effects = this.live.apply(message, Date.now());
        if (effects.final !== null) this.#final(effects.final.callId, effects.final.segment);
        if (effects.refreshLive) this.#refreshLiveSoon();
        if (effects.refreshEnded) this.#refreshEndedSoon();
        if ('seq' in message && message.callId === this.open?.id && message.type !== 'segment.final') {
          const revised = message.type === 'transcript.revised';
          // Of other roles the segments are the same ones: what is said meanwhile is not to go with them.
          const anew = revised && message.data['reason'] === 'retranscription';
          void this.#loadOpen(revised || message.type === 'transcript.completed', anew);
        }
        this.#changed();
      },
      connection: (state) => {
        if (state === 'signed-out') {
          this.#signedOut();
          return;
        }
        this.connection = state;
        this.#changed();
      },
      fresh: (seq) => void this.#loadAll(seq),
      back: () => this.#repeat(true),
      signedIn: () =>
        api.capacity().then(
          () => true,
          (error: unknown) => !(error instanceof api.ApiError && error.status === 401),
        ),
    });
  }

  start(): void {
    api.onSignedOut(() => this.#signedOut());
    this.#socket.start();
    setInterval(() => {
      this.live.expire(Date.now());
      if (this.connection === 'live' && Date.now() >= (this.open?.ledgerDueMs ?? Infinity)) {
        void this.#loadLedger();
      }
      this.#changed();
    }, 1000);
    setInterval(() => {
      void this.#loadCapacity();
      if (this.connection === 'live') this.#repeat(false);
    }, CAPACITY_MS);
    void this.#loadCapacity();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The reader has pressed "Sign out": the browser is on its way to another page. */
  leave(): void {
    this.#socket.stop();
    this.connection = 'signed-out';
    this.#changed();
  }

  openCall(id: string | null): void {
    if (this.open?.id === id) return;
    this.open =
      id === null
        ? null
        : {
            id,
            view: null,
            transcript: new Transcript(),
            ledger: null,
            ledgerDueMs: Infinity,
            diagnosis: null,
            fault: null,
            shownLoad: 0,
          };
    if (id !== null) void this.#loadOpen(true);
    this.#changed();
  }

  /** Has a call paused, or taken up again. @returns why that failed, or null when it is so */
  async pause(id: string, paused: boolean): Promise<string | null> {
    try {
      await api.pause(id, paused);
    } catch (error) {
      return error instanceof api.ApiError ? error.message : 'The request failed.';
    }
    // Its event says so too, but not while the connection is away.
    const live = this.live.get(id);
    if (live !== undefined) live.view = { ...live.view, paused };
    if (this.open?.id === id && this.open.view?.state === 'live') {
      this.open.view = { ...this.open.view, paused };
      // A load that began before the answer knows less.
      this.open.shownLoad = ++this.#loads;
      void this.#loadOpen(false);
    }
    this.#changed();
    return null;
  }

  /** Says who speaks on a channel of the call that is open. @returns why that failed, or null when it is so */
  async correct(id: string, index: number, correction: api.Correction): Promise<string | null> {
    try {
      const view = await api.correct(id, index, correction);
      if (this.open?.id === id) {
        this.open.view = view;
        this.open.shownLoad = ++this.#loads;
        // Its event says so too, but not while the connection is away.
        void this.#loadOpen(true);
      }
    } catch (error) {
      return error instanceof api.ApiError ? error.message : 'The request failed.';
    }
    this.#changed();
    return null;
  }

  /** The SIP messages of a call, or why they cannot be had. */
  async trace(id: string): Promise<TraceView | api.ApiError> {
    try {
      return await api.trace(id);
    } catch (error) {
      return error instanceof api.ApiError ? error : new api.ApiError(0, 'INTERNAL', 'It cannot be shown.');
    }
  }

  /** The open segments of the call that is open. */
  openPartials(): SegmentView[] {
    const { open } = this;
    if (open === null || open.view?.state === 'ended') return [];
    const lanes = this.live.get(open.id)?.lanes ?? [];
    return lanes.flatMap(({ partial }) =>
      partial === null || partial.segment.words.length === 0 || open.transcript.has(partial.segment.id)
        ? []
        : [partial.segment],
    );
  }

  #changed(): void {
    if (this.#frame !== null) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = null;
      for (const listener of this.#listeners) listener();
    });
  }

  /** Shows nothing any more, and goes where one can sign in and come back from. */
  #signedOut(): void {
    if (this.connection === 'signed-out') return;
    this.leave();
    location.replace(`/signin?to=${encodeURIComponent(location.pathname + location.search)}`);
  }

  /** Asks again for what failed. @param all also for what tells of its failure nowhere but in its own place */
  #repeat(all: boolean): void {
    if (all || this.#liveFailed) void this.#refreshLive();
    if (this.open !== null && (this.open.fault?.passing ?? (all && this.open.view === null))) {
      void this.#loadOpen(true);
    }
    if (!all) return;
    this.endedVersion += 1;
    void this.#loadCapacity();
    this.#changed();
  }

  #final(callId: string, segment: SegmentView): void {
    if (this.open?.id === callId) this.open.transcript.add(segment);
  }

  async #loadAll(seq: number): Promise<void> {
    this.live.clear();
    this.endedVersion += 1;
    this.#lookBackFrom = seq;
    await this.#refreshLive();
    if (this.open !== null) {
      this.open.transcript.clear();
      await this.#loadOpen(true);
    }
    this.#changed();
  }

  #refreshLiveSoon(): void {
    if (this.#liveTimer !== null) return;
    this.#liveTimer = window.setTimeout(() => {
      this.#liveTimer = null;
      void this.#refreshLive();
    }, REFRESH_MS);
  }

  #refreshEndedSoon(): void {
    if (this.#endedTimer !== null) return;
    this.#endedTimer = window.setTimeout(() => {
      this.#endedTimer = null;
      this.endedVersion += 1;
      this.#changed();
    }, REFRESH_MS);
  }

  async #refreshLive(): Promise<void> {
    const calls = await quietly(api.allLiveCalls());
    this.#liveFailed = calls === null;
    if (calls === null) return;
    this.live.replace(calls);
    this.ready = true;
    this.#changed();
    await this.#lookBack();
  }

  async #lookBack(): Promise<void> {
    const seq = this.#lookBackFrom;
    if (seq === null) return;
    this.#lookBackFrom = null;
    const events = await quietly(api.eventsAfter(seq - LOOK_BACK_EVENTS, LOOK_BACK_EVENTS));
    if (events === null) {
      this.#lookBackFrom ??= seq;
      this.#liveFailed = true;
      return;
    }
    for (const event of events) {
      if (event.type === 'segment.final' && event.seq <= seq) this.live.apply(event, null);
    }
    this.#changed();
  }

  /** @param anew the transcript was revised: what is shown of the one before goes */
  async #loadOpen(withTranscript: boolean, anew = false): Promise<void> {
    const { open } = this;
    if (open === null) return;
    const load = ++this.#loads;
    try {
      const [view, transcript] = await Promise.all([
        api.call(open.id),
        withTranscript ? api.transcript(open.id) : null,
      ]);
      // Of two loads under way, the later one knows more.
      if (load > open.shownLoad) open.view = view;
      open.shownLoad = Math.max(load, open.shownLoad);
      if (anew) open.transcript.clear();
      for (const segment of transcript?.segments ?? []) open.transcript.add(segment);
      open.fault = null;
      if (withTranscript || open.view?.state === 'ended') void this.#loadLedger();
    } catch (error) {
      open.fault =
        error instanceof api.ApiError ? error : new api.ApiError(0, 'INTERNAL', 'The call cannot be shown.');
    }
    this.#changed();
  }

  /** Of a live call again and again; what cannot be had is left out, and asked for again while the call lives. */
  async #loadLedger(): Promise<void> {
    const { open } = this;
    const view = open?.view ?? null;
    if (open === null || view === null) return;
    const durationMs = view.durationMs ?? api.serverNow() - Date.parse(view.startedAt);
    open.ledgerDueMs = view.state === 'live' ? Date.now() + pollMs(durationMs) : Infinity;
    const wordless = open.transcript.segments().length === 0 && durationMs >= DIAGNOSED_MS;
    const [ledger, diagnosis] = await Promise.all([
      quietly(api.ledger(open.id, shortestMs(durationMs))),
      wordless ? quietly(api.diagnosis(open.id)) : null,
    ]);
    open.diagnosis = diagnosis;
    if (ledger === null) {
      if (diagnosis !== null) this.#changed();
      return;
    }
    // An answer from before the call's end may come after one from then.
    if (open.ledger?.state !== 'ended' || ledger.state === 'ended') open.ledger = ledger;
    this.#changed();
  }

  async #loadCapacity(): Promise<void> {
    if (this.connection === 'signed-out') return;
    try {
      this.capacity = await api.capacity();
    } catch (error) {
      // A browser does not notice a dead network on a quiet socket; a request does.
      const unreachable = error instanceof api.ApiError && error.status === 0;
      if (unreachable && this.connection === 'live') this.#socket.cut();
    }
    this.#changed();
  }
}

/** For what is asked for again anyway: the connection's state tells of the trouble. */
const quietly = <T>(promise: Promise<T>): Promise<T | null> => promise.catch(() => null);

/** Draws the component again when the store has changed. */
export function useStore(store: Store): void {
  const [, draw] = useState(0);
  useEffect(() => store.subscribe(() => draw((times) => times + 1)), [store]);
}
