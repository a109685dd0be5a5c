import { expect, test } from 'vitest';
import {
  type CallInfo,
  channelIdOf,
  type Command,
  type RevisedSegment,
  type SegmentView,
  type ToEngine,
  VOCABULARY_LIMITS,
} from '@earshot/contracts';
import { makeCall, totalsOf, until, wordsFrom } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

const eventsOf = (type: string) =>
  stage.rows<{ seq: number; data: Record<string, unknown> }>(
    'select seq, data from events where type = $1 order by seq',
    [type],
  );
const vocabularies = (): Extract<ToEngine, { type: 'vocabulary' }>['lists'][] =>
  stage.around.told.flatMap((message) => (message.type === 'vocabulary' ? [message.lists] : []));

/** A call that ended, with these words on its first channel, and a complete transcript. */
async function completeCall(...texts: string[]): Promise<CallInfo> {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  const { attempt } = await stage.around.open(channel, 1);
  const words = wordsFrom(0, ...texts);
  const endTick = words.at(-1)!.endTick;
  stage.around.final(channel, attempt, 0, words);
  stage.around.settle(channel, attempt, endTick);
  await stage.around.acked(
    stage.around.end(call.callId, [totalsOf(channel, endTick), totalsOf(channelIdOf(call.callId, 1), 0)]),
  );
  await until('complete', async () => (await eventsOf('transcript.completed')).length > 0);
  return call;
}

const revise = (call: CallInfo, retranscription: string, segments: readonly RevisedSegment[]): Command => ({
  type: 'transcript.revise',
  callId: call.callId,
  retranscription,
  model: 'another',
  vocabulary: ['sales'],
  part: 0,
  parts: 1,
  segments,
});
const said = (call: CallInfo, fromTick: number, ...texts: string[]): RevisedSegment => {
  const words = wordsFrom(fromTick, ...texts);
  const channel = channelIdOf(call.callId, 0);
  return { channel, fromTick, toTick: words.at(-1)!.endTick, words, endpoint: 'pause' };
};

test('an engine is told all vocabulary lists after hello and at each change', async () => {
  await until('the first lists', () => vocabularies().length > 0);
  expect(vocabularies()).toEqual([[]]);
  const phrases = [{ text: 'ear shot', boost: 2 }];
  expect(await stage.around.command({ type: 'vocabulary.put', name: 'sales', phrases })).toMatchObject({
    type: 'done',
  });
  await stage.around.command({ type: 'vocabulary.put', name: 'billing', phrases: [] });
  await stage.around.command({
    type: 'vocabulary.put',
    name: 'sales',
    phrases: [...phrases, { text: 'quux', boost: 5 }],
  });
  await stage.around.command({ type: 'vocabulary.delete', name: 'billing' });
  await until('the last change', () => vocabularies().length === 5);
  expect(
    vocabularies()
      .slice(1)
      .map((lists) => lists.map(({ name, phrases }) => [name, phrases.length])),
  ).toEqual([
    [['sales', 1]],
    [
      ['billing', 0],
      ['sales', 1],
    ],
    [
      ['billing', 0],
      ['sales', 2],
    ],
    [['sales', 2]],
  ]);
  // One that connects later, here to a successor, is told what is in the database.
  await stage.running.stop();
  stage.around.told.length = 0;
  await stage.startService();
  await until('told again', () => vocabularies().length > 0);
  expect(stage.around.told.map((message) => message.type)).toEqual(['hello', 'vocabulary']);
  expect(vocabularies()[0]).toEqual([{ name: 'sales', phrases: [...phrases, { text: 'quux', boost: 5 }] }]);
});

test('lists beyond the limits are refused, and removing what is not there is', async () => {
  const put = (name: string, count: number) =>
    stage.around.command({
      type: 'vocabulary.put',
      name,
      phrases: Array.from({ length: count }, () => ({ text: 'phrase', boost: 1 })),
    });
  const full = VOCABULARY_LIMITS.phrasesInAll / VOCABULARY_LIMITS.phrases;
  await stage.rows(
    `insert into vocabulary (name, phrases)
     select 'full-' || list, (select jsonb_agg('{"text": "phrase", "boost": 1}'::jsonb) from generate_series(1, $2::int))
     from generate_series(0, $1::int - 1) list`,
    [full, VOCABULARY_LIMITS.phrases],
  );
  expect(await put('one-more', 1)).toMatchObject({ type: 'refused', code: 'VOCABULARY_LIMIT' });
  expect(await put('full-0', 0)).toMatchObject({ type: 'done' });
  await stage.rows(
    `insert into vocabulary (name, phrases) select 'small-' || list, '[]' from generate_series($1::int, $2::int - 1) list`,
    [full, VOCABULARY_LIMITS.lists],
  );
  expect(await put('one-more', 0)).toMatchObject({ type: 'refused', code: 'VOCABULARY_LIMIT' });
  expect(await stage.around.command({ type: 'vocabulary.delete', name: 'none' })).toMatchObject({
    type: 'refused',
    code: 'VOCABULARY_NOT_FOUND',
  });
});

test('a request for finals goes to the engines for each channel of a live call, and for no other', async () => {
  const call = makeCall();
  await stage.around.acked(stage.around.start(call));
  expect(await stage.around.command({ type: 'call.finalise', callId: call.callId })).toMatchObject({
    type: 'done',
  });
  await until('told', () => stage.around.told.filter((message) => message.type === 'finalise').length === 2);
  expect(stage.around.told.filter((message) => message.type === 'finalise')).toEqual(
    [0, 1].map((index) => ({ type: 'finalise', channel: channelIdOf(call.callId, index) })),
  );
  await stage.around.acked(stage.around.end(call.callId));
  const refused = { type: 'refused', code: 'CALL_NOT_LIVE' };
  expect(await stage.around.command({ type: 'call.finalise', callId: call.callId })).toMatchObject(refused);
  const unknown = makeCall().callId;
  expect(await stage.around.command({ type: 'call.finalise', callId: unknown })).toMatchObject({
    code: 'CALL_NOT_FOUND',
  });
});

test('why a segment ended is kept with it', async () => {
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  const { attempt } = await stage.around.open(channel, 1);
  stage.around.engine.send({
    type: 'final',
    channel,
    attempt,
    segmentId: `${channel}@0` as never,
    fromTick: 0,
    toTick: 4000,
    words: wordsFrom(0, 'hello'),
    arrivalUs: 0,
    endpoint: 'request',
  });
  const [event] = await until('final', async () => {
    const found = await eventsOf('segment.final');
    return found.length > 0 ? found : null;
  });
  expect(event!.data['segment']).toMatchObject({ spoken: 'hello', endpoint: 'request' });
  expect(await stage.rows('select endpoint from segments')).toEqual([{ endpoint: 'request' }]);
});

test('a retranscription makes a new revision with its differences, and the one before stays', async () => {
  const call = await completeCall('good', 'mourning', 'to', 'you');
  const before = await stage.rows<{ revision: number }>('select revision from calls');
  const segments = [said(call, 0, 'good', 'morning'), said(call, 8000, 'to', 'you', 'all')];
  expect(await stage.around.command(revise(call, 'rt_1', segments))).toMatchObject({ type: 'done' });
  const [event] = await eventsOf('transcript.revised');
  expect(event!.data).toMatchObject({
    callId: call.callId,
    revision: before[0]!.revision + 1,
    previousRevision: before[0]!.revision,
    retranscription: 'rt_1',
    model: 'another',
    vocabulary: ['sales'],
    segmentCount: 2,
    wordCount: 5,
    wordsChanged: 2,
    wordErrorRateBetween: 0.5,
    differenceCount: 2,
    differences: [
      { channel: 0, before: 'mourning', after: 'morning', startMs: 513, endMs: 1000 },
      { channel: 0, before: '', after: 'all', startMs: 2013, endMs: 2500 },
    ],
    externalIds: call.externalIds,
  });
  expect(await stage.rows('select spoken, endpoint from segments order by start_tick')).toEqual([
    { spoken: 'good morning', endpoint: 'pause' },
    { spoken: 'to you all', endpoint: 'pause' },
  ]);
  expect(await stage.rows('select revision, segment_count, word_count from calls')).toEqual([
    { revision: before[0]!.revision + 1, segment_count: 2, word_count: 5 },
  ]);
  const kept = await stage.rows<{ revision: number; segments: SegmentView[] }>(
    'select revision, segments from revisions',
  );
  expect(kept).toMatchObject([
    { revision: before[0]!.revision, segments: [{ spoken: 'good mourning to you' }] },
  ]);
  const outbox = await stage.rows<{ payload: object }>(
    `select payload from outbox where payload ->> 'event' = 'transcript.revised'`,
  );
  expect(outbox).toEqual([
    { payload: { kind: 'webhook', seq: event!.seq, event: 'transcript.revised', callId: call.callId } },
  ]);
});

test('a retranscription that is sent again changes nothing; another one makes the next revision', async () => {
  const call = await completeCall('good', 'mourning');
  const first = revise(call, 'rt_1', [said(call, 0, 'good', 'morning')]);
  await stage.around.command(first);
  expect(await stage.around.command(first)).toMatchObject({ type: 'done' });
  expect(await eventsOf('transcript.revised')).toHaveLength(1);
  await stage.around.command(revise(call, 'rt_2', []));
  const [, second] = await eventsOf('transcript.revised');
  expect(second!.data).toMatchObject({ wordsChanged: 2, wordErrorRateBetween: 1, segmentCount: 0 });
  expect(await stage.rows('select id from segments')).toEqual([]);
  const kept = await stage.rows<{ revision: number }>('select revision from revisions order by revision');
  expect(kept.map(({ revision }) => revision)).toEqual([
    (second!.data['previousRevision'] as number) - 1,
    second!.data['previousRevision'],
  ]);
});

test('a transcript in parts is taken when all are here, and refused when one went to a predecessor', async () => {
  const call = await completeCall('one', 'two');
  const part = (index: number, ...segments: RevisedSegment[]): Command =>
    ({ ...revise(call, 'rt_1', segments), part: index, parts: 2 }) as Command;
  await stage.around.command(part(0, said(call, 0, 'three')));
  await stage.restart();
  expect(await stage.around.command(part(1, said(call, 4000, 'four')))).toMatchObject({ code: 'NOT_READY' });
  expect(await eventsOf('transcript.revised')).toEqual([]);
  await stage.around.command(part(0, said(call, 0, 'three')));
  expect(await eventsOf('transcript.revised')).toEqual([]);
  expect(await stage.around.command(part(1, said(call, 4000, 'four')))).toMatchObject({ type: 'done' });
  expect(await stage.rows('select spoken from segments order by start_tick')).toEqual([
    { spoken: 'three' },
    { spoken: 'four' },
  ]);
});

test('the transcript of a call that is not complete is not revised', async () => {
  const call = makeCall();
  await stage.around.acked(stage.around.start(call));
  const segments = [said(call, 0, 'too', 'early')];
  expect(await stage.around.command(revise(call, 'rt_1', segments))).toMatchObject({
    code: 'CALL_NOT_COMPLETE',
  });
  expect(await stage.around.command(revise(makeCall(), 'rt_2', []))).toMatchObject({
    code: 'CALL_NOT_FOUND',
  });
  expect(await stage.rows('select id from segments')).toEqual([]);
});
