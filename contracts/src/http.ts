/** The schemas of REST, WebSocket and webhooks, as docs/integrating.md explains them. OpenAPI is made from them. */
import { type Static, Type } from '@sinclair/typebox';
import { DISK_STATES, type DiskState } from './disk.ts';
import { RECOGNITION_STATES, type RecognitionState } from './call.ts';
import type { SpanKind } from './ledger.ts';
import { Nullable } from './nullable.ts';
import { RECORDING_FORMATS, type RecordingFormat } from './recording.ts';

const Iso = (description: string) => Type.String({ format: 'date-time', description });

export const WordView = Type.Object({
  text: Type.String(),
  startMs: Type.Integer({ description: 'Milliseconds from call zero.' }),
  endMs: Type.Integer(),
  confidence: Type.Number({ minimum: 0, maximum: 1 }),
  tags: Type.Optional(
    Type.Array(Type.String(), {
      description: 'What is known of the word: profanity. Absent when there is nothing.',
    }),
  ),
});
export type WordView = Static<typeof WordView>;

export const SegmentView = Type.Object({
  id: Type.String(),
  channel: Type.Integer({ minimum: 0, description: 'Index of the channel in the call.' }),
  role: Type.String({ description: 'agent, customer, other, mixed or unknown.' }),
  startMs: Type.Integer({ description: 'Milliseconds from call zero.' }),
  endMs: Type.Integer(),
  text: Type.String({ description: 'The written form.' }),
  spoken: Type.String({ description: 'The words as said.' }),
  words: Type.Array(WordView),
  endpoint: Type.Optional(
    Type.String({
      description: 'Why it ended: pause, length, gap, end, request (POST …/finalize) or delay (max delay).',
    }),
  ),
});
export type SegmentView = Static<typeof SegmentView>;

/** What may be between the words because no audio came, or none was kept. */
export const GAP_KINDS = ['lost', 'absent', 'held', 'paused'] as const satisfies readonly SpanKind[];

export const GapView = Type.Object({
  channel: Type.Integer({ minimum: 0, description: 'Index of the channel in the call.' }),
  role: Type.String(),
  startMs: Type.Integer({ description: 'Milliseconds from call zero.' }),
  endMs: Type.Integer(),
  kind: Type.Unsafe<(typeof GAP_KINDS)[number]>({
    type: 'string',
    enum: [...GAP_KINDS],
    description:
      'lost: packets were lost. absent: no packet came, for a reason that is not known. held: on hold. paused: not to be recorded.',
  }),
});
export type GapView = Static<typeof GapView>;

export const TranscriptView = Type.Object(
  {
    callId: Type.String(),
    state: Type.Union([Type.Literal('live'), Type.Literal('ended')]),
    revision: Type.Integer({ description: 'Rises with every change of the transcript.' }),
    complete: Type.Boolean({
      description: 'Every tick received is recognised, decided silence, or a listed gap.',
    }),
    segments: Type.Array(SegmentView, { description: 'Finals, in call order.' }),
    gaps: Type.Array(GapView, {
      description:
        'Where a channel has no audio for a second or more, in call order, the time before its first packet too. Empty for a call without a ledger.',
    }),
  },
  { $id: 'Transcript' },
);
export type TranscriptView = Static<typeof TranscriptView>;

export const ChannelView = Type.Object({
  index: Type.Integer({ minimum: 0 }),
  role: Type.String(),
  label: Nullable(Type.String()),
  codec: Type.String(),
  participant: Type.Object({ name: Nullable(Type.String()), aor: Nullable(Type.String()) }),
  participants: Type.Optional(
    Type.Array(Type.Object({ name: Nullable(Type.String()), aor: Nullable(Type.String()) }), {
      description: 'All who are heard on a mixed channel, where they are known; participant is empty then.',
    }),
  ),
  evidence: Type.Array(Type.String()),
  score: Nullable(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'How sure the role is; 1 where somebody corrected it.',
    }),
  ),
  packetsReceived: Nullable(Type.Integer({ description: 'Known once the call has ended.' })),
  packetsLost: Nullable(Type.Integer()),
  media: Type.Unsafe<'present' | 'missing'>({
    type: 'string',
    enum: ['present', 'missing'],
    description:
      'missing: the stream was promised and brings no packets that can be used; alert.raised told of it.',
  }),
});
export type ChannelView = Static<typeof ChannelView>;

export const CallView = Type.Object(
  {
    id: Type.String(),
    state: Type.Union([Type.Literal('live'), Type.Literal('ended')]),
    startedAt: Iso('Call zero: when the first INVITE was accepted.'),
    endedAt: Nullable(Iso('When the call ended.')),
    endReason: Nullable(Type.String()),
    durationMs: Nullable(Type.Integer()),
    dialect: Type.String(),
    sip: Type.Object({
      callId: Type.String(),
      from: Type.String(),
      to: Type.String(),
      transport: Type.String(),
      source: Type.String(),
    }),
    externalIds: Type.Record(Type.String(), Type.String()),
    channels: Type.Array(ChannelView),
    paused: Type.Boolean({
      description: 'Live, and nothing of it is recorded or recognised until POST …/resume.',
    }),
    recognition: Type.Unsafe<RecognitionState>({
      type: 'string',
      enum: [...RECOGNITION_STATES],
      description:
        'current: words come as they are said, or are all there. waiting: recorded first, words follow when the engines have room. catching-up: they come now, and are behind.',
    }),
    segmentCount: Type.Integer(),
    wordCount: Type.Integer(),
    complete: Type.Boolean(),
    disk: Type.Unsafe<DiskState>({
      type: 'string',
      enum: [...DISK_STATES],
      description:
        'Whether the disk kept its audio. low: it was nearly full when the call began, so that nothing is recorded. full: it cannot be written. was-full: it could not for a while, and what came then is not in the recording. alert.raised told of it. Words are recognised from memory all the same.',
    }),
    recording: Nullable(
      Type.Object({
        bytes: Type.Integer({ description: 'Of the file in the first of its formats.' }),
        sha256: Type.String({ description: 'Of that file, in hex.' }),
        durationMs: Type.Integer(),
        formats: Type.Optional(
          Type.Array(
            Type.Object({
              format: Type.Unsafe<RecordingFormat>({ type: 'string', enum: [...RECORDING_FORMATS] }),
              bytes: Type.Integer(),
              sha256: Type.String(),
            }),
            {
              description:
                'The files that were made (RECORDING_FORMATS), as GET …/recording.wav and …/recording.opus send them. Absent in events of older versions, which made WAV files only.',
            },
          ),
        ),
      }),
    ),
  },
  { $id: 'Call' },
);
export type CallView = Static<typeof CallView>;

export const EVENT_TYPES = [
  'call.started',
  'call.updated',
  'segment.final',
  'alert.raised',
  'call.ended',
  'transcript.completed',
  'transcript.revised',
] as const;
export type LoggedEventType = (typeof EVENT_TYPES)[number];

export const ALERT_KINDS = ['no-media', 'disk-low', 'disk-full'] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** The data of alert.raised. */
export const AlertView = Type.Object({
  kind: Type.Unsafe<AlertKind>({
    type: 'string',
    enum: [...ALERT_KINDS],
    description:
      'no-media: a stream was promised by the signalling, and no packet comes that can be used; once for each outage. disk-low: the disk is nearly full, the call is not recorded. disk-full: its audio cannot be written; once a call.',
  }),
  channel: Nullable(
    Type.Integer({ minimum: 0, description: 'Index of the channel; null: the whole call (disk-…).' }),
  ),
  role: Nullable(Type.String()),
  sinceMs: Type.Integer({ description: 'Milliseconds from call zero.' }),
  externalIds: Type.Record(Type.String(), Type.String()),
});
export type AlertView = Static<typeof AlertView>;

/** What a retranscription changed: a stretch of words that is not the same. */
export const DifferenceView = Type.Object({
  channel: Type.Integer({ minimum: 0 }),
  startMs: Type.Integer({ description: 'Milliseconds from call zero.' }),
  endMs: Type.Integer(),
  before: Type.String({ description: 'The words as they were; empty where there were none.' }),
  after: Type.String({ description: 'The words as they are; empty where there are none.' }),
});
export type DifferenceView = Static<typeof DifferenceView>;

/** The data of transcript.revised. */
export const RevisionView = Type.Object({
  callId: Type.String(),
  revision: Type.Integer({ description: 'Of the transcript as it is now.' }),
  previousRevision: Type.Integer({
    description: 'Of the transcript that it replaces, kept under this number.',
  }),
  reason: Type.Literal('retranscription', {
    description:
      'Where only the roles changed it is correction or metadata, and the data are others: by, roles.',
  }),
  retranscription: Type.String({ description: 'The id that POST …/retranscribe answered with.' }),
  model: Type.String(),
  vocabulary: Type.Array(Type.String()),
  segmentCount: Type.Integer(),
  wordCount: Type.Integer(),
  wordsChanged: Type.Integer({ description: 'Words substituted, inserted or deleted.' }),
  wordErrorRateBetween: Type.Number({ description: 'wordsChanged over the number of words before.' }),
  differenceCount: Type.Integer({ description: 'All differences, more maybe than are listed.' }),
  differences: Type.Array(DifferenceView, { description: 'The first 200 of them, in call order.' }),
  externalIds: Type.Record(Type.String(), Type.String()),
});
export type RevisionView = Static<typeof RevisionView>;

export const EventView = Type.Object(
  {
    epoch: Type.Integer({ description: 'Changes only when the database was restored from a backup.' }),
    seq: Type.Integer({ description: 'Commit order over all calls; ask for what follows with ?after=seq.' }),
    callId: Type.String(),
    callSeq: Type.Integer({ description: 'Order within the call, from 1, without holes.' }),
    type: Type.String(),
    timestamp: Iso('When it was logged.'),
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  { $id: 'Event' },
);
export type EventView = Static<typeof EventView>;

/** What a WebSocket client of /v1/live receives. Logged events as they are; partials are live only. */
export type LiveMessage =
  | EventView
  | {
      type: 'segment.partial';
      callId: string;
      timestamp: string;
      data: { attempt: number; rev: number; segment: SegmentView };
    }
  | { type: 'hello'; epoch: number; seq: number }
  /** The client was too slow and missed partials or events: ask REST from `seq` on. */
  | { type: 'behind'; seq: number };

export const WebhookView = Type.Object(
  {
    id: Type.String(),
    url: Type.String(),
    events: Type.Array(Type.String()),
    active: Type.Boolean(),
    createdAt: Iso('When it was registered.'),
  },
  { $id: 'Webhook' },
);
export type WebhookView = Static<typeof WebhookView>;

export const DeliveryView = Type.Object(
  {
    id: Type.String({ description: 'The webhook-id header.' }),
    webhookId: Type.String(),
    event: Type.String(),
    callId: Type.String(),
    seq: Type.Integer(),
    state: Type.Union([Type.Literal('pending'), Type.Literal('delivered'), Type.Literal('failed')]),
    attempts: Type.Array(
      Type.Object({
        at: Iso('When it was tried.'),
        status: Nullable(Type.Integer({ description: 'HTTP status, or null when there was no answer.' })),
        error: Nullable(Type.String()),
        durationMs: Type.Integer(),
      }),
    ),
    nextAttemptAt: Nullable(Iso('When it is tried next.')),
  },
  { $id: 'Delivery' },
);
export type DeliveryView = Static<typeof DeliveryView>;

export const VocabularyPhraseView = Type.Object({
  text: Type.String({ description: 'As spoken: words in lower case.' }),
  boost: Type.Number({ description: 'How strongly it is preferred, 0 to 10.' }),
});

export const VocabularyView = Type.Object(
  {
    name: Type.String(),
    phrases: Type.Array(VocabularyPhraseView),
    updatedAt: Iso('When it was last written.'),
  },
  { $id: 'Vocabulary' },
);
export type VocabularyView = Static<typeof VocabularyView>;

export const VocabularySummaryView = Type.Object(
  {
    name: Type.String(),
    phraseCount: Type.Integer(),
    updatedAt: Iso('When it was last written.'),
  },
  { $id: 'VocabularySummary' },
);
export type VocabularySummaryView = Static<typeof VocabularySummaryView>;

export const RetranscriptionView = Type.Object(
  {
    id: Type.String(),
    callId: Type.String(),
    state: Type.Union([
      Type.Literal('queued'),
      Type.Literal('running'),
      Type.Literal('done'),
      Type.Literal('failed'),
    ]),
    model: Nullable(Type.String({ description: 'The model asked for, or null for the serving one.' })),
    vocabulary: Type.Array(Type.String(), { description: 'The vocabulary lists asked for.' }),
    createdAt: Iso('When it was asked for.'),
    startedAt: Nullable(Iso('When it began to run, the last time.')),
    finishedAt: Nullable(Iso('When it was done, or had failed for good.')),
    usedModel: Nullable(Type.String({ description: 'The model that recognised, once done.' })),
    previousRevision: Nullable(Type.Integer({ description: 'The transcript that was replaced.' })),
    revision: Nullable(Type.Integer({ description: 'The transcript that it made.' })),
    wordsChanged: Nullable(Type.Integer()),
    wordErrorRateBetween: Nullable(Type.Number()),
    error: Nullable(
      Type.Object(
        { code: Type.String(), detail: Type.String(), action: Type.String() },
        { description: 'Why it failed.' },
      ),
    ),
  },
  { $id: 'Retranscription' },
);
export type RetranscriptionView = Static<typeof RetranscriptionView>;

export const ProblemView = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.String(),
    action: Type.String(),
    requestId: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
  },
  { $id: 'Problem', description: 'RFC 9457 problem details.' },
);
export type ProblemView = Static<typeof ProblemView>;
