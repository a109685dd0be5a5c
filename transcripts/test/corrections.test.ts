import { expect, test } from 'vitest';
import { type CallId, type CallInfo, channelIdOf } from '@earshot/contracts';
import { corrected, roleChanges, withCorrection } from '../src/assemble/corrections.ts';
import { makeCall, totalsOf, until, wordsFrom } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

const correct = (callId: CallId, index: number, role: 'agent' | 'customer', name?: string) =>
  stage.around.command({
    type: 'channel.correct',
    callId,
    index,
    role,
    participant: name === undefined ? {} : { name },
    by: 'the supervisor',
  });

const channelsOf = async (callId: CallId): Promise<CallInfo['channels']> =>
  (
    await stage.rows<{ channels: CallInfo['channels'] }>('select channels from calls where id = $1', [callId])
  )[0]!.channels;

const rolesSaid = async (callId: CallId): Promise<string[]> =>
  (
    await stage.rows<{ role: string }>('select role from segments where call_id = $1 order by start_tick', [
      callId,
    ])
  ).map(({ role }) => role);

/** A call in which its first channel, taken for the agent, has said a word. */
async function spokenCall(): Promise<CallInfo> {
  const call = makeCall();
  await stage.around.acked(stage.around.start(call));
  const channel = channelIdOf(call.callId, 0);
  await stage.around.open(channel, 1);
  stage.around.final(channel, 1, 0, wordsFrom(0, 'hello'));
  await until('it is in the log', async () => (await rolesSaid(call.callId)).length === 1);
  return call;
}

test('a corrected channel is so in the call, in what was said, and in what is said next', async () => {
  const { callId } = await spokenCall();
  expect(await correct(callId, 0, 'customer', 'Ada')).toMatchObject({ type: 'done' });
  expect((await channelsOf(callId))[0]).toMatchObject({
    role: 'customer',
    score: 1,
    participant: { name: 'Ada', aor: null },
    evidence: ['label', 'corrected by the supervisor'],
  });
  expect(await rolesSaid(callId)).toEqual(['customer']);
  const channel = channelIdOf(callId, 0);
  stage.around.engine.send({
    type: 'partial',
    channel,
    attempt: 1,
    rev: 1,
    segmentId: 's' as never,
    fromTick: 8000,
    words: wordsFrom(8000, 'partly'),
    arrivalUs: 0,
  });
  const partial = await until('the partial', () => stage.around.live.find(({ type }) => type === 'partial'));
  expect(partial).toMatchObject({ segment: { role: 'customer' } });
  stage.around.final(channel, 1, 8000, wordsFrom(8000, 'again'));
  await until('the next words', async () => (await rolesSaid(callId)).length === 2);
  expect(await rolesSaid(callId)).toEqual(['customer', 'customer']);
  const events = await stage.events();
  expect(events.map(({ type }) => type)).toEqual([
    'call.started',
    'segment.final',
    'call.updated',
    'transcript.revised',
    'segment.final',
  ]);
  expect(events[3]!.data).toMatchObject({
    reason: 'correction',
    by: 'the supervisor',
    roles: [{ channel: 0, before: 'agent', after: 'customer' }],
    revision: 2,
    previousRevision: 1,
    externalIds: { 'x-crm-id': '4711' },
  });
});

test('what the signalling says later does not undo it, nor does a successor of this process forget it', async () => {
  const call = await spokenCall();
  await correct(call.callId, 0, 'customer');
  await stage.restart();
  const renamed = call.channels.map((channel) => ({
    ...channel,
    role: 'agent' as const,
    participant: { name: 'Grace', aor: null },
  }));
  await stage.around.acked(stage.around.update({ ...call, channels: renamed }));
  expect(await channelsOf(call.callId)).toMatchObject([
    { role: 'customer', participant: { name: 'Grace' } },
    { role: 'agent', participant: { name: 'Grace' } },
  ]);
  expect(await rolesSaid(call.callId)).toEqual(['customer']);
  const revised = (await stage.events()).filter(({ type }) => type === 'transcript.revised');
  expect(revised.map(({ data }) => [data['reason'], data['by'], data['roles']])).toEqual([
    ['correction', 'the supervisor', [{ channel: 0, before: 'agent', after: 'customer' }]],
    ['metadata', null, [{ channel: 1, before: 'customer', after: 'agent' }]],
  ]);
});

test('asked again it changes nothing, and of a channel or a call that is not there it says so', async () => {
  const { callId } = await spokenCall();
  await correct(callId, 0, 'customer');
  const count = (await stage.events()).length;
  await correct(callId, 0, 'customer');
  expect((await stage.events()).length).toBe(count);
  expect(await correct(callId, 7, 'agent')).toMatchObject({ type: 'refused', code: 'CHANNEL_NOT_FOUND' });
  const unknown = makeCall().callId;
  expect(await correct(unknown, 0, 'agent')).toMatchObject({ type: 'refused', code: 'CALL_NOT_FOUND' });
});

test('a call that is over and complete is corrected too', async () => {
  const { callId } = await spokenCall();
  const channels = [0, 1].map((index) => channelIdOf(callId, index));
  await stage.around.open(channels[1]!, 1);
  for (const channel of channels) {
    stage.around.settle(channel, 1, 16_000);
    stage.around.worker.send({ type: 'ended', channel, endTick: 16_000 });
  }
  await stage.around.acked(
    stage.around.end(
      callId,
      channels.map((channel) => totalsOf(channel, 16_000)),
    ),
  );
  await until('it is complete', async () =>
    (await stage.events()).some(({ type }) => type === 'transcript.completed'),
  );
  expect(await correct(callId, 0, 'customer')).toMatchObject({ type: 'done' });
  expect(await rolesSaid(callId)).toEqual(['customer']);
  expect((await stage.events()).at(-1)).toMatchObject({ type: 'transcript.revised' });
});

test('a second correction of a channel goes on from the first, and leaves one line of evidence', () => {
  const { channels } = makeCall();
  const first = { index: 1, role: 'agent', participant: { name: 'Ada' }, by: 'one' } as const;
  const second = { index: 1, role: 'other', participant: { aor: 'sip:2@example.test' }, by: 'two' } as const;
  const once = corrected(channels, [first]);
  const twice = corrected(once, withCorrection([first], second));
  expect(twice[1]).toMatchObject({
    role: 'other',
    participant: { name: 'Ada', aor: 'sip:2@example.test' },
    evidence: ['label', 'corrected by two'],
  });
  expect(twice[0]).toEqual(channels[0]);
  expect(roleChanges(channels, twice)).toEqual([{ channel: 1, before: 'customer', after: 'other' }]);
  expect(roleChanges([], twice)).toEqual([]);
});
