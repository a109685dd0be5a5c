import { expect, test } from 'vitest';
import type { CallInfo } from '@earshot/contracts';
import { makeCall, until } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

const pausedInLog = async (call: CallInfo): Promise<boolean | undefined> =>
  (await stage.rows<{ paused: boolean }>('select paused from calls where id = $1', [call.callId]))[0]?.paused;
const events = (): Promise<{ type: string; paused: boolean }[]> =>
  stage.rows(`select type, (data->>'paused')::boolean as paused from events order by seq`, []);

test('a pause is in the log when it is said to be so, each change is an event, and the end takes it off', async () => {
  const { around } = stage;
  const call = makeCall();
  const { callId } = call;
  await around.acked(around.start(call));
  for (const paused of [true, false, true]) {
    const answer = around.command({ type: 'call.pause', callId, paused });
    const wish = await until('the gateway to be asked', () => around.asked.shift());
    expect(wish).toEqual({ callId, paused });
    around.update({ ...call, paused });
    expect(await answer).toMatchObject({ type: 'done' });
    expect(await pausedInLog(call)).toBe(paused);
  }
  // As it is already: nobody is asked.
  expect(await around.command({ type: 'call.pause', callId, paused: true })).toMatchObject({ type: 'done' });
  expect(around.asked).toEqual([]);
  await around.acked(around.end(callId));
  expect(await pausedInLog(call)).toBe(false);
  // An update from before the end, sent again, brings nothing back.
  await around.acked(around.update({ ...call, paused: true }));
  expect(await pausedInLog(call)).toBe(false);
  expect((await events()).filter(({ type }) => type !== 'transcript.completed')).toEqual([
    { type: 'call.started', paused: false },
    { type: 'call.updated', paused: true },
    { type: 'call.updated', paused: false },
    { type: 'call.updated', paused: true },
    { type: 'call.ended', paused: false },
  ]);
  const refused = { type: 'refused', code: 'CALL_NOT_LIVE' };
  expect(await around.command({ type: 'call.pause', callId, paused: true })).toMatchObject(refused);
});

test('a successor knows from the log that a call is paused', async () => {
  const { around } = stage;
  const call = { ...makeCall(), paused: true };
  const { callId } = call;
  await around.acked(around.start(call));
  await stage.restart();
  expect(await around.command({ type: 'call.pause', callId, paused: true })).toMatchObject({ type: 'done' });
  expect(around.asked).toEqual([]);
  const answer = around.command({ type: 'call.pause', callId, paused: false });
  await until('the gateway to be asked', () => around.asked.length > 0);
  around.update({ ...call, paused: false });
  expect(await answer).toMatchObject({ type: 'done' });
  const unknown = makeCall().callId;
  expect(await around.command({ type: 'call.pause', callId: unknown, paused: true })).toMatchObject({
    type: 'refused',
    code: 'CALL_NOT_FOUND',
  });
});
