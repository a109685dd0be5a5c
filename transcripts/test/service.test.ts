import { expect, test, vi } from 'vitest';
import { channelIdOf, monoUs, segmentIdOf } from '@earshot/contracts';
import { makeCall, totalsOf, until, wordsFrom } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

test('a call goes from its start to a complete transcript, its recording and its events in order', async () => {
  const call = makeCall();
  const agent = channelIdOf(call.callId, 0);
  const customer = channelIdOf(call.callId, 1);
  await stage.around.acked(stage.around.start(call));
  expect(await stage.around.open(agent, 1)).toMatchObject({ attempt: 1, tick: 0 });
  expect(await stage.around.open(customer, 1)).toMatchObject({ attempt: 1, tick: 0 });
  stage.around.final(agent, 1, 0, wordsFrom(0, 'good', 'morning'));
  stage.around.final(customer, 1, 0, wordsFrom(6000, 'hello'), 12_000);
  await until('the agent is told', () => stage.around.committedTick(agent) === 8000);
  stage.around.settle(agent, 1, 16_000);
  stage.around.settle(customer, 1, 16_000);
  await stage.around.acked(
    stage.around.end(call.callId, [totalsOf(agent, 16_000), totalsOf(customer, 16_000)]),
  );
  const completed = await until('completed', async () =>
    (await stage.events()).find((event) => event.type === 'transcript.completed'),
  );
  expect(completed.data).toMatchObject({
    id: call.callId,
    complete: true,
    revision: 3,
    segmentCount: 2,
    wordCount: 3,
    externalIds: { 'x-crm-id': '4711' },
    channels: [
      { index: 0, role: 'agent', endMs: 2000, settledMs: 2000, packetsReceived: 10, packetsLost: 1 },
      { index: 1, role: 'customer', endMs: 2000, settledMs: 2000 },
    ],
  });
  stage.around.postCall.send({
    type: 'recording.ready',
    id: 7,
    callId: call.callId,
    recording: {
      file: `${call.callId}.wav`,
      bytes: 64044,
      sha256: 'ab',
      durationMs: 2000,
      formats: [
        { format: 'wav', file: `${call.callId}.wav`, bytes: 64044, sha256: 'ab' },
        { format: 'opus', file: `${call.callId}.opus`, bytes: 8000, sha256: 'cd' },
      ],
    },
  });
  await until('the command is done', () => stage.around.answers.some((answer) => answer.id === 7));
  expect(stage.around.answers).toEqual([{ type: 'done', id: 7 }]);

  const logged = await stage.events();
  expect(logged.map((event) => event.type)).toEqual([
    'call.started',
    'segment.final',
    'segment.final',
    'call.ended',
    'transcript.completed',
    'call.updated',
  ]);
  expect(logged.map((event) => event.call_seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(logged.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5, 6]);
  for (const { data } of logged) expect(data['externalIds']).toEqual({ 'x-crm-id': '4711' });
  expect(logged.find((event) => event.type === 'segment.final')?.data).toMatchObject({
    revision: 1,
    segment: {
      id: `${call.callId}:0@0`,
      channel: 0,
      role: 'agent',
      startMs: 13,
      endMs: 1000,
      text: 'Good morning.',
      spoken: 'good morning',
      words: [
        { text: 'good', startMs: 13, endMs: 500, confidence: 0.9 },
        { text: 'morning', startMs: 513, endMs: 1000, confidence: 0.9 },
      ],
    },
  });
  expect(logged.at(-1)?.data['recording']).toEqual({
    bytes: 64044,
    sha256: 'ab',
    durationMs: 2000,
    formats: [
      { format: 'wav', bytes: 64044, sha256: 'ab' },
      { format: 'opus', bytes: 8000, sha256: 'cd' },
    ],
  });
  const outbox = await stage.rows<{ payload: Record<string, unknown> }>(
    'select payload from outbox order by id',
  );
  expect(outbox.map(({ payload }) => payload['event'] ?? payload['kind'])).toEqual([
    'call.started',
    'call.ended',
    'transcript.completed',
    'recording',
    'call.updated',
  ]);
  await until('the live bus heard of the last event', () =>
    stage.around.live.some((message) => message.type === 'logged' && message.seq === 6),
  );
});

test('a partial reaches the live bus with the role of its channel, an old attempt does not', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 1);
  await stage.around.acked(stage.around.start(call));
  await until('the live bus is there', () => stage.around.live.length > 0);
  await stage.around.open(channel, 1);
  await stage.around.open(channel, 2);
  const partial = {
    type: 'partial',
    channel,
    segmentId: segmentIdOf(channel, 0),
    fromTick: 0,
    rev: 1,
    arrivalUs: monoUs(),
  } as const;
  stage.around.engine.send({ ...partial, attempt: 1, words: wordsFrom(0, 'old') });
  stage.around.engine.send({ ...partial, attempt: 2, words: wordsFrom(0, 'new') });
  await until('a partial', () => stage.around.live.some((message) => message.type === 'partial'));
  const partials = stage.around.live.filter((message) => message.type === 'partial');
  expect(partials).toMatchObject([
    {
      attempt: 2,
      rev: 1,
      callId: call.callId,
      segment: { text: 'New', spoken: 'new', role: 'customer', channel: 1 },
    },
  ]);
});

test('a partial that takes shown words back reaches the live bus though time is settled beyond it, no other empty one does', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  await until('the live bus is there', () => stage.around.live.length > 0);
  await stage.around.open(channel, 1);
  const send = (fromTick: number, rev: number, text: string): void => {
    const words = text === '' ? [] : wordsFrom(fromTick, text);
    const segmentId = segmentIdOf(channel, fromTick);
    stage.around.engine.send({
      type: 'partial',
      channel,
      attempt: 1,
      segmentId,
      fromTick,
      rev,
      arrivalUs: monoUs(),
      words,
    });
  };
  send(0, 1, '');
  send(0, 2, 'nothing');
  stage.around.engine.send({ type: 'progress', channel, attempt: 1, decidedTick: 9000, settledTick: 8000 });
  send(0, 3, '');
  send(0, 4, '');
  send(8000, 5, 'something');
  const partials = () =>
    stage.around.live.flatMap((message) => (message.type === 'partial' ? [message] : []));
  await until('the last partial', () => partials().some(({ rev }) => rev === 5));
  expect(partials().map(({ rev, segment }) => [rev, segment.id, segment.text])).toEqual([
    [2, segmentIdOf(channel, 0), 'Nothing'],
    [3, segmentIdOf(channel, 0), ''],
    [5, segmentIdOf(channel, 8000), 'Something'],
  ]);
});

test('finals that come before their call wait for it', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await stage.around.open(channel, 1);
  stage.around.final(channel, 1, 0, wordsFrom(0, 'early'));
  expect(await stage.around.open(channel, 2)).toMatchObject({ tick: 4000 });
  await stage.around.acked(stage.around.start(call));
  await until('the early final is logged', async () => (await stage.events()).length === 2);
  expect((await stage.events()).map((event) => event.type)).toEqual(['call.started', 'segment.final']);
});

test('finals whose call does not start are kept for a slow gateway, and given up by name after ten minutes', async () => {
  const [slow, never] = [makeCall(), makeCall()];
  const channels = [slow, never].map(({ callId }) => channelIdOf(callId, 0));
  for (const channel of channels) {
    await stage.around.open(channel, 1);
    stage.around.final(channel, 1, 0, wordsFrom(0, 'early'));
    // The answer to the next attempt shows that the final was taken.
    expect(await stage.around.open(channel, 2)).toMatchObject({ tick: 4000 });
  }
  stage.aheadMs = 60_000;
  await stage.around.acked(stage.around.start(slow));
  await until('the early final is logged', async () => (await stage.events()).length === 2);
  stage.aheadMs = 700_000;
  await until('the others are counted', async () =>
    (await stage.running.metric('earshot_words_dropped_total', { reason: 'call-unknown' })) === 1
      ? true
      : null,
  );
  // The attempt that said them speaks on; what it says now would stand after a hole.
  const channel = channels[1]!;
  stage.around.final(channel, 2, 4000, wordsFrom(4000, 'later'));
  await until('it is refused', async () =>
    (await stage.running.metric('earshot_words_dropped_total', { reason: 'stale-attempt' })) === 1
      ? true
      : null,
  );
  // The gateway comes at last: the worker is made to announce the channel again, and its words are taken from 0 on.
  const reopened = new Promise<void>((resolve) => (stage.around.onWorkerOpen = resolve));
  await stage.around.acked(stage.around.start(never));
  await reopened;
  expect(await stage.around.open(channel, 2)).toMatchObject({ attempt: 3, tick: 0 });
  stage.around.final(channel, 3, 0, wordsFrom(0, 'early', 'later'));
  await until('they are logged', () => stage.around.committedTick(channel) === 8000);
  expect((await stage.events()).map((event) => event.type)).toEqual([
    'call.started',
    'segment.final',
    'call.started',
    'segment.final',
  ]);
});

test('a step of the wall clock gives up nothing and holds nothing up', async () => {
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  await stage.running.stop();
  // Before the service takes hold of its clocks.
  vi.useFakeTimers({ toFake: ['Date'] });
  await stage.startService();
  await stage.around.open(channel, 1);
  stage.around.final(channel, 1, 0, wordsFrom(0, 'early'));
  // The answer to the next attempt shows that the final was taken.
  await stage.around.open(channel, 2);
  try {
    vi.setSystemTime(Date.now() + 86_400_000);
    const nowMs = performance.now();
    await until('some sweeps', () => performance.now() > nowMs + 600);
    vi.setSystemTime(Date.now() - 2 * 86_400_000);
    await stage.around.acked(stage.around.start(call));
    await until('the early final is logged', () => stage.around.committedTick(channel) === 4000);
    stage.around.settle(channel, 2, 16_000);
    await until('silence is committed too', () => stage.around.committedTick(channel) === 16_000);
    expect(await stage.running.metric('earshot_words_dropped_total')).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('what happens is counted', async () => {
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  await until('the live bus is there', async () => {
    await stage.around.acked(stage.around.start(call));
    return stage.around.live.length > 0;
  });
  await stage.around.open(channel, 1);
  const words = wordsFrom(0, 'one', 'two');
  const arrivalUs = monoUs();
  stage.around.engine.send({
    type: 'partial',
    channel,
    attempt: 1,
    segmentId: segmentIdOf(channel, 0),
    fromTick: 0,
    rev: 1,
    words,
    arrivalUs,
  });
  stage.around.final(channel, 1, 0, words);
  stage.around.final(channel, 1, 0, words);
  await until('committed', () => stage.around.committedTick(channel) === 8000);
  stage.around.worker.send({ type: 'ended', channel, endTick: 8000 });
  await stage.around.acked(stage.around.end(call.callId));
  await until(
    'completed',
    async () => (await stage.running.metric('earshot_transcripts_completed_total')) === 1,
  );
  expect(await stage.running.metric('earshot_segments_total')).toBe(1);
  expect(await stage.running.metric('earshot_words_total')).toBe(2);
  expect(await stage.running.metric('earshot_words_dropped_total', { reason: 'replayed' })).toBe(1);
  expect(await stage.running.metric('earshot_commit_queue')).toBe(0);
  expect(await stage.running.metric('earshot_commit_seconds_count')).toBeGreaterThan(0);
  expect(await stage.running.metric('earshot_word_latency_seconds_count', { kind: 'partial' })).toBe(1);
  expect(await stage.running.metric('earshot_word_latency_seconds_count', { kind: 'final' })).toBe(1);
});

test('a recording of a call that is not in the log is refused with its code', async () => {
  const { callId } = makeCall();
  stage.around.postCall.send({
    type: 'recording.ready',
    id: 1,
    callId,
    recording: { file: 'x.wav', bytes: 1, sha256: '', durationMs: 0 },
  });
  await until('an answer', () => stage.around.answers.length > 0);
  expect(stage.around.answers).toMatchObject([{ type: 'refused', id: 1, code: 'CALL_NOT_FOUND' }]);
});

test('a call whose channels never opened is complete at 0 once nobody can speak for them any more', async () => {
  const call = makeCall();
  await stage.around.acked(stage.around.start(call));
  await stage.around.acked(stage.around.end(call.callId));
  await until('complete', async () =>
    (await stage.events()).some((event) => event.type === 'transcript.completed'),
  );
});
