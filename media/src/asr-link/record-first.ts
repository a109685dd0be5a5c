import type { CallId, RecognitionState } from '@earshot/contracts';
import type { EngineView } from './placement.ts';

/** Free share of the engines that serve with which a call that waits is begun: more than admission keeps back, which is for new calls. */
const CLEAR_ROOM = 0.3;
/** No channel counts for less than this share of unbroken speech, as in admission: those on hold may all be taken up again. */
const LEAST_SHARE = 0.2;
/** So many looks (seconds) in a row: headroom is a mean over 5 s, and is up to 1.5 s old. */
const CLEAR_LOOKS = 3;
/** Tables come once a second, and when an engine comes or goes. */
const LOOK_EVERY_US = 500_000;
/** Calls of a worker that catch up at once: they take what is free, and the engines are not to seem full to new calls for it. */
const MOST_CATCHING_UP = 4;
/** With no more than that to be decided (3 s, where an engine takes it for live) a live channel has caught up. */
const CAUGHT_UP_TICKS = 24_000;

/** A channel as it is looked at. */
export interface DeferrableView {
  readonly callId: CallId;
  readonly recognition: RecognitionState;
  readonly settled: boolean;
  readonly ended: boolean;
  /** Received and not yet decided. */
  readonly lagTicks: number;
  /** Call zero by the wall clock, ms: it goes on over a reboot. */
  readonly startedMs: number;
}

/** Calls that wait for recognition. */
export interface Waiting {
  readonly calls: number;
  /** Of those, the ones that have ended. */
  readonly ended: number;
  /** Call zero of the oldest, wall clock ms; null for none. */
  readonly oldestMs: number | null;
  /** Calls that wait no more, and of which something is undecided. */
  readonly catchingUp: number;
}

interface WaitingCall {
  readonly callId: CallId;
  readonly startedMs: number;
  ended: boolean;
}

/** Decides when which call is begun that was recorded first. Pure: time is passed in, monotonic microseconds. */
export class RecordFirst {
  #clearLooks = 0;
  #lookedUs = -Infinity;
  readonly #worker: number;

  /** @param worker its number, from 0: each looks once more than the one before, so that not all begin a call at the same look */
  constructor(worker: number) {
    this.#worker = worker;
  }

  /**
   * To be called with each table of host's.
   * @param free share of the engines that serve, less what was placed there since; null where there is none
   * @returns the call to be begun now, and those that have caught up
   */
  look(
    channels: readonly DeferrableView[],
    free: number | null,
    nowUs: number,
  ): { readonly begin: CallId | null; readonly caughtUp: readonly CallId[] } {
    if (nowUs - this.#lookedUs < LOOK_EVERY_US) return { begin: null, caughtUp: [] };
    this.#lookedUs = nowUs;
    this.#clearLooks = free !== null && free >= CLEAR_ROOM ? this.#clearLooks + 1 : 0;
    const catchingUp = callsCatchingUp(channels);
    const caughtUp = [...catchingUp].filter(([, own]) => own.every(isCaughtUp)).map(([callId]) => callId);
    const may = this.#clearLooks >= CLEAR_LOOKS + this.#worker && busyOf(catchingUp) < MOST_CATCHING_UP;
    return { begin: may ? (nextOf(channels)?.callId ?? null) : null, caughtUp };
  }
}

export function waitingOf(channels: readonly DeferrableView[]): Waiting {
  const calls = waitingCalls(channels);
  const oldestMs = Math.min(...calls.map(({ startedMs }) => startedMs));
  return {
    calls: calls.length,
    ended: calls.filter(({ ended }) => ended).length,
    oldestMs: calls.length === 0 ? null : oldestMs,
    catchingUp: busyOf(callsCatchingUp(channels)),
  };
}

/**
 * Free share of the engines that serve: those that have most channels, as where channels are placed; null where none is up.
 * @param serving how many are to serve
 */
export function freeShare(engines: readonly EngineView[], serving: number): number | null {
  const first = engines
    .filter((view) => view.up)
    .toSorted((a, b) => b.channels - a.channels || a.engine - b.engine)
    .slice(0, serving);
  const capacity = first.reduce((sum, view) => sum + view.capacity, 0);
  const free = ({ room, channels, capacity: all }: EngineView): number =>
    Math.min(room * all, all - LEAST_SHARE * channels);
  return capacity === 0 ? null : first.reduce((sum, view) => sum + free(view), 0) / capacity;
}

/** Live ones before ended ones, for whose words somebody may be waiting; of each the oldest. */
const nextOf = (channels: readonly DeferrableView[]): WaitingCall | undefined =>
  waitingCalls(channels).sort(
    (a, b) =>
      Number(a.ended) - Number(b.ended) || a.startedMs - b.startedMs || (a.callId < b.callId ? -1 : 1),
  )[0];

function waitingCalls(channels: readonly DeferrableView[]): WaitingCall[] {
  const calls = new Map<CallId, WaitingCall>();
  for (const { callId, startedMs, ended, recognition, settled } of channels) {
    if (recognition !== 'waiting' || settled) continue;
    const call = calls.get(callId);
    if (call === undefined) calls.set(callId, { callId, startedMs, ended });
    else call.ended &&= ended;
  }
  return [...calls.values()];
}

const callsCatchingUp = (channels: readonly DeferrableView[]): Map<CallId, DeferrableView[]> =>
  Map.groupBy(
    channels.filter(({ recognition }) => recognition === 'catching-up'),
    ({ callId }) => callId,
  );

const busyOf = (calls: ReadonlyMap<CallId, readonly DeferrableView[]>): number =>
  [...calls.values()].filter((own) => own.some(isBusy)).length;

/** An engine has work with it. What is decided and not in the log waits for that, be it for ever: nobody may have started its call. */
const isBusy = ({ settled, lagTicks }: DeferrableView): boolean => !settled && lagTicks > CAUGHT_UP_TICKS;

/** An ended one when all of it is in the log. */
const isCaughtUp = ({ settled, ended, lagTicks }: DeferrableView): boolean =>
  settled || (!ended && lagTicks <= CAUGHT_UP_TICKS);
