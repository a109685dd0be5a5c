import { expect, test } from 'vitest';
import {
  type CallId,
  type ChannelId,
  channelIdOf,
  foldLedger,
  type LedgerRow,
  type SpanKind,
} from '@earshot/contracts';
import { makeCall, totalsOf, until } from './harness.ts';
import { useStage } from './stage.ts';

const stage = useStage();

const rowsOf = (channel: ChannelId): Promise<LedgerRow[]> =>
  stage.rows<LedgerRow & Record<string, unknown>>(
    `select from_tick as "fromTick", to_tick as "toTick", fill, told_by as "toldBy", spans, notes
     from ledger where channel = $1 order by id`,
    [channel],
  );

const spansOf = async (channel: ChannelId): Promise<string> =>
  foldLedger(await rowsOf(channel))
    .spans.map(({ kind, startTick, endTick }) => `${kind} ${startTick}-${endTick}`)
    .join(', ');

async function startOpen(): Promise<{ callId: CallId; channel: ChannelId }> {
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  await stage.around.open(channel, 1);
  return { callId: call.callId, channel };
}

const settled = async (callId: CallId, channel: ChannelId, endTick: number): Promise<void> => {
  stage.around.settle(channel, 1, endTick);
  stage.around.worker.send({ type: 'ended', channel, endTick });
  await stage.around.acked(stage.around.end(callId));
};

const completed = () =>
  until('completed', async () =>
    (await stage.events()).find((event) => event.type === 'transcript.completed'),
  );

test('parts of a ledger are acknowledged once they are in the log, in the order in which they were told', async () => {
  const { channel } = await startOpen();
  const parts: [SpanKind, number][][] = [
    [
      ['absent', 800],
      ['received', 7200],
    ],
    [
      ['concealed', 160],
      ['received', 7840],
    ],
    [['lost', 8000]],
  ];
  let tick = 0;
  for (const spans of parts) tick = stage.around.ledger(channel, tick, ...spans);
  await until('all is acknowledged', () => stage.around.ledgeredTick(channel) === 24_000);
  expect(await rowsOf(channel)).toMatchObject([
    { fromTick: 0, toTick: 8000, spans: parts[0], fill: false },
    { fromTick: 8000, toTick: 16_000, spans: parts[1] },
    { fromTick: 16_000, toTick: 24_000, spans: parts[2] },
  ]);
  const [row] = await stage.rows<{ ledger_tick: number }>(
    'select ledger_tick from channels where channel = $1',
    [channel],
  );
  expect(row?.ledger_tick).toBe(24_000);
});

test('a transcript is completed after its ledger, which says so', async () => {
  const { callId, channel } = await startOpen();
  stage.around.ledger(channel, 0, ['received', 16_000]);
  await settled(callId, channel, 16_000);
  expect((await completed()).data).toMatchObject({ complete: true, ledgerComplete: true });
  expect(await spansOf(channel)).toBe('received 0-16000');
});

test('a transcript waits for a ledger that is late', async () => {
  const { callId, channel } = await startOpen();
  stage.around.ledger(channel, 0, ['received', 8000]);
  await settled(callId, channel, 16_000);
  stage.around.ledger(channel, 8000, ['lost', 8000]);
  expect((await completed()).data).toMatchObject({ ledgerComplete: true });
});

test('a transcript whose ledger never comes is completed without it, and a late one is kept all the same', async () => {
  const { callId, channel } = await startOpen();
  await settled(callId, channel, 16_000);
  expect((await completed()).data).toMatchObject({ complete: true, ledgerComplete: false });
  stage.around.ledger(channel, 0, ['received', 16_000]);
  await until('it is kept', () => stage.around.ledgeredTick(channel) === 16_000);
  expect(await spansOf(channel)).toBe('received 0-16000');
});

test('a ledger is told before its call is known, and of a call that never is it is not told for ever', async () => {
  const [known, never] = [makeCall(1), makeCall(1)];
  const channels = [known, never].map(({ callId }) => channelIdOf(callId, 0));
  for (const channel of channels) stage.around.ledger(channel, 0, ['received', 800]);
  await stage.around.acked(stage.around.start(known));
  await until('the one is kept', () => stage.around.ledgeredTick(channels[0]!) === 800);
  expect(stage.around.ledgeredTick(channels[1]!)).toBe(0);
  stage.aheadMs = 700_000;
  await until('the other is given up', () => stage.around.ledgeredTick(channels[1]!) === 800);
  expect(await rowsOf(channels[1]!)).toEqual([]);
});

test('a transcripts process that comes back knows how far the ledger was', async () => {
  const { callId, channel } = await startOpen();
  stage.around.ledger(channel, 0, ['received', 8000]);
  await until('it is kept', () => stage.around.ledgeredTick(channel) === 8000);
  await stage.restart();
  await stage.around.open(channel, 2);
  stage.around.ledger(channel, 8000, ['received', 8000]);
  stage.around.settle(channel, 2, 16_000);
  stage.around.worker.send({ type: 'ended', channel, endTick: 16_000 });
  await stage.around.acked(stage.around.end(callId, []));
  expect((await completed()).data).toMatchObject({ ledgerComplete: true });
});

test('a part that does not add up is not taken, and acknowledged, so that it holds nothing up', async () => {
  const { channel } = await startOpen();
  stage.around.worker.send({
    type: 'ledger',
    channel,
    fill: false,
    fromTick: 0,
    toTick: 100,
    spans: [['received', 99]],
    notes: [],
  });
  await until('it is not told again', () => stage.around.ledgeredTick(channel) === 100);
  stage.around.ledger(channel, 0, ['received', 200]);
  await until('the next is kept', () => stage.around.ledgeredTick(channel) === 200);
  expect(await rowsOf(channel)).toHaveLength(1);
});

test('a deleted call takes its ledger along, and what is told of it then is forgotten', async () => {
  const { callId, channel } = await startOpen();
  stage.around.ledger(channel, 0, ['received', 800]);
  await until('it is kept', () => stage.around.ledgeredTick(channel) === 800);
  await stage.rows('delete from calls where id = $1', [callId]);
  stage.around.ledger(channel, 800, ['received', 800]);
  await until('it is acknowledged', () => stage.around.ledgeredTick(channel) === 1600);
  expect(await rowsOf(channel)).toEqual([]);
});

test('a stream that was promised and does not come raises one alert an outage, and is said to be back', async () => {
  const call = makeCall();
  const customer = channelIdOf(call.callId, 1);
  await stage.around.acked(stage.around.start(call));
  const say = (state: 'missing' | 'present', tick: number) =>
    stage.around.worker.send({ type: 'media', channel: customer, state, tick });
  const types = async () => (await stage.events()).map((event) => event.type);
  say('missing', 24_000);
  say('missing', 32_000);
  await until('the alert', async () => (await types()).includes('alert.raised'));
  // Its successor finds the same.
  await stage.restart();
  say('missing', 40_000);
  say('present', 48_000);
  say('present', 56_000);
  say('missing', 64_000);
  await until('the second outage', async () => (await types()).length === 4);
  await stage.around.acked(stage.around.end(call.callId, [totalsOf(customer, 80_000)]));
  say('present', 80_000);
  say('missing', 88_000);
  stage.around.ledger(customer, 80_000, ['absent', 8000]);
  await until('what was said is in the log', () => stage.around.ledgeredTick(customer) === 88_000);
  const events = await stage.events();
  expect(events.map((event) => event.type)).toEqual([
    'call.started',
    'alert.raised',
    'call.updated',
    'alert.raised',
    'call.ended',
  ]);
  expect(events[1]?.data).toEqual({
    kind: 'no-media',
    channel: 1,
    role: 'customer',
    sinceMs: 3000,
    externalIds: { 'x-crm-id': '4711' },
  });
  const media = events.map(({ data }) =>
    (data['channels'] as { media: string }[] | undefined)?.map((channel) => channel.media),
  );
  expect(media).toEqual([
    ['present', 'present'],
    undefined,
    ['present', 'present'],
    undefined,
    ['present', 'missing'],
  ]);
  const outbox = await stage.rows<{ payload: Record<string, unknown> }>(
    'select payload from outbox order by id',
  );
  expect(outbox.filter(({ payload }) => payload['event'] === 'alert.raised')).toHaveLength(2);
  expect(await stage.running.metric('earshot_alerts_total', { kind: 'no-media' })).toBe(1);
});

test('a call whose audio the disk does not keep raises one alert a cause, whatever its channels and successors tell', async () => {
  const call = makeCall();
  const channels = [0, 1].map((index) => channelIdOf(call.callId, index));
  await stage.around.acked(stage.around.start(call));
  const say = (index: number, state: 'low' | 'full' | 'writable', tick: number) =>
    stage.around.worker.send({ type: 'disk', channel: channels[index]!, state, tick });
  const count = async () => (await stage.events()).length;
  say(0, 'full', 16_000);
  say(1, 'full', 17_000);
  await until('the alert', async () => (await count()) === 2);
  // Its successor hears the same again.
  await stage.restart();
  say(0, 'full', 16_000);
  say(0, 'writable', 80_000);
  say(1, 'writable', 80_000);
  await until('it is written again', async () => (await count()) === 3);
  say(1, 'full', 96_000);
  say(0, 'low', 0);
  say(0, 'low', 0);
  await until('all of it', async () => (await count()) === 5);
  await stage.around.acked(stage.around.end(call.callId, [totalsOf(channels[0]!, 160_000)]));
  // Too late to be of the disk as it is, and no news of what is missing.
  say(1, 'writable', 160_000);
  say(0, 'full', 150_000);
  const events = await stage.events();
  const facts = events.map(({ type, data }) => [type, data['kind'] ?? data['disk'], data['sinceMs']]);
  expect(facts).toEqual([
    ['call.started', 'ok', undefined],
    ['alert.raised', 'disk-full', 2000],
    ['call.updated', 'was-full', undefined],
    ['call.updated', 'full', undefined],
    ['alert.raised', 'disk-low', 0],
    ['call.ended', 'low', undefined],
  ]);
  expect(events[1]?.data).toMatchObject({ channel: null, role: null, externalIds: { 'x-crm-id': '4711' } });
  expect(await stage.running.metric('earshot_alerts_total', { kind: 'disk-low' })).toBe(1);
});

test('that audio was not kept is told of a call that has ended, too: transcripts may have been away', async () => {
  const call = makeCall(1);
  const channel = channelIdOf(call.callId, 0);
  await stage.around.acked(stage.around.start(call));
  await stage.around.acked(stage.around.end(call.callId, [totalsOf(channel, 160_000)]));
  stage.around.worker.send({ type: 'disk', channel, state: 'full', tick: 16_000 });
  await until('the alert', async () => (await stage.events()).some(({ type }) => type === 'alert.raised'));
  const [row] = await stage.rows('select disk from calls');
  expect(row!['disk']).toEqual({ low: false, failing: [], failed: true });
});
