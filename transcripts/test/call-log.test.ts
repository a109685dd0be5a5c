import pg from 'pg';
import { expect, test } from 'vitest';
import { channelIdOf } from '@earshot/contracts';
import { makeCall, until, wordsFrom } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

test('what the gateway sends again changes nothing and is acknowledged', async () => {
  const call = makeCall();
  await stage.around.acked(stage.around.start(call));
  await stage.around.acked(stage.around.start(call));
  await stage.around.acked(stage.around.update(call));
  await stage.around.acked(stage.around.update({ ...call, externalIds: { ucid: '1' } }));
  await stage.around.acked(stage.around.end(call.callId));
  await stage.around.acked(stage.around.end(call.callId));
  expect(
    (await stage.events()).map((event) => event.type).filter((type) => type.startsWith('call.')),
  ).toEqual(['call.started', 'call.updated', 'call.ended']);
});

test('a header with NUL and half a surrogate pair is logged, with U+FFFD in their place', async () => {
  const call = makeCall();
  await stage.around.acked(stage.around.start({ ...call, externalIds: { 'x-odd': 'a\0b\ud800' } }));
  const [row] = await stage.rows<{ external_ids: unknown }>('select external_ids from calls');
  expect(row?.external_ids).toEqual({ 'x-odd': 'a\ufffdb\ufffd' });
});

test('an item that the database refuses is given up alone: what came with it is written', async () => {
  const bad = { ...makeCall(), startedAtMs: 8.64e15 }; // year 275760: more than timestamptz takes
  const good = [makeCall(), makeCall(), makeCall()];
  const ids = [good[0]!, bad, good[1]!, good[2]!].map((call) => stage.around.start(call));
  for (const id of ids) await stage.around.acked(id);
  const calls = await stage.rows<{ id: string }>('select id from calls order by id');
  expect(calls.map((row) => row.id).sort()).toEqual(good.map((call) => call.callId as string).sort());
});

test('a segment goes to the webhooks only when one asks for it', async () => {
  const call = makeCall();
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  await stage.around.open(channel, 1);
  stage.around.final(channel, 1, 0, wordsFrom(0, 'one'));
  await until('committed', () => stage.around.committedTick(channel) === 4000);
  await stage.rows(
    `insert into webhooks (id, url, events, secret) values ('wh_1', 'https://example.test', '{segment.final}', 'whsec_')`,
  );
  stage.around.final(channel, 1, 4000, wordsFrom(4000, 'two'));
  await until('committed', () => stage.around.committedTick(channel) === 8000);
  const outbox = await stage.rows<{ payload: { seq: number; event: string } }>(
    'select payload from outbox order by id',
  );
  expect(outbox.map(({ payload }) => [payload.seq, payload.event])).toEqual([
    [1, 'call.started'],
    [3, 'segment.final'],
  ]);
});

test('readers that poll while many calls are written never skip a seq', async () => {
  const calls = Array.from({ length: 40 }, () => makeCall(1));
  const reader = new pg.Client({ connectionString: stage.database.url });
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
    stage.around.start(call);
    await stage.around.open(channelIdOf(call.callId, 0), 1);
  }
  for (let n = 0; n < 10; n++) {
    for (const call of calls) {
      const channel = channelIdOf(call.callId, 0);
      stage.around.final(channel, 1, n * 4000, wordsFrom(n * 4000, `w${n}`));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until('all is logged', async () => (await stage.rows('select 1 from events')).length === 40 * 11);
  done = true;
  await reading;
  await reader.end();
  expect(seen).toEqual(Array.from({ length: 440 }, (_, i) => i + 1));
});
