/** The schemas of a call's ledger: what became of each of its ticks. */
import { type Static, Type } from '@sinclair/typebox';
import { SPAN_KINDS, type SpanKind } from './ledger.ts';
import { Nullable } from './nullable.ts';

const Ticks = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) });

export const LedgerSpanView = Type.Object({
  kind: Type.Unsafe<SpanKind>({ type: 'string', enum: [...SPAN_KINDS] }),
  startMs: Type.Integer({ description: 'Milliseconds from call zero, rounded.' }),
  endMs: Type.Integer(),
  startTick: Ticks('Ticks of 1/8000 s from call zero, exact.'),
  ticks: Ticks('Its length.'),
});
export type LedgerSpanView = Static<typeof LedgerSpanView>;

export const LedgerNoteView = Type.Object({
  kind: Type.String({
    description:
      "ssrc: another SSRC from here on (value). worker: another process has the channel (value: its instance). dropped: left out because the sender's clock is fast (value: ticks). rebased: put on the timeline by arrival anew. key: a key was pressed (value: ticks; which is not kept).",
  }),
  atMs: Type.Integer({ description: 'Milliseconds from call zero, rounded.' }),
  tick: Ticks(),
  value: Type.Number(),
});
export type LedgerNoteView = Static<typeof LedgerNoteView>;

export const LedgerChannelView = Type.Object({
  channel: Type.Integer({ minimum: 0, description: 'Index of the channel in the call.' }),
  role: Type.String(),
  durationMs: Type.Integer(),
  durationTicks: Ticks('How long the channel is; so far, while the call is live.'),
  asOfTick: Ticks('Everything before it was told by the media workers.'),
  complete: Type.Boolean({ description: 'The channel has ended and each of its ticks was told.' }),
  spans: Type.Array(LedgerSpanView, {
    description: 'What became of the time, one after the other. Neighbours of one kind are one.',
  }),
  notes: Type.Array(LedgerNoteView, { description: 'What happened and took no time.' }),
  sums: Type.Object(
    Object.fromEntries(SPAN_KINDS.map((kind) => [kind, Ticks()])) as Record<
      SpanKind,
      ReturnType<typeof Ticks>
    >,
    { description: 'Ticks of each kind between from and to. Without those they add up to durationTicks.' },
  ),
  proof: Type.Object(
    {
      recognised: Ticks('With words.'),
      silence: Ticks('Audio without words, decided.'),
      gaps: Ticks('lost, absent, held and paused.'),
      undecided: Ticks('Not decided yet; 0 once the transcript is complete.'),
    },
    { description: 'The same ticks by what recognition made of them: the sum is that of sums.' },
  ),
});
export type LedgerChannelView = Static<typeof LedgerChannelView>;

export const LedgerView = Type.Object(
  {
    callId: Type.String(),
    state: Type.Union([Type.Literal('live'), Type.Literal('ended')]),
    complete: Type.Boolean({ description: 'The ledger of every channel is complete.' }),
    channels: Type.Array(LedgerChannelView),
    nextCursor: Nullable(
      Type.String({
        description: 'Give it as cursor to get the spans and notes after these; null at the end.',
      }),
    ),
  },
  { $id: 'Ledger' },
);
export type LedgerView = Static<typeof LedgerView>;
