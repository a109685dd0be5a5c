import {
  type Endpoint,
  partsOfChannel,
  type RevisedSegment,
  type RevisionView,
  type SegmentView,
} from '@earshot/contracts';
import type { CallRecord } from '../assemble/call-view.ts';
import { differencesOf } from '../assemble/differences.ts';
import { segmentViewOf } from '../assemble/segment.ts';
import type { LogItem } from './items.ts';

export interface PlannedSegment {
  readonly callId: CallRecord['id'];
  readonly channel: string;
  readonly fromTick: number;
  readonly toTick: number;
  readonly startTick: number;
  readonly endTick: number;
  readonly view: SegmentView;
}

/** A transcript that is replaced: kept under its revision, and what takes its place. */
export interface PlannedRevision {
  readonly callId: CallRecord['id'];
  readonly before: readonly SegmentView[];
  readonly segments: readonly PlannedSegment[];
  /** The event's data; the row of the table revisions has its facts. */
  readonly facts: RevisionView;
}

export function plannedSegment(
  callId: CallRecord['id'],
  role: string,
  { channel, fromTick, toTick, words, endpoint }: RevisedSegment,
): PlannedSegment {
  return {
    callId,
    channel,
    fromTick,
    toTick,
    startTick: words[0]?.startTick ?? fromTick,
    endTick: words.at(-1)?.endTick ?? toTick,
    view: withEndpoint(segmentViewOf(channel, role, fromTick, words, { endpoint }), endpoint),
  };
}

const withEndpoint = (view: SegmentView, endpoint: Endpoint | undefined): SegmentView =>
  endpoint === undefined ? view : { ...view, endpoint };

/** What a retranscription makes of a call: revision n stays readable, n + 1 is the transcript. */
export function planRevision(
  call: CallRecord,
  before: readonly SegmentView[],
  item: Extract<LogItem, { kind: 'revised' }>,
): { readonly after: CallRecord; readonly revision: PlannedRevision } {
  const roles = new Map<number, string>(call.channels.map(({ index, role }) => [index, role]));
  const segments = item.segments.map((segment) =>
    plannedSegment(call.id, roles.get(partsOfChannel(segment.channel).index) ?? 'unknown', segment),
  );
  const views = segments.map((segment) => segment.view);
  const after: CallRecord = {
    ...call,
    revision: call.revision + 1,
    segmentCount: segments.length,
    wordCount: views.reduce((sum, view) => sum + view.words.length, 0),
  };
  const differences = differencesOf(before, views);
  const facts: RevisionView = {
    callId: call.id,
    revision: after.revision,
    previousRevision: call.revision,
    reason: 'retranscription',
    retranscription: item.retranscription,
    model: item.model,
    vocabulary: [...item.vocabulary],
    segmentCount: after.segmentCount,
    wordCount: after.wordCount,
    wordsChanged: differences.wordsChanged,
    wordErrorRateBetween: differences.wordErrorRate,
    differenceCount: differences.count,
    differences: [...differences.listed],
    externalIds: { ...after.externalIds },
  };
  return { after, revision: { callId: call.id, before, segments, facts } };
}
