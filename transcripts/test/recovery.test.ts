import type { ChildProcess } from 'node:child_process';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { type CallInfo, channelIdOf } from '@earshot/contracts';
import { ownPostgres, stopServers, withPostgres } from '../../host/test/postgres.ts';
import {
  wordsFrom,
  makeCall,
  migrated,
  spawnTranscripts,
  startService,
  Surroundings,
  totalsOf,
  until,
} from './harness.ts';
import { Speaker } from './speaker.ts';

afterAll(stopServers);

const WORDS = 120;

/** A small generator, so that a failing run can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What was logged: each channel's words in order, and whether events and segments agree. */
async function transcriptOf(url: string, call: CallInfo): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ channel: string; said: string }>(
    `select channel, string_agg(spoken, ' ' order by from_tick) as said from segments where call_id = $1 group by channel`,
    [call.callId],
  );
  const { rows: counts } = await client.query<Record<string, number>>(
    `select (select count(*)::int from segments where call_id = c.id) as segments,
            (select count(*)::int from events where call_id = c.id and type = 'segment.final') as finals,
            segment_count, word_count, call_seq, (select max(call_seq) from events where call_id = c.id) as last
     from calls c where id = $1`,
    [call.callId],
  );
  await client.end();
  const count = counts[0]!;
  expect(count['finals']).toBe(count['segments']);
  expect(count['segment_count']).toBe(count['segments']);
  expect(count['word_count']).toBe(WORDS * call.channels.length);
  expect(count['last']).toBe(count['call_seq']);
  return Object.fromEntries(rows.map((row) => [row.channel, row.said]));
}

async function completed(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ n: number }>('select count(*)::int as n from calls where complete');
  await client.end();
  return rows[0]?.n ?? 0;
}

const everyWord = (call: CallInfo): Record<string, string> => {
  const said = Array.from({ length: WORDS }, (_, i) => `w${i}`).join(' ');
  return Object.fromEntries(call.channels.map(({ channel }) => [channel, said]));
};

test('a transcripts process killed in the middle of finals loses no word and doubles none', async () => {
  const database = await withPostgres();
  await migrated(database.url);
  const around = await Surroundings.make();
  let child: ChildProcess = spawnTranscripts(database.url, around.runDir);
  const calls = [makeCall(), makeCall(), makeCall()];
  const speaker = new Speaker(
    around,
    calls.flatMap((call) => call.channels.map(({ channel }) => channel)),
    WORDS,
    seeded(1),
  );
  try {
    await around.connected();
    for (const call of calls) await around.acked(around.start(call));
    speaker.start();
    for (const kill of [1, 2, 3]) {
      const first = calls[0]!.channels[0]!.channel;
      await until(
        `something is committed before kill ${kill}`,
        () => around.committedTick(first) > 4000 * 15 * kill,
      );
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
      child = spawnTranscripts(database.url, around.runDir);
      await around.connected();
    }
    await until('all is said', () => speaker.done);
    for (const call of calls) {
      const totals = call.channels.map(({ channel }) => totalsOf(channel, speaker.endTick));
      await around.acked(around.end(call.callId, totals));
    }
    await until('all are complete', async () => (await completed(database.url)) === 3);
    for (const call of calls) expect(await transcriptOf(database.url, call)).toEqual(everyWord(call));
  } finally {
    speaker.stop();
    child.kill('SIGKILL');
    await around.close();
    await database.stop();
  }
}, 120_000);

test('while PostgreSQL is gone partials go on and nothing is acknowledged; afterwards every word is there', async () => {
  const server = await ownPostgres();
  await migrated(server.url);
  const around = await Surroundings.make();
  await around.listenLive();
  const running = await startService(server.url, around.runDir);
  const call = makeCall();
  const late = makeCall();
  const channel = channelIdOf(call.callId, 0);
  const speaker = new Speaker(
    around,
    [...call.channels, ...late.channels].map((info) => info.channel),
    WORDS,
    seeded(2),
  );
  try {
    await around.connected();
    await around.acked(around.start(call));
    speaker.start();
    await until('words are committed', () => around.committedTick(channel) > 0);
    const gone = new Promise<void>((resolve) => server.onExit(resolve));
    process.kill(server.pid, 'SIGKILL');
    await gone;
    const lateStart = around.start(late);
    const partialsBefore = around.live.filter((message) => message.type === 'partial').length;
    await until(
      'partials while the database is down',
      () => around.live.filter((message) => message.type === 'partial').length > partialsBefore + 20,
    );
    // A worker that opens its channels anew meanwhile goes on from what was accepted.
    speaker.announceAll();
    await until('all is said', () => speaker.done);
    expect(around.acks).not.toContain(lateStart);
    expect(around.committedTick(channel)).toBeLessThan(speaker.endTick);
    await server.restart();
    await around.acked(lateStart);
    for (const { callId } of [call, late]) await around.acked(around.end(callId));
    await until('both are complete', async () => (await completed(server.url)) === 2);
    for (const one of [call, late]) expect(await transcriptOf(server.url, one)).toEqual(everyWord(one));
    expect(around.committedTick(channel)).toBe(speaker.endTick);
  } finally {
    speaker.stop();
    await running.stop();
    await around.close();
    await server.remove();
  }
}, 120_000);

test('beyond the bound engines are not read: they hold what they have to say, and nothing of it is lost', async () => {
  const server = await ownPostgres();
  await migrated(server.url);
  const around = await Surroundings.make();
  const queueLimit = 100;
  const running = await startService(server.url, around.runDir, { queueLimit });
  const queued = (): Promise<number> => running.metric('earshot_commit_queue');
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  const finals = 20_000;
  try {
    await around.connected();
    await around.acked(around.start(call));
    const { attempt } = await around.open(channel, 1);
    const gone = new Promise<void>((resolve) => server.onExit(resolve));
    process.kill(server.pid, 'SIGKILL');
    await gone;
    for (let i = 0; i < finals; i++) around.final(channel, attempt, i * 4000, wordsFrom(i * 4000, `w${i}`));
    await until('the queue is full', async () => (await queued()) >= queueLimit);
    const { connection } = around.engine;
    await until('the engine feels it', () => connection!.bufferedBytes > 1024 * 1024);
    // A chunk that was read already is taken whole: some hundred finals at most.
    expect(await queued()).toBeLessThan(queueLimit + 2000);
    await server.restart();
    await until('all is committed', () => around.committedTick(channel) === finals * 4000, 60_000);
    expect(connection!.bufferedBytes).toBe(0);
    const { rows } = await running.pool.query<{ n: number; words: number }>(
      'select count(*)::int as n, (select word_count from calls) as words from segments',
    );
    expect(rows).toEqual([{ n: finals, words: finals }]);
  } finally {
    await running.stop();
    await around.close();
    await server.remove();
  }
}, 120_000);
