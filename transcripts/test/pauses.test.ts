import type { CallId, FromCalls } from '@earshot/contracts';
import { expect, test } from 'vitest';
import { type PauseOutcome, Pauses } from '../src/server/pauses.ts';

const CALL = 'call-1' as CallId;

function room(): {
  pauses: Pauses;
  gateway: { send(message: FromCalls): boolean };
  sent: FromCalls[];
  outcomes: PauseOutcome[];
  readonly pass: (ms: number) => void;
  readonly ask: (paused: boolean) => void;
} {
  let nowMs = 0;
  const sent: FromCalls[] = [];
  const outcomes: PauseOutcome[] = [];
  const pauses = new Pauses(() => nowMs);
  const gateway = { send: (message: FromCalls) => sent.push(message) > 0 };
  return {
    pauses,
    gateway,
    sent,
    outcomes,
    pass: (ms) => {
      nowMs += ms;
      pauses.sweep();
    },
    ask: (paused) => pauses.ask(CALL, paused, (outcome) => outcomes.push(outcome)),
  };
}

test('a wish goes to the gateway and is settled when the call is said to be so', () => {
  const { pauses, gateway, sent, outcomes, ask } = room();
  pauses.connected(gateway as never);
  ask(true);
  expect(sent).toEqual([{ type: 'call.pause', callId: CALL, paused: true }]);
  pauses.updated(CALL, false);
  expect(outcomes).toEqual([]);
  pauses.updated(CALL, true);
  pauses.updated(CALL, true);
  expect(outcomes).toEqual([{ done: true }]);
});

test('a wish that the gateway could not fulfil is refused at once, and the next one is asked for', () => {
  const { pauses, gateway, sent, outcomes, ask } = room();
  pauses.connected(gateway as never);
  ask(true);
  ask(false);
  pauses.failed(CALL, false);
  expect(outcomes).toEqual([]);
  pauses.failed(CALL, true);
  pauses.failed(CALL, true);
  expect(outcomes).toEqual([{ done: false, code: 'NOT_READY' }]);
  expect(sent.map((message) => 'paused' in message && message.paused)).toEqual([true, false]);
  pauses.updated(CALL, false);
  expect(outcomes).toEqual([{ done: false, code: 'NOT_READY' }, { done: true }]);
});

test('a wish is refused when there is no gateway, when it does not answer, and when the call ends', () => {
  const { pauses, gateway, outcomes, ask, pass } = room();
  ask(true);
  expect(outcomes).toEqual([{ done: false, code: 'NOT_READY' }]);
  pauses.connected(gateway as never);
  ask(true);
  pass(4000);
  expect(outcomes).toHaveLength(1);
  pass(2000);
  expect(outcomes[1]).toEqual({ done: false, code: 'NOT_READY' });
  ask(true);
  pauses.ended(CALL);
  expect(outcomes[2]).toEqual({ done: false, code: 'CALL_NOT_LIVE' });
  pauses.lost(gateway as never);
  ask(false);
  expect(outcomes[3]).toEqual({ done: false, code: 'NOT_READY' });
});

test('a wish waits until the one before it about the same call is settled', () => {
  const { pauses, gateway, sent, outcomes, ask, pass } = room();
  pauses.connected(gateway as never);
  ask(true);
  ask(true);
  ask(false);
  ask(true);
  expect(sent.map((message) => 'paused' in message && message.paused)).toEqual([true]);
  expect(pauses.has(CALL)).toBe(true);
  pauses.updated(CALL, true);
  expect(outcomes).toHaveLength(2);
  expect(sent.map((message) => 'paused' in message && message.paused)).toEqual([true, false]);
  // What the gateway told before it heard of the second wish settles nothing of the third.
  pauses.updated(CALL, true);
  expect(outcomes).toHaveLength(2);
  pass(6000);
  expect(outcomes.at(-1)).toEqual({ done: false, code: 'NOT_READY' });
  expect(sent.map((message) => 'paused' in message && message.paused)).toEqual([true, false, true]);
  pauses.updated(CALL, true);
  expect(outcomes.at(-1)).toEqual({ done: true });
  expect(pauses.has(CALL)).toBe(false);
});
