import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { step, type CallEffect, type CallEvent, type CallState } from '../src/call/machine.ts';

const events: readonly CallEvent[] = [
  { type: 'leg.opened' },
  { type: 'leg.failed', code: 'MEDIA_UNAVAILABLE' },
  { type: 'answer.sent' },
  { type: 'answer.failed', cancelled: true },
  { type: 'answer.failed', cancelled: false },
  { type: 'ack' },
  { type: 'cancel' },
  { type: 'bye' },
  { type: 'dialog.destroyed', cause: 'no-ack' },
  { type: 'dialog.destroyed', cause: 'session-expired' },
  { type: 'dialog.destroyed', cause: 'unknown' },
  { type: 'session.expired' },
  { type: 'leg.timeout' },
  { type: 'hangup' },
  { type: 'fault' },
  { type: 'leg.closed', channels: [] },
  { type: 'worker.lost' },
];
const states: readonly CallState[] = [
  { phase: 'placing' },
  { phase: 'abandoned', reason: 'cancel' },
  { phase: 'answering' },
  { phase: 'unconfirmed' },
  { phase: 'live' },
  { phase: 'closing', reason: 'bye' },
  { phase: 'closing', reason: 'cancel' },
  { phase: 'ended', reason: 'bye' },
];

/** Runs events from the start; placement answers once (a leg.opened or leg.failed), as the shell has it. */
function run(sequence: readonly CallEvent[]): { state: CallState; effects: CallEffect[] } {
  let state: CallState = { phase: 'placing' };
  const effects: CallEffect[] = [];
  for (const event of sequence) {
    const next = step(state, event);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
}

const count = (effects: readonly CallEffect[], type: CallEffect['type']): number =>
  effects.filter((effect) => effect.type === type).length;

describe('the call state machine', () => {
  it('has an outcome for every event in every state', () => {
    for (const state of states) for (const event of events) expect(step(state, event).state).toBeDefined();
  });

  it('goes the plain way: ports, announcement, 200, ACK, BYE, totals, end', () => {
    const { state, effects } = run([
      { type: 'leg.opened' },
      { type: 'answer.sent' },
      { type: 'ack' },
      { type: 'bye' },
      { type: 'leg.closed', channels: [] },
    ]);
    expect(state).toEqual({ phase: 'ended', reason: 'bye' });
    expect(effects.map(({ type }) => type)).toEqual([
      'announce',
      'answer',
      'close.leg',
      'report.ended',
      'forget',
    ]);
  });

  it('closes every leg that was opened and reports the end of every call that was announced, each once', () => {
    const others = events.filter(({ type }) => type !== 'leg.opened' && type !== 'leg.failed');
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...others), { maxLength: 12 }),
        fc.array(fc.constantFrom(...others), { maxLength: 12 }),
        fc.constantFrom<CallEvent>({ type: 'leg.opened' }, { type: 'leg.failed', code: 'X' }),
        (before, after, placed) => {
          // Whatever comes, the end comes at last: a hang-up, and the worker's answer to the close.
          const end: CallEvent[] = [{ type: 'hangup' }, { type: 'leg.closed', channels: [] }];
          const { state, effects } = run([...before, placed, ...after, ...end]);
          expect(state.phase).toBe('ended');
          expect(count(effects, 'forget')).toBe(1);
          expect(count(effects, 'close.leg')).toBe(placed.type === 'leg.opened' ? 1 : 0);
          expect(count(effects, 'report.ended')).toBe(count(effects, 'announce'));
          expect(count(effects, 'announce')).toBeLessThanOrEqual(1);
          // The INVITE gets one final answer from us at most.
          expect(count(effects, 'answer') + count(effects, 'refuse')).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each<[what: string, event: CallEvent, from: CallState, reason: string]>([
    [
      'CANCEL that beats the 200',
      { type: 'answer.failed', cancelled: true },
      { phase: 'answering' },
      'cancel',
    ],
    ['BYE before the ACK', { type: 'bye' }, { phase: 'unconfirmed' }, 'bye'],
    ['no ACK', { type: 'dialog.destroyed', cause: 'no-ack' }, { phase: 'unconfirmed' }, 'ack-timeout'],
    ['no refresh', { type: 'session.expired' }, { phase: 'live' }, 'session-expired'],
    ['no RTP', { type: 'leg.timeout' }, { phase: 'live' }, 'rtp-timeout'],
  ])('%s ends the call for that reason', (_what, event, from, reason) => {
    expect(step(from, event).state).toEqual({ phase: 'closing', reason });
  });

  it('takes down the dialog when the 200 won against the CANCEL after all', () => {
    const { effects } = run([
      { type: 'leg.opened' },
      { type: 'cancel' },
      { type: 'leg.closed', channels: [] },
      { type: 'answer.sent' },
    ]);
    expect(count(effects, 'send.bye')).toBe(1);
  });

  it('goes on when the media worker is lost in a live call, and ends without totals when it was closing', () => {
    expect(step({ phase: 'live' }, { type: 'worker.lost' })).toEqual({
      state: { phase: 'live' },
      effects: [],
    });
    expect(step({ phase: 'closing', reason: 'bye' }, { type: 'worker.lost' }).effects[0]).toEqual({
      type: 'report.ended',
      reason: 'bye',
      channels: [],
    });
  });
});
