import type { EventView, GapView, LedgerChannelView, LedgerView, SegmentView } from '@earshot/contracts';
import { describe, expect, test } from 'vitest';
import { gapsIn, percentText, pollMs, shortestMs, stripOf } from '../src/state/ledger.ts';
import { LiveCalls } from '../src/state/live-calls.ts';
import { linesOf, rowsOf } from '../src/state/transcript.ts';

type Kind = LedgerChannelView['spans'][number]['kind'];

const KINDS: readonly Kind[] = [
  'received',
  'concealed',
  'lost',
  'dtx',
  'absent',
  'held',
  'paused',
  'corrected',
];

function channelOf(channel: number, ...spans: [Kind, number][]): LedgerChannelView {
  let at = 0;
  const sums = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as LedgerChannelView['sums'];
  const listed = spans.map(([kind, ms]) => {
    const startMs = at;
    at += ms;
    sums[kind] += ms * 8;
    return { kind, startMs, endMs: at, startTick: startMs * 8, ticks: ms * 8 };
  });
  return {
    channel,
    role: channel === 0 ? 'agent' : 'customer',
    durationMs: at,
    durationTicks: at * 8,
    asOfTick: at * 8,
    complete: false,
    spans: listed,
    notes: [],
    sums,
    proof: { recognised: 0, silence: 0, gaps: 0, undecided: 0 },
  };
}

const ledgerOf = (...channels: LedgerChannelView[]): LedgerView => ({
  callId: 'c',
  state: 'live',
  complete: false,
  channels,
  nextCursor: null,
});

describe('the ledger on the page', () => {
  test('gaps of a second and more are told in call order, and nothing that was heard is one', () => {
    const ledger = ledgerOf(
      channelOf(0, ['absent', 500], ['received', 9500], ['held', 3000]),
      channelOf(1, ['absent', 1000], ['received', 1000], ['lost', 2000], ['concealed', 1200], ['dtx', 4000]),
    );
    expect(
      gapsIn(ledger).map(({ channel, kind, startMs, endMs }) => [channel, kind, startMs, endMs]),
    ).toEqual([
      [1, 'absent', 0, 1000],
      [1, 'lost', 2000, 4000],
      [0, 'held', 10_000, 13_000],
    ]);
    expect(gapsIn(null)).toEqual([]);
  });

  test('a strip has a row a channel on one scale, and shares of the time of each', () => {
    const { rows, durationMs } = stripOf(
      ledgerOf(channelOf(0, ['received', 6000], ['lost', 2000]), channelOf(1, ['received', 4000])),
    );
    expect(durationMs).toBe(8000);
    expect(rows).toEqual([
      {
        channel: 0,
        role: 'agent',
        side: 'left',
        length: 1,
        marks: [{ kind: 'lost', stretches: [[0.75, 1]] }],
        shares: [
          { kind: 'received', percent: 75 },
          { kind: 'lost', percent: 25 },
        ],
      },
      {
        channel: 1,
        role: 'customer',
        side: 'right',
        length: 0.5,
        marks: [],
        shares: [{ kind: 'received', percent: 100 }],
      },
    ]);
    expect(stripOf(ledgerOf(channelOf(0))).durationMs).toBe(0);
  });

  test('of a live call a row whose audio flows goes on until now, for what may not be told yet', () => {
    const ledger = ledgerOf(
      channelOf(0, ['lost', 2000], ['received', 8000]),
      channelOf(1, ['received', 2000], ['held', 8000]),
      channelOf(2, ['received', 10_000]),
    );
    const lengths = (liveMs: number | null): number[] =>
      stripOf(ledger, liveMs, new Set([0, 1])).rows.map(({ length }) => length);
    expect(lengths(null)).toEqual([1, 1, 1]);
    expect(lengths(9000)).toEqual([1, 1, 1]);
    expect(lengths(20_000)).toEqual([1, 0.5, 0.5]);
    const { rows, durationMs } = stripOf(ledger, 20_000, new Set([0]));
    expect([durationMs, rows[0]!.marks]).toEqual([20_000, [{ kind: 'lost', stretches: [[0, 0.1]] }]]);
    expect(rows[0]!.shares).toEqual([
      { kind: 'received', percent: 80 },
      { kind: 'lost', percent: 20 },
    ]);
    // Nobody has told of it for long: it is not known to flow.
    expect(stripOf(ledger, 3_600_000, new Set([0])).durationMs).toBe(160_000);
  });

  test('a percentage never rounds a loss away', () => {
    const texts = [100, 99.95, 99.5, 42.4, 2.34, 0.04].map(percentText);
    expect(texts).toEqual(['100 %', '>99.9 %', '99.5 %', '42 %', '2.3 %', '<0.1 %']);
  });

  test('of a long call short spans are left out, and it is asked for less often', () => {
    expect([0, 60_000, 86_400_000].map(shortestMs)).toEqual([0, 15, 1000]);
    expect([0, 3_600_000, 86_400_000].map(pollMs)).toEqual([4000, 18_000, 60_000]);
  });
});

describe('gaps between the words', () => {
  const segment = (id: string, startMs: number, channel: number): SegmentView => ({
    id,
    channel,
    role: channel === 0 ? 'agent' : 'customer',
    startMs,
    endMs: startMs + 1000,
    text: id,
    spoken: id,
    words: [],
  });
  const gap = (channel: number, startMs: number, kind: GapView['kind'] = 'lost'): GapView => ({
    channel,
    role: channel === 0 ? 'agent' : 'customer',
    startMs,
    endMs: startMs + 2000,
    kind,
  });
  const brief = (gaps: GapView[], fromMs = 0): string[] =>
    linesOf(rowsOf([segment('a', 1000, 0), segment('b', 5000, 1)], []), gaps, fromMs).map((line) =>
      'row' in line ? line.row.key : line.gaps.map((one) => `${one.kind} ${one.channel}`).join(' + '),
    );

  test('a gap stands where it begins', () => {
    expect(brief([gap(1, 0, 'absent'), gap(1, 1000), gap(0, 6000)])).toEqual([
      'absent 1',
      'lost 1',
      'a',
      'b',
      'lost 0',
    ]);
    expect(brief([])).toEqual(['a', 'b']);
  });

  test('two parties that are put on hold together are one line', () => {
    const gaps = [gap(0, 3000, 'held'), gap(1, 3200, 'held'), gap(0, 3300), gap(1, 9000)];
    expect(brief(gaps)).toEqual(['a', 'held 0 + held 1', 'lost 0', 'b', 'lost 1']);
  });

  test('gaps before the first words that are shown are not shown either', () => {
    expect(brief([gap(0, 500), gap(1, 2000)], 1000)).toEqual(['a', 'lost 1', 'b']);
  });
});

test('an alert marks the channel of a live call, or the call, and the next view of the call takes the mark away', () => {
  const view = {
    id: 'c',
    state: 'live' as const,
    startedAt: '2026-01-01T00:00:00Z',
    endedAt: null,
    endReason: null,
    durationMs: null,
    dialect: 'plain',
    sip: { callId: 'x', from: 'sip:a@b', to: 'sip:c@d', transport: 'udp', source: '127.0.0.1:5060' },
    externalIds: {},
    channels: [0, 1].map((index) => ({
      index,
      role: 'agent',
      label: null,
      codec: 'PCMU',
      participant: { name: null, aor: null },
      evidence: [],
      score: null,
      packetsReceived: null,
      packetsLost: null,
      media: 'present' as const,
    })),
    segmentCount: 0,
    wordCount: 0,
    complete: false,
    paused: false,
    recognition: 'current' as const,
    disk: 'ok' as const,
    recording: null,
  };
  const event = (seq: number, type: string, data: Record<string, unknown>): EventView => ({
    epoch: 1,
    seq,
    callId: 'c',
    callSeq: seq,
    type,
    timestamp: '2026-01-01T00:00:03Z',
    data,
  });
  const calls = new LiveCalls();
  const media = (): (string | undefined)[] => calls.get('c')?.view.channels.map((one) => one.media) ?? [];
  calls.put(view);
  calls.apply(event(1, 'alert.raised', { kind: 'something-else', channel: 0 }), 0);
  expect(media()).toEqual(['present', 'present']);
  calls.apply(event(2, 'alert.raised', { kind: 'no-media', channel: 1, role: 'agent', sinceMs: 0 }), 0);
  expect(media()).toEqual(['present', 'missing']);
  calls.apply(event(3, 'call.updated', view), 0);
  expect(media()).toEqual(['present', 'present']);
  calls.apply(event(5, 'alert.raised', { kind: 'disk-low', channel: null, role: null, sinceMs: 0 }), 0);
  expect(calls.get('c')?.view.disk).toBe('low');
  calls.apply(event(6, 'alert.raised', { kind: 'disk-full', channel: null, role: null, sinceMs: 0 }), 0);
  expect(calls.get('c')?.view.disk).toBe('full');
  expect(media()).toEqual(['present', 'present']);
  calls.apply({ ...event(4, 'alert.raised', { kind: 'no-media', channel: 0 }), callId: 'unknown' }, 0);
  expect(calls.get('unknown')).toBeUndefined();
});
