import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { join } from 'node:path';
import {
  channelIdOf,
  type FromCommit,
  monoUs,
  segmentIdOf,
  sockets,
  type ToCommit,
} from '@earshot/contracts';
import { Dialer } from '@earshot/platform';
import { loadUnfinished } from '../src/log/load.ts';
import { log, makeCall, totalsOf, until, wordsFrom } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

test('finals sent twice, by an old attempt or before the accepted tick are logged once', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  await stage.around.open(channel, 1);
  stage.around.final(channel, 1, 0, wordsFrom(0, 'one'));
  stage.around.final(channel, 1, 0, wordsFrom(0, 'one'));
  await until('committed', () => stage.around.committedTick(channel) === 4000);
  expect(await stage.around.open(channel, 2)).toMatchObject({ attempt: 2, tick: 4000 });
  stage.around.final(channel, 1, 4000, wordsFrom(4000, 'two'));
  stage.around.final(channel, 2, 2000, wordsFrom(2000, 'one'));
  stage.around.final(channel, 2, 4000, wordsFrom(4000, 'two'));
  await until('committed', () => stage.around.committedTick(channel) === 8000);
  const segments = await stage.rows<{ spoken: string }>('select spoken from segments order by from_tick');
  expect(segments.map((segment) => segment.spoken)).toEqual(['one', 'two']);
});

test('an attempt that asks too low is given a number above any seen', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  expect(await stage.around.open(channel, 5)).toMatchObject({ attempt: 5 });
  expect(await stage.around.open(channel, 1)).toMatchObject({ attempt: 6 });
});

test('the tick to go on from is in the log before it is told, words and silence alike', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  await until('the live bus is there', () => stage.around.live.length > 0);
  await stage.around.open(channel, 1);
  for (let attempt = 1; attempt <= 10; attempt++) {
    const tick = (attempt - 1) * 8000;
    stage.around.final(channel, attempt, tick, wordsFrom(tick, 'one'));
    stage.around.settle(channel, attempt, tick + 8000);
    // Until the partial is on the bus what was sent before it may not have arrived.
    stage.around.engine.send({
      type: 'partial',
      channel,
      attempt,
      segmentId: segmentIdOf(channel, tick + 8000),
      fromTick: tick + 8000,
      rev: attempt,
      words: wordsFrom(tick + 8000, 'next'),
      arrivalUs: monoUs(),
    });
    await until('the partial', () =>
      stage.around.live.some((message) => message.type === 'partial' && message.rev === attempt),
    );
    expect(await stage.around.open(channel, attempt + 1)).toMatchObject({
      attempt: attempt + 1,
      tick: tick + 8000,
    });
    const [row] = await stage.rows<{ committed_tick: number }>(
      'select committed_tick from channels where channel = $1',
      [channel],
    );
    expect(row).toEqual({ committed_tick: tick + 8000 });
  }
});

test('the end of a channel is in the log before its media worker is told that it is committed to there', async () => {
  const call = makeCall(2);
  const [channel, other] = [channelIdOf(call.callId, 0), channelIdOf(call.callId, 1)];
  await stage.around.acked(stage.around.start(call));
  await stage.around.open(channel, 1);
  stage.around.settle(channel, 1, 8000);
  await until('committed', () => stage.around.committedTick(channel) === 8000);
  // The log takes nothing for now.
  const holder = new pg.Client({ connectionString: stage.database.url });
  await holder.connect();
  await holder.query('select pg_advisory_lock(7316002)');
  stage.around.fromCommit.length = 0;
  stage.around.worker.send({ type: 'ended', channel, endTick: 8000 });
  stage.around.worker.send({ type: 'attempt', channel: other, attempt: 1 });
  await until('the answer to what came after', () =>
    stage.around.fromCommit.some((message) => message.type === 'resume' && message.channel === other),
  );
  expect(stage.around.committedTick(channel)).toBe(0);
  await holder.end();
  await until('committed to the end', () => stage.around.committedTick(channel) === 8000);
  expect(await stage.rows('select end_tick from channels where channel = $1', [channel])).toEqual([
    { end_tick: 8000 },
  ]);
});

test('after a restart the totals of the call stand in for an end that was not written', async () => {
  const call = makeCall(2);
  const [reported, lost] = [channelIdOf(call.callId, 0), channelIdOf(call.callId, 1)];
  await stage.around.acked(stage.around.start(call));
  for (const channel of [reported, lost]) await stage.around.open(channel, 1);
  await stage.around.acked(
    stage.around.end(call.callId, [totalsOf(reported, 16_000), totalsOf(lost, 12_000)]),
  );
  await until(
    'the fences are written',
    async () => (await stage.rows('select 1 from channels where end_tick is not null')).length === 2,
  );
  // As if it had been killed between the two transactions.
  await stage.rows('update channels set end_tick = case when channel = $1 then 8000 end', [reported]);
  const [loaded] = await loadUnfinished(stage.running.pool, 0);
  const ends = [...loaded!.channels.values()].map(({ channel, endTick }) => [channel, endTick]);
  expect(Object.fromEntries(ends)).toEqual({ [reported]: 8000, [lost]: 12_000 });
});

test('of two live media workers with one leg the last to announce speaks, and that is in the log', async () => {
  const warned = vi.spyOn(log, 'warn');
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  const changes = (): number =>
    warned.mock.calls.filter((line) => String(line[1]).startsWith('channel changes between two live')).length;
  const second: FromCommit[] = [];
  const other = new Dialer<FromCommit, ToCommit>(join(stage.around.runDir, sockets.commit), {
    open: () => undefined,
    message: (message) => void second.push(message),
    lost: () => undefined,
  });
  try {
    await until('the other worker is connected', () => other.connection);
    await stage.around.acked(stage.around.start(call));
    await stage.around.open(channel, 1);
    expect(changes()).toBe(0);
    other.send({ type: 'attempt', channel, attempt: 1 });
    await until('resume', () => second.some((message) => message.type === 'resume'));
    expect(changes()).toBe(1);
    stage.around.final(channel, 1, 0, wordsFrom(0, 'displaced'));
    await until('it does not count', async () =>
      (await stage.running.metric('earshot_words_dropped_total', { reason: 'stale-attempt' })) === 1
        ? true
        : null,
    );
    expect(await stage.around.open(channel, 1)).toMatchObject({ attempt: 3, tick: 0 });
    expect(changes()).toBe(2);
    stage.around.final(channel, 3, 0, wordsFrom(0, 'again'));
    await until('committed', () => stage.around.committedTick(channel) === 4000);
    expect(second.filter((message) => message.type === 'committed')).toEqual([]);
    // What the displaced one says of the end is not the end: the call would be complete too early.
    other.send({ type: 'ended', channel, endTick: 0 });
    await until('its end was read', () =>
      warned.mock.calls.some((line) => String(line[1]).startsWith('end of a channel from')),
    );
    await stage.around.acked(stage.around.end(call.callId, [totalsOf(channel, 8000)]));
    stage.around.settle(channel, 3, 8000);
    const completed = await until('completed', async () =>
      (await stage.events()).find((event) => event.type === 'transcript.completed'),
    );
    expect(completed.data['channels']).toMatchObject([{ endTick: 8000, settledTick: 8000 }]);
  } finally {
    other.close();
    warned.mockRestore();
  }
});
