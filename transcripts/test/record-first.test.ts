import { channelIdOf, type RecognitionState } from '@earshot/contracts';
import { expect, test } from 'vitest';
import { UNOPENED_GRACE_MS } from '../src/document/call.ts';
import { makeCall, totalsOf, until, wordsFrom } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

interface Row {
  readonly recognition: RecognitionState;
  readonly complete: boolean;
}
const END_TICK = 80_000;

test('a call that was recorded first waits as long as it takes, and is complete when its words are there', async () => {
  const call = { ...makeCall(2), recognition: 'waiting' as const };
  const [first, second] = [channelIdOf(call.callId, 0), channelIdOf(call.callId, 1)];
  const row = async (): Promise<Row> =>
    (await stage.rows<Row & Record<string, unknown>>('select recognition, complete from calls'))[0]!;
  const say = (state: RecognitionState) =>
    stage.around.worker.send({ type: 'recognition', callId: call.callId, state });
  await stage.around.acked(stage.around.start(call));
  await stage.around.open(first, 1);
  for (const channel of [first, second]) stage.around.ledger(channel, 0, ['received', END_TICK]);
  stage.around.worker.send({ type: 'ended', channel: first, endTick: END_TICK });
  // The media worker was away at the end: nobody has said anything of the second channel.
  await stage.around.acked(stage.around.end(call.callId, []));
  stage.aheadMs = UNOPENED_GRACE_MS + 3_600_000;
  await stage.restart();
  // Told again by a worker that took over, and of no call that is not so.
  say('waiting');
  const { attempt: firstAttempt } = await stage.around.open(first, 1001);
  stage.aheadMs += UNOPENED_GRACE_MS + 3_600_000;
  expect(await row()).toEqual({ recognition: 'waiting', complete: false });

  say('catching-up');
  const { attempt: secondAttempt } = await stage.around.open(second, 1001);
  stage.around.worker.send({ type: 'ended', channel: second, endTick: END_TICK });
  stage.around.final(first, firstAttempt, 0, wordsFrom(8000, 'late', 'words'));
  await until('that it catches up', async () => (await row()).recognition === 'catching-up');
  stage.around.settle(first, firstAttempt, END_TICK);
  stage.around.settle(second, secondAttempt, END_TICK);
  await until('complete', async () => (await row()).complete);
  expect(await row()).toEqual({ recognition: 'current', complete: true });
  // Too late to change anything.
  say('catching-up');
  const events = (await stage.events()).map(({ type, data }) => [type, data['recognition']]);
  expect(events).toEqual([
    ['call.started', 'waiting'],
    ['call.ended', 'waiting'],
    ['call.updated', 'catching-up'],
    ['segment.final', undefined],
    ['transcript.completed', 'current'],
  ]);
});

test('a live call that was recorded first says when it has caught up, and what the gateway updates later changes that not', async () => {
  const call = { ...makeCall(1), recognition: 'waiting' as const };
  const say = (state: RecognitionState) =>
    stage.around.worker.send({ type: 'recognition', callId: call.callId, state });
  // Its worker may be faster than its gateway.
  say('waiting');
  say('catching-up');
  await stage.around.acked(stage.around.start(call));
  say('current');
  const told = async () => (await stage.events()).map(({ data }) => data['recognition']);
  await until('told', async () => (await told()).length === 3);
  await stage.around.acked(stage.around.update({ ...call, externalIds: { 'x-crm-id': '12' } }));
  await stage.around.acked(stage.around.end(call.callId, [totalsOf(channelIdOf(call.callId, 0), 0)]));
  const states = await told();
  expect(states.slice(0, 5)).toEqual(['waiting', 'catching-up', 'current', 'current', 'current']);
});

test('a call that waits and of which no media worker knows anything is complete with what there is, after a minute', async () => {
  const call = { ...makeCall(1), recognition: 'waiting' as const };
  await stage.around.acked(stage.around.start(call));
  await stage.around.acked(stage.around.end(call.callId, []));
  stage.aheadMs = UNOPENED_GRACE_MS + 20_000;
  await stage.around.acked(stage.around.update(call));
  expect((await stage.rows('select complete from calls'))[0]).toEqual({ complete: false });
  stage.aheadMs = 61_000;
  await until(
    'complete',
    async () => (await stage.rows('select complete from calls'))[0]!['complete'] === true,
  );
});
