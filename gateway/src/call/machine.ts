import type { ChannelTotals, EndReason } from '@earshot/contracts';

/**
 * A call's life as a pure function: (state, event) → state and effects. The shell (control/) runs the effects and turns
 * what happens into events. Two promises hold on every path: a leg that was opened is closed, and a call that was
 * announced is reported as ended, both once.
 */
export type CallState =
  /** A media worker is being asked for ports. Nobody was told of the call yet. */
  | { readonly phase: 'placing' }
  /** The caller gave up while ports were being asked for: whatever comes back is closed. */
  | { readonly phase: 'abandoned'; readonly reason: EndReason }
  /** The leg is open, the call announced, and the 200 on its way. */
  | { readonly phase: 'answering' }
  /** The 200 is out, the ACK not yet in. */
  | { readonly phase: 'unconfirmed' }
  | { readonly phase: 'live' }
  /** The leg is being closed; its totals are awaited. */
  | { readonly phase: 'closing'; readonly reason: EndReason }
  | { readonly phase: 'ended'; readonly reason: EndReason };

export type CallEvent =
  | { readonly type: 'leg.opened' }
  /** No worker took the leg. */
  | { readonly type: 'leg.failed'; readonly code: string }
  | { readonly type: 'answer.sent' }
  /** The 200 did not go out: a CANCEL was faster, or the transport is gone. */
  | { readonly type: 'answer.failed'; readonly cancelled: boolean }
  | { readonly type: 'ack' }
  | { readonly type: 'cancel' }
  /** BYE from the caller; may come before the ACK. The shell has answered it. */
  | { readonly type: 'bye' }
  /** The SIP server ended the dialog by itself: no ACK came, or a session timer ran out. */
  | { readonly type: 'dialog.destroyed'; readonly cause: 'no-ack' | 'session-expired' | 'unknown' }
  /** Nobody refreshed the session in time (RFC 4028 section 10). */
  | { readonly type: 'session.expired' }
  | { readonly type: 'leg.timeout' }
  /** We end it: drain, API. */
  | { readonly type: 'hangup' }
  /** Something of ours went wrong that the call cannot survive. */
  | { readonly type: 'fault' }
  /** Totals, or an empty list when the worker could not be asked in time. */
  | { readonly type: 'leg.closed'; readonly channels: readonly ChannelTotals[] }
  /** The link to the worker broke. Host replaces the worker and leg.sync gives it its legs back. */
  | { readonly type: 'worker.lost' };

export type CallEffect =
  /** Answer the INVITE with 200 and the SDP answer. */
  | { readonly type: 'answer' }
  /** Answer the INVITE with a failure, by a code of the catalogue. */
  | { readonly type: 'refuse'; readonly code: string }
  | { readonly type: 'announce' }
  | { readonly type: 'close.leg' }
  | { readonly type: 'send.bye'; readonly reason: EndReason }
  | { readonly type: 'report.ended'; readonly reason: EndReason; readonly channels: readonly ChannelTotals[] }
  /** Take the call out of the table. */
  | { readonly type: 'forget' };

export interface Step {
  readonly state: CallState;
  readonly effects: readonly CallEffect[];
}

/** What happens to a call in a state at an event. An event that means nothing in a state changes nothing. */
export function step(state: CallState, event: CallEvent): Step {
  switch (state.phase) {
    case 'placing':
      return whilePlacing(state, event);
    case 'abandoned':
      return whileAbandoned(state, event);
    case 'answering':
    case 'unconfirmed':
    case 'live':
      return whileOpen(state, event);
    case 'closing':
      return whileClosing(state, event);
    case 'ended':
      return event.type === 'answer.sent' ? answeredTooLate(state, state.reason) : stay(state);
  }
}

type In<P extends CallState['phase']> = Extract<CallState, { readonly phase: P }>;

const stay = (state: CallState): Step => ({ state, effects: [] });

function whilePlacing(state: In<'placing'>, event: CallEvent): Step {
  switch (event.type) {
    case 'leg.opened':
      return { state: { phase: 'answering' }, effects: [{ type: 'announce' }, { type: 'answer' }] };
    case 'leg.failed':
      return {
        state: { phase: 'ended', reason: 'error' },
        effects: [{ type: 'refuse', code: event.code }, { type: 'forget' }],
      };
    case 'cancel':
      // The SIP server has answered the INVITE with 487.
      return { state: { phase: 'abandoned', reason: 'cancel' }, effects: [] };
    case 'hangup':
    case 'fault':
    case 'bye':
    case 'dialog.destroyed':
      return {
        state: { phase: 'abandoned', reason: event.type === 'hangup' ? 'local' : 'error' },
        effects: [{ type: 'refuse', code: event.type === 'hangup' ? 'NOT_READY' : 'INTERNAL' }],
      };
    case 'answer.sent':
    case 'answer.failed':
    case 'ack':
    case 'leg.timeout':
    case 'session.expired':
    case 'leg.closed':
    case 'worker.lost': // placement tries the next worker
      return stay(state);
  }
}

function whileAbandoned(state: In<'abandoned'>, event: CallEvent): Step {
  switch (event.type) {
    case 'leg.opened':
      // Never announced, so nothing is reported.
      return {
        state: { phase: 'ended', reason: state.reason },
        effects: [{ type: 'close.leg' }, { type: 'forget' }],
      };
    case 'leg.failed':
      return { state: { phase: 'ended', reason: state.reason }, effects: [{ type: 'forget' }] };
    default:
      return stay(state);
  }
}

function whileOpen(state: In<'answering' | 'unconfirmed' | 'live'>, event: CallEvent): Step {
  switch (event.type) {
    case 'answer.sent':
      return state.phase === 'answering' ? { state: { phase: 'unconfirmed' }, effects: [] } : stay(state);
    case 'ack':
      // The ACK may overtake the word that the 200 went out.
      return { state: { phase: 'live' }, effects: [] };
    case 'answer.failed':
      return state.phase === 'answering' ? close(event.cancelled ? 'cancel' : 'error') : stay(state);
    case 'cancel':
      // Once the 200 is out a CANCEL changes nothing (RFC 3261 section 9.2).
      return state.phase === 'answering' ? close('cancel') : stay(state);
    case 'bye':
      return close('bye');
    case 'dialog.destroyed':
      return close(DESTROYED[event.cause]);
    case 'session.expired':
      return closeFromHere(state, 'session-expired');
    case 'leg.timeout':
      return closeFromHere(state, 'rtp-timeout');
    case 'hangup':
      return closeFromHere(state, 'local');
    case 'fault':
      return closeFromHere(state, 'error');
    case 'leg.opened':
    case 'leg.failed':
    case 'leg.closed':
    case 'worker.lost':
      return stay(state);
  }
}

const DESTROYED = {
  'no-ack': 'ack-timeout',
  'session-expired': 'session-expired',
  unknown: 'error',
} as const satisfies Record<string, EndReason>;

/** Before the word that the 200 went out there is no dialog to send a BYE in: answeredTooLate sends it. */
const closeFromHere = (state: CallState, reason: EndReason): Step =>
  state.phase === 'answering' ? close(reason) : close(reason, { type: 'send.bye', reason });

/** Our 200 went out although we took the call for ended: the dialog is up, take it down again. */
const answeredTooLate = (state: CallState, reason: EndReason): Step =>
  reason === 'bye' || reason === 'ack-timeout'
    ? stay(state)
    : { state, effects: [{ type: 'send.bye', reason }] };

function close(reason: EndReason, ...first: readonly CallEffect[]): Step {
  return { state: { phase: 'closing', reason }, effects: [...first, { type: 'close.leg' }] };
}

function whileClosing(state: In<'closing'>, event: CallEvent): Step {
  switch (event.type) {
    case 'leg.closed':
      return ended(state.reason, event.channels);
    case 'worker.lost':
      // Its replacement is not given this leg, and reports the channels' ends to transcripts itself.
      return ended(state.reason, []);
    case 'answer.sent':
      return answeredTooLate(state, state.reason);
    default:
      return stay(state);
  }
}

const ended = (reason: EndReason, channels: readonly ChannelTotals[]): Step => ({
  state: { phase: 'ended', reason },
  effects: [{ type: 'report.ended', reason, channels }, { type: 'forget' }],
});
