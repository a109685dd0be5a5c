/** The schemas of what explains a call: who was taken for whom, its SIP messages, and why its transcript is empty. */
import { type Static, Type } from '@sinclair/typebox';
import { Nullable } from './nullable.ts';
import { TRACE_FIRST, TRACE_LAST } from './trace.ts';

/** The data of transcript.revised where the words stayed and who said them did not. */
export const RolesView = Type.Object({
  callId: Type.String(),
  revision: Type.Integer({ description: 'Of the transcript as it is now.' }),
  previousRevision: Type.Integer({ description: 'Only its roles were others; it is not kept.' }),
  reason: Type.Unsafe<'correction' | 'metadata'>({
    type: 'string',
    enum: ['correction', 'metadata'],
    description: 'correction: somebody said so. metadata: the signalling says so now.',
  }),
  by: Nullable(Type.String({ description: 'Who corrected it.' })),
  roles: Type.Array(
    Type.Object({
      channel: Type.Integer({ minimum: 0, description: 'Index of the channel in the call.' }),
      before: Type.String(),
      after: Type.String(),
    }),
  ),
  externalIds: Type.Record(Type.String(), Type.String()),
});
export type RolesView = Static<typeof RolesView>;

export const TraceItemView = Type.Object({
  atMs: Type.Number({ description: 'Milliseconds from call zero, to the microsecond.' }),
  at: Type.String({ format: 'date-time', description: 'The same by the wall clock.' }),
  direction: Type.Unsafe<'in' | 'out'>({
    type: 'string',
    enum: ['in', 'out'],
    description: 'in: the caller sent it.',
  }),
  transport: Nullable(Type.String({ description: 'udp, tcp or tls; null where it is not known.' })),
  source: Nullable(Type.String({ description: 'Address and port that it left; null where not known.' })),
  destination: Nullable(Type.String({ description: 'Address and port that it went to.' })),
  summary: Type.String({ description: 'INVITE, or 200 OK (INVITE).' }),
  method: Type.String({ description: 'Of the request, or of the one that is answered.' }),
  status: Nullable(Type.Integer({ description: 'Of a response; null for a request.' })),
  omittedBefore: Type.Integer({
    description: 'Messages before it, and after the item before, that were not kept.',
  }),
  text: Type.String({
    description: 'Start line, headers and body. Keys, digests, passwords and pressed keys are masked as ***.',
  }),
});
export type TraceItemView = Static<typeof TraceItemView>;

export const TraceView = Type.Object(
  {
    callId: Type.String(),
    items: Type.Array(TraceItemView, {
      description: `In order: the first ${TRACE_FIRST} and the last ${TRACE_LAST} messages, 256 kB at most.`,
    }),
    omitted: Type.Integer({ description: 'How many in between were not kept.' }),
    nextCursor: Type.Null({ description: 'There is one page.' }),
  },
  { $id: 'Trace' },
);
export type TraceView = Static<typeof TraceView>;

export const FINDING_CODES = [
  'never-acknowledged',
  'cancelled',
  'streams-refused',
  'nothing-offered',
  'paused',
  'on-hold',
  'no-packets',
  'packets-rejected',
  'packets-lost',
  'packets-stopped',
  'silence-not-sent',
  'recorded-first',
  'not-recognised-yet',
  'no-words',
  'silence',
  'too-quiet',
  'clipped',
  'speech-not-understood',
  'too-short',
  'unexplained',
  'disk-low',
  'disk-full',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

export const FindingView = Type.Object({
  code: Type.Unsafe<FindingCode>({ type: 'string', enum: [...FINDING_CODES] }),
  channel: Nullable(Type.Integer({ minimum: 0, description: 'Index of the channel; null: the whole call.' })),
  text: Type.String({ description: 'What is so.' }),
  advice: Type.String({ description: 'What to look at, or to do.' }),
  evidence: Type.Array(Type.String(), { description: 'What it was read from: trace, ledger, levels.' }),
});
export type FindingView = Static<typeof FindingView>;

export const DiagnosisView = Type.Object(
  {
    callId: Type.String(),
    state: Type.Unsafe<'live' | 'ended'>({ type: 'string', enum: ['live', 'ended'] }),
    empty: Type.Boolean({ description: 'Nothing was recognised on any channel (so far).' }),
    findings: Type.Array(FindingView, {
      description:
        'Why a transcript is empty, or that of a channel: most telling first; then why its audio was not kept. None where every channel has words and all was kept.',
    }),
  },
  { $id: 'Diagnosis' },
);
export type DiagnosisView = Static<typeof DiagnosisView>;
