import pg from 'pg';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
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
import { stopServers, type TestDatabase, withPostgres } from '../../host/test/postgres.ts';
import { loadUnfinished } from '../src/log/load.ts';
import {
  log,
  makeCall,
  migrated,
  type Running,
  startService,
  Surroundings,
  totalsOf,
  until,
  wordsFrom,
} from './harness.ts';

let database: TestDatabase;
let around: Surroundings;
let running: Running;
/** Ahead of the real clock, ms. */
let aheadMs = 0;

beforeEach(async () => {
  database = await withPostgres();
  await migrated(database.url);
  around = await Surroundings.make();
  await around.listenLive();
  aheadMs = 0;
  running = await startService(database.url, around.runDir, { now: () => performance.now() + aheadMs });
  await around.connected();
});
afterEach(async () => {
  await running.stop();
  await around.close();
  await database.stop();
});
afterAll(stopServers);

async function rows<T extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<T[]> {
  return (await running.pool.query<T>(text, values)).rows;
}

interface EventRow extends pg.QueryResultRow {
  seq: number;
  call_seq: number;
  type: string;
  data: Record<string, unknown>;
}
const events = (): Promise<EventRow[]> =>
  rows<EventRow>('select seq, call_seq, type, data from events order by seq');

test('a call goes from its start to a complete transcript, its recording and its events in order', async () => {
  const call = makeCall();
  const agent = channelIdOf(call.callId, 0);
  const customer = channelIdOf(call.callId, 1);
  await around.acked(around.start(call));
  expect(await around.open(agent, 1)).toMatchObject({ attempt: 1, tick: 0 });
  expect(await around.open(customer, 1)).toMatchObject({ attempt: 1, tick: 0 });
  around.final(agent, 1, 0, wordsFrom(0, 'good', 'morning'));
  around.final(customer, 1, 0, wordsFrom(6000, 'hello'), 12_000);
  await until('the agent is told', () => around.committedTick(agent) === 8000);
  around.settle(agent, 1, 16_000);
  around.settle(customer, 1, 16_000);
  await around.acked(around.end(call.callId, [totalsOf(agent, 16_000), totalsOf(customer, 16_000)]));
  const completed = await until('completed', async () =>
    (await events()).find((event) => event.type === 'transcript.completed'),
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
  around.postCall.send({
    type: 'recording.ready',
    id: 7,
    callId: call.callId,
    file: `${call.callId}.wav`,
    bytes: 64044,
    sha256: 'ab',
    durationMs: 2000,
  });
  await until('the command is done', () => around.answers.some((answer) => answer.id === 7));
  expect(around.answers).toEqual([{ type: 'done', id: 7 }]);

  const logged = await events();
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
      text: 'Good morning',
      spoken: 'good morning',
      words: [
        { text: 'good', startMs: 13, endMs: 500, confidence: 0.9 },
        { text: 'morning', startMs: 513, endMs: 1000, confidence: 0.9 },
      ],
    },
  });
  expect(logged.at(-1)?.data['recording']).toEqual({ bytes: 64044, sha256: 'ab', durationMs: 2000 });
  const outbox = await rows<{ payload: Record<string, unknown> }>('select payload from outbox order by id');
  expect(outbox.map(({ payload }) => payload['event'] ?? payload['kind'])).toEqual([
    'call.started',
    'call.ended',
    'transcript.completed',
    'recording',
    'call.updated',
  ]);
  await until('the live bus heard of the last event', () =>
    around.live.some((message) => message.type === 'logged' && message.seq === 6),
  );
});

test('a partial reaches the live bus with the role of its channel, an old attempt does not', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 1);
  await around.acked(around.start(call));
  await until('the live bus is there', () => around.live.length > 0);
  await around.open(channel, 1);
  await around.open(channel, 2);
  const partial = {
    type: 'partial',
    channel,
    segmentId: segmentIdOf(channel, 0),
    fromTick: 0,
    rev: 1,
    arrivalUs: monoUs(),
  } as const;
  around.engine.send({ ...partial, attempt: 1, words: wordsFrom(0, 'old') });
  around.engine.send({ ...partial, attempt: 2, words: wordsFrom(0, 'new') });
  await until('a partial', () => around.live.some((message) => message.type === 'partial'));
  const partials = around.live.filter((message) => message.type === 'partial');
  expect(partials).toMatchObject([
    { attempt: 2, rev: 1, callId: call.callId, segment: { spoken: 'new', role: 'customer', channel: 1 } },
  ]);
});

test('finals sent twice, by an old attempt or before the accepted tick are logged once', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await around.acked(around.start(call));
  await around.open(channel, 1);
  around.final(channel, 1, 0, wordsFrom(0, 'one'));
  around.final(channel, 1, 0, wordsFrom(0, 'one'));
  await until('committed', () => around.committedTick(channel) === 4000);
  expect(await around.open(channel, 2)).toMatchObject({ attempt: 2, tick: 4000 });
  around.final(channel, 1, 4000, wordsFrom(4000, 'two'));
  around.final(channel, 2, 2000, wordsFrom(2000, 'one'));
  around.final(channel, 2, 4000, wordsFrom(4000, 'two'));
  await until('committed', () => around.committedTick(channel) === 8000);
  const segments = await rows<{ spoken: string }>('select spoken from segments order by from_tick');
  expect(segments.map((segment) => segment.spoken)).toEqual(['one', 'two']);
});

test('an attempt that asks too low is given a number above any seen', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await around.acked(around.start(call));
  expect(await around.open(channel, 5)).toMatchObject({ attempt: 5 });
  expect(await around.open(channel, 1)).toMatchObject({ attempt: 6 });
});

test('the tick to go on from is in the log before it is told, words and silence alike', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await around.acked(around.start(call));
  await until('the live bus is there', () => around.live.length > 0);
  await around.open(channel, 1);
  for (let attempt = 1; attempt <= 10; attempt++) {
    const tick = (attempt - 1) * 8000;
    around.final(channel, attempt, tick, wordsFrom(tick, 'one'));
    around.settle(channel, attempt, tick + 8000);
    // Until the partial is on the bus what was sent before it may not have arrived.
    around.engine.send({
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
      around.live.some((message) => message.type === 'partial' && message.rev === attempt),
    );
    expect(await around.open(channel, attempt + 1)).toMatchObject({
      attempt: attempt + 1,
      tick: tick + 8000,
    });
    const [row] = await rows<{ committed_tick: number }>(
      'select committed_tick from channels where channel = $1',
      [channel],
    );
    expect(row).toEqual({ committed_tick: tick + 8000 });
  }
});

test('finals that come before their call wait for it', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await around.open(channel, 1);
  around.final(channel, 1, 0, wordsFrom(0, 'early'));
  expect(await around.open(channel, 2)).toMatchObject({ tick: 4000 });
  await around.acked(around.start(call));
  await until('the early final is logged', async () => (await events()).length === 2);
  expect((await events()).map((event) => event.type)).toEqual(['call.started', 'segment.final']);
});

test('finals whose call does not start are kept for a slow gateway, and given up by name after ten minutes', async () => {
  const [slow, never] = [makeCall(), makeCall()];
  const channels = [slow, never].map(({ callId }) => channelIdOf(callId, 0));
  for (const channel of channels) {
    await around.open(channel, 1);
    around.final(channel, 1, 0, wordsFrom(0, 'early'));
    // The answer to the next attempt shows that the final was taken.
    expect(await around.open(channel, 2)).toMatchObject({ tick: 4000 });
  }
  aheadMs = 60_000;
  await around.acked(around.start(slow));
  await until('the early final is logged', async () => (await events()).length === 2);
  aheadMs = 700_000;
  await until('the others are counted', async () =>
    (await running.metric('earshot_words_dropped_total', { reason: 'call-unknown' })) === 1 ? true : null,
  );
  // The attempt that said them speaks on; what it says now would stand after a hole.
  const channel = channels[1]!;
  around.final(channel, 2, 4000, wordsFrom(4000, 'later'));
  await until('it is refused', async () =>
    (await running.metric('earshot_words_dropped_total', { reason: 'stale-attempt' })) === 1 ? true : null,
  );
  // The gateway comes at last: the worker is made to announce the channel again, and its words are taken from 0 on.
  const reopened = new Promise<void>((resolve) => (around.onWorkerOpen = resolve));
  await around.acked(around.start(never));
  await reopened;
  expect(await around.open(channel, 2)).toMatchObject({ attempt: 3, tick: 0 });
  around.final(channel, 3, 0, wordsFrom(0, 'early', 'later'));
  await until('they are logged', () => around.committedTick(channel) === 8000);
  expect((await events()).map((event) => event.type)).toEqual([
    'call.started',
    'segment.final',
    'call.started',
    'segment.final',
  ]);
});

test('a step of the wall clock gives up nothing and holds nothing up', async () => {
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  await running.stop();
  // Before the service takes hold of its clocks.
  vi.useFakeTimers({ toFake: ['Date'] });
  running = await startService(database.url, around.runDir);
  await around.connected();
  await around.open(channel, 1);
  around.final(channel, 1, 0, wordsFrom(0, 'early'));
  // The answer to the next attempt shows that the final was taken.
  await around.open(channel, 2);
  try {
    vi.setSystemTime(Date.now() + 86_400_000);
    const nowMs = performance.now();
    await until('some sweeps', () => performance.now() > nowMs + 600);
    vi.setSystemTime(Date.now() - 2 * 86_400_000);
    await around.acked(around.start(call));
    await until('the early final is logged', () => around.committedTick(channel) === 4000);
    around.settle(channel, 2, 16_000);
    await until('silence is committed too', () => around.committedTick(channel) === 16_000);
    expect(await running.metric('earshot_words_dropped_total')).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('the end of a channel is in the log before its media worker is told that it is committed to there', async () => {
  const call = makeCall(2);
  const [channel, other] = [channelIdOf(call.callId, 0), channelIdOf(call.callId, 1)];
  await around.acked(around.start(call));
  await around.open(channel, 1);
  around.settle(channel, 1, 8000);
  await until('committed', () => around.committedTick(channel) === 8000);
  // The log takes nothing for now.
  const holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  await holder.query('select pg_advisory_lock(7316002)');
  around.fromCommit.length = 0;
  around.worker.send({ type: 'ended', channel, endTick: 8000 });
  around.worker.send({ type: 'attempt', channel: other, attempt: 1 });
  await until('the answer to what came after', () =>
    around.fromCommit.some((message) => message.type === 'resume' && message.channel === other),
  );
  expect(around.committedTick(channel)).toBe(0);
  await holder.end();
  await until('committed to the end', () => around.committedTick(channel) === 8000);
  expect(await rows('select end_tick from channels where channel = $1', [channel])).toEqual([
    { end_tick: 8000 },
  ]);
});

test('after a restart the totals of the call stand in for an end that was not written', async () => {
  const call = makeCall(2);
  const [reported, lost] = [channelIdOf(call.callId, 0), channelIdOf(call.callId, 1)];
  await around.acked(around.start(call));
  for (const channel of [reported, lost]) await around.open(channel, 1);
  await around.acked(around.end(call.callId, [totalsOf(reported, 16_000), totalsOf(lost, 12_000)]));
  await until(
    'the fences are written',
    async () => (await rows('select 1 from channels where end_tick is not null')).length === 2,
  );
  // As if it had been killed between the two transactions.
  await rows('update channels set end_tick = case when channel = $1 then 8000 end', [reported]);
  const [loaded] = await loadUnfinished(running.pool, 0);
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
  const other = new Dialer<FromCommit, ToCommit>(join(around.runDir, sockets.commit), {
    open: () => undefined,
    message: (message) => void second.push(message),
    lost: () => undefined,
  });
  try {
    await until('the other worker is connected', () => other.connection);
    await around.acked(around.start(call));
    await around.open(channel, 1);
    expect(changes()).toBe(0);
    other.send({ type: 'attempt', channel, attempt: 1 });
    await until('resume', () => second.some((message) => message.type === 'resume'));
    expect(changes()).toBe(1);
    around.final(channel, 1, 0, wordsFrom(0, 'displaced'));
    await until('it does not count', async () =>
      (await running.metric('earshot_words_dropped_total', { reason: 'stale-attempt' })) === 1 ? true : null,
    );
    expect(await around.open(channel, 1)).toMatchObject({ attempt: 3, tick: 0 });
    expect(changes()).toBe(2);
    around.final(channel, 3, 0, wordsFrom(0, 'again'));
    await until('committed', () => around.committedTick(channel) === 4000);
    expect(second.filter((message) => message.type === 'committed')).toEqual([]);
    // What the displaced one says of the end is not the end: the call would be complete too early.
    other.send({ type: 'ended', channel, endTick: 0 });
    await until('its end was read', () =>
      warned.mock.calls.some((line) => String(line[1]).startsWith('end of a channel from')),
    );
    await around.acked(around.end(call.callId, [totalsOf(channel, 8000)]));
    around.settle(channel, 3, 8000);
    const completed = await until('completed', async () =>
      (await events()).find((event) => event.type === 'transcript.completed'),
    );
    expect(completed.data['channels']).toMatchObject([{ endTick: 8000, settledTick: 8000 }]);
  } finally {
    other.close();
    warned.mockRestore();
  }
});

test('what happens is counted', async () => {
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  await until('the live bus is there', async () => {
    await around.acked(around.start(call));
    return around.live.length > 0;
  });
  await around.open(channel, 1);
  const words = wordsFrom(0, 'one', 'two');
  const arrivalUs = monoUs();
  around.engine.send({
    type: 'partial',
    channel,
    attempt: 1,
    segmentId: segmentIdOf(channel, 0),
    fromTick: 0,
    rev: 1,
    words,
    arrivalUs,
  });
  around.final(channel, 1, 0, words);
  around.final(channel, 1, 0, words);
  await until('committed', () => around.committedTick(channel) === 8000);
  around.worker.send({ type: 'ended', channel, endTick: 8000 });
  await around.acked(around.end(call.callId));
  await until('completed', async () => (await running.metric('earshot_transcripts_completed_total')) === 1);
  expect(await running.metric('earshot_segments_total')).toBe(1);
  expect(await running.metric('earshot_words_total')).toBe(2);
  expect(await running.metric('earshot_words_dropped_total', { reason: 'replayed' })).toBe(1);
  expect(await running.metric('earshot_commit_queue')).toBe(0);
  expect(await running.metric('earshot_commit_seconds_count')).toBeGreaterThan(0);
  expect(await running.metric('earshot_word_latency_seconds_count', { kind: 'partial' })).toBe(1);
  expect(await running.metric('earshot_word_latency_seconds_count', { kind: 'final' })).toBe(1);
});

test('what the gateway sends again changes nothing and is acknowledged', async () => {
  const call = makeCall();
  await around.acked(around.start(call));
  await around.acked(around.start(call));
  await around.acked(around.update(call));
  await around.acked(around.update({ ...call, externalIds: { ucid: '1' } }));
  await around.acked(around.end(call.callId));
  await around.acked(around.end(call.callId));
  expect((await events()).map((event) => event.type).filter((type) => type.startsWith('call.'))).toEqual([
    'call.started',
    'call.updated',
    'call.ended',
  ]);
});

test('a header with NUL and half a surrogate pair is logged, with U+FFFD in their place', async () => {
  const call = makeCall();
  await around.acked(around.start({ ...call, externalIds: { 'x-odd': 'a\0b\ud800' } }));
  const [row] = await rows<{ external_ids: unknown }>('select external_ids from calls');
  expect(row?.external_ids).toEqual({ 'x-odd': 'a\ufffdb\ufffd' });
});

test('an item that the database refuses is given up alone: what came with it is written', async () => {
  const bad = { ...makeCall(), startedAtMs: 8.64e15 }; // year 275760: more than timestamptz takes
  const good = [makeCall(), makeCall(), makeCall()];
  const ids = [good[0]!, bad, good[1]!, good[2]!].map((call) => around.start(call));
  for (const id of ids) await around.acked(id);
  const calls = await rows<{ id: string }>('select id from calls order by id');
  expect(calls.map((row) => row.id).sort()).toEqual(good.map((call) => call.callId as string).sort());
});

test('a recording of a call that is not in the log is refused with its code', async () => {
  const { callId } = makeCall();
  around.postCall.send({
    type: 'recording.ready',
    id: 1,
    callId,
    file: 'x.wav',
    bytes: 1,
    sha256: '',
    durationMs: 0,
  });
  await until('an answer', () => around.answers.length > 0);
  expect(around.answers).toMatchObject([{ type: 'refused', id: 1, code: 'CALL_NOT_FOUND' }]);
});

test('a call whose channels never opened is complete at 0 once nobody can speak for them any more', async () => {
  const call = makeCall();
  await around.acked(around.start(call));
  await around.acked(around.end(call.callId));
  await until('complete', async () =>
    (await events()).some((event) => event.type === 'transcript.completed'),
  );
});

test('a segment goes to the webhooks only when one asks for it', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await around.acked(around.start(call));
  await around.open(channel, 1);
  around.final(channel, 1, 0, wordsFrom(0, 'one'));
  await until('committed', () => around.committedTick(channel) === 4000);
  await rows(
    `insert into webhooks (id, url, events, secret) values ('wh_1', 'https://example.test', '{segment.final}', 'whsec_')`,
  );
  around.final(channel, 1, 4000, wordsFrom(4000, 'two'));
  await until('committed', () => around.committedTick(channel) === 8000);
  const outbox = await rows<{ payload: { seq: number; event: string } }>(
    'select payload from outbox order by id',
  );
  expect(outbox.map(({ payload }) => [payload.seq, payload.event])).toEqual([
    [1, 'call.started'],
    [3, 'segment.final'],
  ]);
});

test('readers that poll while many calls are written never skip a seq', async () => {
  const calls = Array.from({ length: 40 }, () => makeCall(1));
  const reader = new pg.Client({ connectionString: database.url });
  await reader.connect();
  const seen: number[] = [];
  let done = false;
  const reading = (async () => {
    for (;;) {
      const last = done;
      const { rows: fresh } = await reader.query<{ seq: number }>(
        'select seq from events where seq > $1 order by seq limit 25',
        [seen.at(-1) ?? 0],
      );
      seen.push(...fresh.map((row) => row.seq));
      if (last && fresh.length === 0) return;
    }
  })();
  for (const call of calls) {
    around.start(call);
    await around.open(channelIdOf(call.callId, 0), 1);
  }
  for (let n = 0; n < 10; n++) {
    for (const call of calls) {
      const channel = channelIdOf(call.callId, 0);
      around.final(channel, 1, n * 4000, wordsFrom(n * 4000, `w${n}`));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until('all is logged', async () => (await rows('select 1 from events')).length === 40 * 11);
  done = true;
  await reading;
  await reader.end();
  expect(seen).toEqual(Array.from({ length: 440 }, (_, i) => i + 1));
});
