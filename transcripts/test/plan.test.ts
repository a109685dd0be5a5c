import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CallId, channelIdOf, EVENT_TYPES, type SegmentId, type SegmentView } from '@earshot/contracts';
import type { CallRecord } from '../src/assemble/call-view.ts';
import type { LogItem } from '../src/log/items.ts';
import { planBatch } from '../src/log/plan.ts';
import { jsonParameter } from '../src/log/rows.ts';
import { makeCall, totalsOf, wordsFrom } from './harness.ts';

/** The log as a database would keep it: what a plan says is written, and found again next time. */
class Log {
  readonly calls = new Map<CallId, CallRecord>();
  readonly segments = new Set<SegmentId>();
  readonly events: { callId: CallId; callSeq: number; type: string; data: Record<string, unknown> }[] = [];
  readonly recordings: CallId[] = [];
  readonly retranscriptions = new Set<string>();
  #transcript: readonly SegmentView[] = [];

  write(items: readonly LogItem[]): ReturnType<typeof planBatch> {
    const plan = planBatch(items, {
      calls: this.calls,
      segments: this.segments,
      webhooksWantSegments: false,
      // The story has one call.
      transcripts: new Map([[callId, this.#transcript]]),
      retranscriptions: this.retranscriptions,
    });
    for (const call of plan.calls) this.calls.set(call.id as CallId, call);
    for (const segment of plan.segments) this.segments.add(segment.view.id as SegmentId);
    this.#transcript = [...this.#transcript, ...plan.segments.map((segment) => segment.view)];
    for (const { facts, segments } of plan.revisions) {
      this.retranscriptions.add(facts.retranscription);
      this.#transcript = segments.map((segment) => segment.view);
    }
    this.events.push(...plan.events);
    this.recordings.push(...plan.recordings.map((row) => row.callId));
    return plan;
  }
}

const call = makeCall(1);
const { callId } = call;
const channel = channelIdOf(callId, 0);
const revised = (retranscription: string, ...texts: string[]): LogItem => ({
  kind: 'revised',
  callId,
  retranscription,
  model: 'm',
  vocabulary: [],
  segments: [{ channel, fromTick: 0, toTick: 48_000, words: wordsFrom(0, ...texts) }],
});
const story: LogItem[] = [
  { kind: 'started', callId, call },
  ...Array.from({ length: 6 }, (_, i): LogItem => ({
    kind: 'segment',
    callId,
    channel,
    index: 0,
    fromTick: i * 8000,
    toTick: (i + 1) * 8000,
    words: wordsFrom(i * 8000, `a${i}`, `b${i}`),
  })),
  { kind: 'updated', callId, call: { ...call, externalIds: { ucid: '1' } } },
  {
    kind: 'ended',
    callId,
    endedAtMs: call.startedAtMs + 6000,
    endReason: 'bye',
    totals: [totalsOf(channel, 48_000)],
  },
  {
    kind: 'complete',
    callId,
    proof: [{ index: 0, endTick: 48_000, settledTick: 48_000, ledgerTick: 48_000 }],
  },
  { kind: 'recording', callId, recording: { file: 'f', bytes: 1, sha256: 's', durationMs: 2 } },
  revised('rt_1', 'a0', 'b0', 'x'),
  revised('rt_2', 'a0', 'b0', 'y'),
];

test('whatever happens to a call, its event says what the contact centre knows it by', () => {
  const log = new Log();
  log.write([
    ...story.slice(0, 2),
    { kind: 'media', callId, index: 0, state: 'missing', tick: 8000 },
    { kind: 'corrected', callId, correction: { index: 0, role: 'other', participant: {}, by: 'me' } },
    ...story.slice(2),
  ]);
  const types = new Set(log.events.map(({ type }) => type));
  expect([...types].sort()).toEqual([...EVENT_TYPES].sort());
  for (const { type, data } of log.events) {
    expect(Object.keys(data['externalIds'] ?? {}), type).toHaveLength(1);
  }
});

test('however the story is cut into batches and batches are repeated, each event is logged once and in order', () => {
  const cuts = fc.array(
    fc.record({ size: fc.integer({ min: 1, max: 5 }), times: fc.integer({ min: 1, max: 3 }) }),
  );
  fc.assert(
    fc.property(cuts, (batches) => {
      const log = new Log();
      let at = 0;
      for (const { size, times } of [...batches, { size: story.length, times: 2 }]) {
        for (let i = 0; i < times; i++) log.write(story.slice(at, at + size));
        at += size;
      }
      expect(log.events.map((event) => event.type)).toEqual([
        'call.started',
        ...Array.from({ length: 6 }, () => 'segment.final'),
        'call.updated',
        'call.ended',
        'transcript.completed',
        'call.updated',
        'transcript.revised',
        'transcript.revised',
      ]);
      // Ten words of twelve are gone or another, then one.
      expect(
        log.events.slice(-2).map(({ data }) => [data['wordsChanged'], data['previousRevision']]),
      ).toEqual([
        [10, 7],
        [1, 8],
      ]);
      expect(log.events.map((event) => event.callSeq)).toEqual(log.events.map((_, i) => i + 1));
      expect(log.calls.get(callId)).toMatchObject({
        segmentCount: 1,
        wordCount: 3,
        revision: 9,
        complete: true,
      });
      expect(log.recordings).toEqual([callId]);
    }),
  );
});

test('an item of a call that is not in the log is refused, and the others of its batch are not', () => {
  const other = makeCall(1);
  const log = new Log();
  const { outcomes } = log.write([
    { kind: 'complete', callId: other.callId, proof: [] },
    { kind: 'started', callId, call },
  ]);
  expect(outcomes).toEqual([{ done: false, code: 'CALL_NOT_FOUND' }, { done: true }]);
});

test('an update whose start was never heard starts the call', () => {
  const log = new Log();
  log.write([{ kind: 'updated', callId, call }]);
  expect(log.events.map((event) => event.type)).toEqual(['call.started']);
});

test('an event carries the counts of its own moment, not those of the batch', () => {
  const log = new Log();
  const plan = log.write(story);
  const started = plan.events.find((event) => event.type === 'call.started')!;
  const ended = plan.events.find((event) => event.type === 'call.ended')!;
  expect(started.data).toMatchObject({ segmentCount: 0, state: 'live' });
  expect(ended.data).toMatchObject({ segmentCount: 6, state: 'ended', durationMs: 6000 });
});

test('a parameter for jsonb never has NUL or half a surrogate pair, in values or keys, and else says the same', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const text = jsonParameter(value);
      expect(text).not.toMatch(/(?<!\\)(?:\\\\)*\\u0000/);
      expect(text.isWellFormed()).toBe(true);
      expect(text).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/i);
      if (!/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value))) expect(text).toBe(JSON.stringify(value));
    }),
  );
});
