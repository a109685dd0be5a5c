import {
  type CallId,
  type LedgerView,
  SPAN_KINDS,
  type SpanKind,
  type TranscriptView,
} from '@earshot/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { type ChannelLedger, ledgerPageOf } from '../src/formats/ledger.ts';
import { Database } from '../src/queries/database.ts';
import { findTranscript } from '../src/queries/transcripts.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

const ledgerOf = (callId: CallId, query = ''): Promise<LedgerView> =>
  h.json<LedgerView>(`/v1/calls/${callId}/ledger${query}`);
const total = (sums: Record<string, number>): number =>
  Object.values(sums).reduce((sum, ticks) => sum + ticks, 0);

/** Two parties, of whom the customer came late, was lost for two seconds, and was on hold. */
async function eventfulCall(): Promise<CallId> {
  const callId = await h.writer.startCall();
  await h.writer.final(callId, { channel: 0, startMs: 1000, endMs: 3000, text: 'Good morning' });
  await h.writer.final(callId, { channel: 1, startMs: 2500, endMs: 4000, text: 'Hello' });
  await h.writer.final(callId, { channel: 1, startMs: 7000, endMs: 8000, text: 'Are you there' });
  await h.writer.ledger(
    callId,
    0,
    0,
    [
      ['absent', 100],
      ['received', 11_900],
    ],
    { ended: true },
  );
  await h.writer.ledger(
    callId,
    1,
    0,
    [
      ['absent', 1500],
      ['received', 2500],
      ['concealed', 200],
      ['lost', 2000],
    ],
    { notes: [{ tick: 32_000, kind: 'ssrc', value: 7 }] },
  );
  await h.writer.ledger(
    callId,
    1,
    6200,
    [
      ['lost', 300],
      ['received', 2500],
      ['held', 3000],
    ],
    { ended: true },
  );
  await h.writer.endCall(callId);
  return callId;
}

test('a ledger is whole to the tick, with neighbours of one kind joined and the proof beside it', async () => {
  const callId = await eventfulCall();
  const ledger = await ledgerOf(callId);
  expect(ledger).toMatchObject({ callId, state: 'ended', complete: true, nextCursor: null });
  const customer = ledger.channels[1]!;
  expect(customer).toMatchObject({
    channel: 1,
    role: 'customer',
    durationMs: 12_000,
    durationTicks: 96_000,
    asOfTick: 96_000,
    complete: true,
    sums: { received: 40_000, concealed: 1600, lost: 18_400, dtx: 0, absent: 12_000, held: 24_000 },
    notes: [{ kind: 'ssrc', atMs: 4000, tick: 32_000, value: 7 }],
  });
  expect(customer.spans.map(({ kind, startMs, endMs }) => [kind, startMs, endMs])).toEqual([
    ['absent', 0, 1500],
    ['received', 1500, 4000],
    ['concealed', 4000, 4200],
    ['lost', 4200, 6500],
    ['received', 6500, 9000],
    ['held', 9000, 12_000],
  ]);
  expect(customer.spans[1]).toEqual({
    kind: 'received',
    startMs: 1500,
    endMs: 4000,
    startTick: 12_000,
    ticks: 20_000,
  });
  expect(customer.proof).toEqual({
    recognised: 20_000,
    silence: 21_600,
    gaps: 54_400,
    undecided: 0,
  });
  for (const { durationTicks, sums, proof } of ledger.channels) {
    expect(total(sums)).toBe(durationTicks);
    expect(total(proof)).toBe(durationTicks);
  }
});

test('a range of a ledger is cut at its ends, and its sums are of the range', async () => {
  const callId = await eventfulCall();
  const { channels } = await ledgerOf(callId, '?from=5000&to=7000');
  expect(channels[1]).toMatchObject({
    durationTicks: 96_000,
    complete: true,
    spans: [
      { kind: 'lost', startMs: 5000, endMs: 6500 },
      { kind: 'received', startMs: 6500, endMs: 7000 },
    ],
    notes: [],
    sums: { received: 4000, lost: 12_000, held: 0 },
    proof: { recognised: 0, silence: 4000, gaps: 12_000 },
  });
  const long = await ledgerOf(callId, '?minMs=1000');
  expect(long.channels[1]!.spans.map(({ kind }) => kind)).toEqual([
    'absent',
    'received',
    'lost',
    'received',
    'held',
  ]);
  expect(total(long.channels[1]!.sums)).toBe(96_000);
  const backwards = await h.request(`/v1/calls/${callId}/ledger?from=7000&to=7000`);
  expect(await backwards.json()).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
});

test('a ledger is read page by page, each span and note once', async () => {
  const callId = await eventfulCall();
  const whole = await ledgerOf(callId);
  const spans: unknown[][] = [[], []];
  const notes: unknown[] = [];
  let pages = 0;
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: LedgerView = await ledgerOf(callId, `?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    for (const { channel, ...rest } of page.channels) {
      spans[channel]!.push(...rest.spans);
      notes.push(...rest.notes);
      expect(rest.spans.length).toBeLessThanOrEqual(2);
    }
    cursor = page.nextCursor;
    pages++;
  }
  expect(pages).toBe(3);
  expect(spans).toEqual(whole.channels.map((channel) => channel.spans));
  expect(notes).toHaveLength(1);
  const made = await h.request(`/v1/calls/${callId}/ledger?cursor=dDE`);
  expect(made.status).toBe(200);
  const broken = await h.request(`/v1/calls/${callId}/ledger?cursor=x`);
  expect(await broken.json()).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
});

test('whatever a ledger is, its pages together are the ledger, and sums and proof are the time', () => {
  const spans = fc.array(fc.tuple(fc.constantFrom(...SPAN_KINDS), fc.integer({ min: 1, max: 9 })), {
    maxLength: 20,
  });
  const channels = fc.array(
    fc.record({
      spans,
      spoken: fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 5 }),
      notes: fc.array(fc.nat(60), { maxLength: 6 }),
      committedTick: fc.nat(90),
      cut: fc.nat(5),
    }),
    { minLength: 1, maxLength: 3 },
  );
  const range = fc.record({ from: fc.nat(80), length: fc.integer({ min: 1, max: 100 }) });
  fc.assert(
    fc.property(channels, range, fc.integer({ min: 1, max: 4 }), (given, { from, length }, limit) => {
      const ledger = {
        callId: 'c',
        state: 'ended' as const,
        channels: given.map((one, index): ChannelLedger => {
          let tick = 0;
          const folded: { kind: SpanKind; startTick: number; endTick: number }[] = [];
          for (const [kind, ticks] of one.spans) {
            folded.push({ kind, startTick: tick, endTick: (tick += ticks) });
          }
          const notes = one.notes.toSorted((a, b) => a - b);
          return {
            index,
            role: 'agent',
            // The channel may have ended before or after what was told of it.
            endTick: Math.max(0, tick + 2 - one.cut),
            committedTick: one.committedTick,
            ledgerTick: tick,
            toldTick: tick,
            spoken: one.spoken
              .map(([startTick, ticks]) => ({ startTick, endTick: startTick + ticks }))
              .sort((a, b) => a.startTick - b.startTick),
            folded: {
              spans: folded,
              endTick: tick,
              notes: notes.map((at) => ({ tick: at, kind: 'ssrc', value: 0 })),
            },
          };
        }),
      };
      const query = { fromTick: from, toTick: from + length, minTicks: 0, afterTick: 0 };
      const whole = ledgerPageOf(ledger, { ...query, limit: 1000 });
      expect(whole.nextTick).toBeNull();
      for (const { durationTicks, sums, proof, spans: listed } of whole.view.channels) {
        const ticks = Math.max(0, Math.min(durationTicks, from + length) - from);
        expect(total(sums)).toBe(ticks);
        expect(total(proof)).toBe(ticks);
        expect(Math.min(...Object.values(proof))).toBeGreaterThanOrEqual(0);
        expect(listed.reduce((sum, span) => sum + span.ticks, 0)).toBe(ticks);
        for (const [i, span] of listed.entries()) {
          if (i > 0) expect(span.startTick).toBe(listed[i - 1]!.startTick + listed[i - 1]!.ticks);
        }
      }
      const paged = whole.view.channels.map(() => ({ spans: [] as unknown[], notes: [] as unknown[] }));
      let afterTick: number | null = 0;
      while (afterTick !== null) {
        const { view, nextTick } = ledgerPageOf(ledger, { ...query, limit, afterTick });
        for (const { channel, spans: listed, notes } of view.channels) {
          paged[channel]!.spans.push(...listed);
          paged[channel]!.notes.push(...notes);
        }
        expect(nextTick ?? Infinity).toBeGreaterThan(afterTick);
        afterTick = nextTick;
      }
      expect(paged).toEqual(whole.view.channels.map((one) => ({ spans: one.spans, notes: one.notes })));
    }),
    { numRuns: 500 },
  );
});

test('a live call shows its ledger as far as it was told', async () => {
  const callId = await h.writer.startCall();
  expect(await ledgerOf(callId)).toMatchObject({
    state: 'live',
    complete: false,
    channels: [{ durationTicks: 0, spans: [] }, { durationTicks: 0 }],
  });
  await h.writer.ledger(callId, 0, 0, [['received', 5000]]);
  expect(await ledgerOf(callId)).toMatchObject({
    complete: false,
    channels: [{ durationTicks: 40_000, asOfTick: 40_000, complete: false }, { durationTicks: 0 }],
  });
});

test('what was not told of an ended channel is absent, and its ledger is not complete', async () => {
  const callId = await h.writer.startCall();
  await h.writer.ledger(callId, 0, 0, [['received', 5000]]);
  await h.pool.query('update channels set end_tick = 80000 where call_id = $1', [callId]);
  await h.writer.endCall(callId);
  expect(await ledgerOf(callId)).toMatchObject({
    complete: false,
    channels: [
      {
        durationTicks: 80_000,
        asOfTick: 40_000,
        complete: false,
        spans: [
          { kind: 'received', ticks: 40_000 },
          { kind: 'absent', ticks: 40_000 },
        ],
        sums: { received: 40_000, absent: 40_000 },
        proof: { silence: 40_000, gaps: 40_000, undecided: 0 },
      },
      {},
    ],
  });
});

test('a call from before ledgers were kept says so by its code', async () => {
  const callId = await h.writer.startCall();
  await h.pool.query(
    `insert into channels (channel, call_id, idx, end_tick) values ($1 || ':0', $1, 0, 80000)`,
    [callId],
  );
  await h.writer.endCall(callId);
  const response = await h.request(`/v1/calls/${callId}/ledger`);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: 'LEDGER_NOT_FOUND' });
  const none = await h.request('/v1/calls/01890000-0000-7000-8000-000000000000/ledger');
  expect(await none.json()).toMatchObject({ status: 404, code: 'CALL_NOT_FOUND' });
  expect((await h.json<TranscriptView>(`/v1/calls/${callId}/transcript`)).gaps).toEqual([]);
});

test('a transcript names the gaps of a second and more, in its text forms too', async () => {
  const callId = await eventfulCall();
  const transcript = await h.json<TranscriptView>(`/v1/calls/${callId}/transcript`);
  expect(transcript.gaps).toEqual([
    { channel: 1, role: 'customer', startMs: 0, endMs: 1500, kind: 'absent' },
    { channel: 1, role: 'customer', startMs: 4200, endMs: 6500, kind: 'lost' },
    { channel: 1, role: 'customer', startMs: 9000, endMs: 12_000, kind: 'held' },
  ]);
  const text = async (extension: string): Promise<string> =>
    (await h.request(`/v1/calls/${callId}/transcript.${extension}`)).text();
  expect(await text('txt')).toBe(
    '[00:00] customer: (no audio for 2 s: no packets)\n' +
      '[00:01] agent: Good morning\n' +
      '[00:02] customer: Hello\n' +
      '[00:04] customer: (no audio for 2 s: packets lost)\n' +
      '[00:07] customer: Are you there\n' +
      '[00:09] customer: (no audio for 3 s: on hold)\n',
  );
  expect(await text('vtt')).toContain(
    '\n\nNOTE customer: no audio from 00:00:04.200 to 00:00:06.500 (packets lost)\n\n',
  );
  expect(await text('srt')).toContain('\n4\n00:00:04,200 --> 00:00:06,500\ncustomer: (packets lost)\n');
});

test('a channel whose media is missing says so, until it comes', async () => {
  const callId = await h.writer.startCall();
  const media = async (): Promise<string[]> =>
    (await h.json<{ channels: { media: string }[] }>(`/v1/calls/${callId}`)).channels.map((one) => one.media);
  expect(await media()).toEqual(['present', 'present']);
  await h.writer.media(callId, [1]);
  expect(await media()).toEqual(['present', 'missing']);
  await h.writer.media(callId, []);
  expect(await media()).toEqual(['present', 'present']);
});

test('a call whose audio the disk does not keep says so, and its diagnosis why', async () => {
  const callId = await h.writer.startCall();
  const disk = async (): Promise<string> => (await h.json<{ disk: string }>(`/v1/calls/${callId}`)).disk;
  const codes = async (): Promise<string[]> =>
    (await h.json<{ findings: { code: string }[] }>(`/v1/calls/${callId}/diagnosis`)).findings.map(
      ({ code }) => code,
    );
  expect(await disk()).toBe('ok');
  expect(await codes()).not.toContain('disk-full');
  await h.writer.disk(callId, { low: false, failing: [1], failed: true }, 'disk-full');
  expect(await disk()).toBe('full');
  expect(await codes()).toContain('disk-full');
  await h.writer.disk(callId, { low: false, failing: [], failed: true });
  expect(await disk()).toBe('was-full');
  expect(await codes()).toContain('disk-full');
  await h.writer.disk(callId, { low: true, failing: [], failed: false }, 'disk-low');
  expect(await disk()).toBe('low');
  expect(await codes()).toContain('disk-low');
});

test('a transcript with its gaps reads the words once', async () => {
  const statements: string[] = [];
  class Counting extends Database {
    override rows<Row extends object>(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
      statements.push(sql);
      return super.rows<Row>(sql, params);
    }
  }
  const callId = await eventfulCall();
  const transcript = await findTranscript(new Counting(h.pool), callId);
  expect(transcript?.segments).toHaveLength(3);
  expect(transcript?.gaps.length).toBeGreaterThan(0);
  expect(statements.filter((sql) => /from segments/.test(sql))).toHaveLength(1);
});
