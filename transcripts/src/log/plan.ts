import {
  type AlertKind,
  type AlertView,
  type CallId,
  type ChannelInfo,
  type DiskRecord,
  type LoggedEventType,
  type OutboxRow,
  type RolesView,
  type SegmentId,
  type SegmentView,
  diskStateOf,
  msOfTick,
  segmentIdOf,
} from '@earshot/contracts';
import { type CallRecord, callViewOf, recordOfCall } from '../assemble/call-view.ts';
import { corrected, roleChanges, withCorrection } from '../assemble/corrections.ts';
import type { ChannelProof } from '../document/call.ts';
import { DONE, type LogItem, type Outcome } from './items.ts';
import type { PlannedRole } from './roles.ts';
import { plannedSegment, type PlannedRevision, type PlannedSegment, planRevision } from './revise.ts';

/** What the transaction found in the log under its lock. */
export interface Found {
  /** The calls that the items name, as far as they are in the log. */
  readonly calls: ReadonlyMap<CallId, CallRecord>;
  /** Those of the items' segments that are in the log. */
  readonly segments: ReadonlySet<SegmentId>;
  /** Some active webhook asks for segment.final. */
  readonly webhooksWantSegments: boolean;
  /** The transcripts, in call order, of the calls that `revised` items name. */
  readonly transcripts: ReadonlyMap<CallId, readonly SegmentView[]>;
  /** Those of the items' retranscriptions that are in the log. */
  readonly retranscriptions: ReadonlySet<string>;
}

export type LedgerItem = Extract<LogItem, { kind: 'ledger' }>;
export type TraceItem = Extract<LogItem, { kind: 'trace' }>;

/** Appended beside the call, which it does not change. */
export const isApart = (item: LogItem): item is LedgerItem | TraceItem =>
  item.kind === 'ledger' || item.kind === 'trace';

/** An event without its seq, which is given under the lock. */
export interface PlannedEvent {
  readonly callId: CallId;
  readonly callSeq: number;
  readonly type: LoggedEventType;
  readonly data: Readonly<Record<string, unknown>>;
  /** An outbox row for the webhooks is written with it. */
  readonly toWebhooks: boolean;
}

export interface Plan {
  /** Calls as they are after the batch. */
  readonly calls: readonly CallRecord[];
  readonly segments: readonly PlannedSegment[];
  /** In order, after the segments. */
  readonly revisions: readonly PlannedRevision[];
  readonly events: readonly PlannedEvent[];
  readonly recordings: readonly Extract<OutboxRow, { kind: 'recording' }>[];
  /** Parts of ledgers, in order. */
  readonly ledger: readonly LedgerItem[];
  /** SIP messages, in order. */
  readonly traces: readonly TraceItem[];
  /** In order, after the segments. */
  readonly roles: readonly PlannedRole[];
  /** One for each item, in order. */
  readonly outcomes: readonly Outcome[];
  readonly words: number;
  readonly completed: number;
}

/**
 * What a batch changes in the log. Pure, and judged by the log alone: an item that the log has already (sent again by
 * a client, or by us after a commit whose answer was lost) changes nothing and makes no event.
 */
export function planBatch(items: readonly LogItem[], found: Found): Plan {
  const planner = new Planner(found);
  const outcomes = items.map((item) => planner.apply(item));
  return {
    calls: [...planner.changed].flatMap((id) => planner.calls.get(id) ?? []),
    segments: planner.segments,
    revisions: planner.revisions,
    events: planner.events,
    recordings: planner.recordings,
    ledger: planner.ledger,
    traces: planner.traces,
    roles: planner.roles,
    outcomes,
    words: planner.segments.reduce((sum, segment) => sum + segment.view.words.length, 0),
    completed: planner.recordings.length,
  };
}

class Planner {
  readonly calls: Map<CallId, CallRecord>;
  readonly changed = new Set<CallId>();
  readonly segments: PlannedSegment[] = [];
  readonly revisions: PlannedRevision[] = [];
  readonly events: PlannedEvent[] = [];
  readonly recordings: Extract<OutboxRow, { kind: 'recording' }>[] = [];
  readonly ledger: LedgerItem[] = [];
  readonly traces: TraceItem[] = [];
  readonly roles: PlannedRole[] = [];
  readonly #knownSegments: Set<SegmentId>;
  readonly #webhooksWantSegments: boolean;
  readonly #transcripts: Map<CallId, readonly SegmentView[]>;
  readonly #retranscriptions: Set<string>;

  constructor(found: Found) {
    this.calls = new Map(found.calls);
    this.#knownSegments = new Set(found.segments);
    this.#webhooksWantSegments = found.webhooksWantSegments;
    this.#transcripts = new Map(found.transcripts);
    this.#retranscriptions = new Set(found.retranscriptions);
  }

  apply(item: LogItem): Outcome {
    if (isApart(item)) {
      if (item.kind === 'ledger') this.ledger.push(item);
      else this.traces.push(item);
      return DONE;
    }
    const call = this.calls.get(item.callId);
    if (call === undefined) {
      // An update whose start was never heard starts the call.
      if (item.kind !== 'started' && item.kind !== 'updated') return { done: false, code: 'CALL_NOT_FOUND' };
      this.#callEvent(item.callId, recordOfCall(item.call), 'call.started');
      return DONE;
    }
    switch (item.kind) {
      case 'started':
        break;
      case 'updated': {
        const { dialect, sip, externalIds, worker, paused } = recordOfCall(item.call);
        const channels = corrected(item.call.channels, call.corrections);
        const live = call.endedAtMs === null;
        const after = { ...call, dialect, sip, externalIds, channels, worker, paused: live && paused };
        if (!sameJson(call, after)) this.#callEvent(item.callId, after, 'call.updated');
        this.#rolesOf(call, item.callId, null);
        break;
      }
      case 'ended':
        if (call.endedAtMs === null) {
          const totals = item.totals.length > 0 ? item.totals : null;
          const { endedAtMs, endReason } = item;
          // Nothing more is written of it, on a disk that is full or not.
          const disk = { ...call.disk, failing: [] };
          const after = { ...call, endedAtMs, endReason, totals, disk, paused: false };
          this.#callEvent(item.callId, after, 'call.ended');
        }
        break;
      case 'segment':
        this.#segment(call, item);
        break;
      case 'media':
        this.#media(call, item);
        break;
      case 'disk':
        this.#disk(call, item);
        break;
      case 'recognition':
        // What was on its way when the call was complete comes too late.
        if (!call.complete && call.recognition !== item.state)
          this.#callEvent(item.callId, { ...call, recognition: item.state }, 'call.updated');
        break;
      case 'complete':
        this.#complete(call, item);
        break;
      case 'recording':
        if (!sameJson(call.recording, item.recording)) {
          this.#callEvent(item.callId, { ...call, recording: item.recording }, 'call.updated');
        }
        break;
      case 'corrected':
        return this.#corrected(call, item);
      case 'revised':
        return this.#revised(call, item);
    }
    return DONE;
  }

  #segment(call: CallRecord, item: Extract<LogItem, { kind: 'segment' }>): void {
    const id = segmentIdOf(item.channel, item.fromTick);
    if (this.#knownSegments.has(id)) return;
    this.#knownSegments.add(id);
    const segment = plannedSegment(item.callId, roleOf(call.channels, item.index), item);
    const { view } = segment;
    this.segments.push(segment);
    const known = this.#transcripts.get(item.callId);
    if (known !== undefined) this.#transcripts.set(item.callId, inCallOrder([...known, view]));
    const after = {
      ...call,
      revision: call.revision + 1,
      segmentCount: call.segmentCount + 1,
      wordCount: call.wordCount + item.words.length,
    };
    const data = { segment: view, revision: after.revision, externalIds: after.externalIds };
    this.#event(item.callId, after, 'segment.final', data, this.#webhooksWantSegments);
  }

  #media(call: CallRecord, { callId, index, state, tick }: Extract<LogItem, { kind: 'media' }>): void {
    const others = call.mediaMissing.filter((missing) => missing !== index);
    const wasMissing = others.length < call.mediaMissing.length;
    if (call.endedAtMs !== null || wasMissing === (state === 'missing')) return;
    if (state === 'present') {
      this.#callEvent(callId, { ...call, mediaMissing: others }, 'call.updated');
      return;
    }
    const after = { ...call, mediaMissing: withIndex(others, index) };
    this.#alert(callId, after, 'no-media', index, tick);
  }

  /** One alert a call and cause, also when it is told late: that some of its audio is missing stays so, whatever the disk does later. */
  #disk(call: CallRecord, { callId, index, state, tick }: Extract<LogItem, { kind: 'disk' }>): void {
    const told = withDisk(call.disk, index, state);
    const disk = call.endedAtMs === null ? told : { ...told, failing: [] };
    if (sameJson(disk, call.disk)) return;
    const after = { ...call, disk };
    if (disk.low && !call.disk.low) this.#alert(callId, after, 'disk-low', null, tick);
    else if (disk.failed && !call.disk.failed) this.#alert(callId, after, 'disk-full', null, tick);
    else if (diskStateOf(disk) !== diskStateOf(call.disk)) this.#callEvent(callId, after, 'call.updated');
    else this.#change(callId, after);
  }

  /** @param index of the channel; null: the whole call */
  #alert(callId: CallId, after: CallRecord, kind: AlertKind, index: number | null, tick: number): void {
    const alert: AlertView = {
      kind,
      channel: index,
      role: index === null ? null : roleOf(after.channels, index),
      sinceMs: msOfTick(tick),
      externalIds: { ...after.externalIds },
    };
    this.#event(callId, after, 'alert.raised', alert, true);
  }

  #complete(call: CallRecord, item: Extract<LogItem, { kind: 'complete' }>): void {
    if (call.complete) return;
    const after: CallRecord = {
      ...call,
      complete: true,
      recognition: 'current',
      revision: call.revision + 1,
    };
    this.recordings.push({ kind: 'recording', callId: item.callId });
    const data = completedDataOf(after, item.proof);
    this.#event(item.callId, after, 'transcript.completed', data, true);
  }

  #corrected(call: CallRecord, { callId, correction }: Extract<LogItem, { kind: 'corrected' }>): Outcome {
    if (call.channels.every(({ index }) => index !== correction.index))
      return { done: false, code: 'CHANNEL_NOT_FOUND' };
    const corrections = withCorrection(call.corrections, correction);
    const after = { ...call, corrections, channels: corrected(call.channels, corrections) };
    if (!sameJson(call, after)) this.#callEvent(callId, after, 'call.updated');
    this.#rolesOf(call, callId, correction.by);
    return DONE;
  }

  /** The transcript follows the roles. @param by null: the signalling says so, which is no news before the first words */
  #rolesOf({ channels: before }: CallRecord, callId: CallId, by: string | null): void {
    const call = this.calls.get(callId)!;
    const changes = roleChanges(before, call.channels);
    if (changes.length === 0 || (by === null && call.segmentCount === 0)) return;
    const after = new Map(changes.map((change) => [change.channel, change.after]));
    this.roles.push(...changes.map(({ channel, after: role }) => ({ callId, index: channel, role })));
    const known = this.#transcripts.get(callId);
    if (known !== undefined) {
      const followed = known.map((view) => ({ ...view, role: after.get(view.channel) ?? view.role }));
      this.#transcripts.set(callId, followed);
    }
    const facts: RolesView = {
      callId,
      revision: call.revision + 1,
      previousRevision: call.revision,
      reason: by === null ? 'metadata' : 'correction',
      by,
      roles: [...changes],
      externalIds: { ...call.externalIds },
    };
    this.#event(callId, { ...call, revision: facts.revision }, 'transcript.revised', facts, true);
  }

  #revised(call: CallRecord, item: Extract<LogItem, { kind: 'revised' }>): Outcome {
    if (this.#retranscriptions.has(item.retranscription)) return DONE;
    // Words may still come: they would be mixed with these.
    if (!call.complete) return { done: false, code: 'CALL_NOT_COMPLETE' };
    this.#retranscriptions.add(item.retranscription);
    const { after, revision } = planRevision(call, this.#transcripts.get(item.callId) ?? [], item);
    this.revisions.push(revision);
    this.#transcripts.set(item.callId, inCallOrder(revision.segments.map(({ view }) => view)));
    this.#event(item.callId, after, 'transcript.revised', revision.facts, true);
    return DONE;
  }

  #callEvent(callId: CallId, after: CallRecord, type: LoggedEventType): void {
    this.#event(callId, after, type, callViewOf(after), true);
  }

  #event(
    callId: CallId,
    after: CallRecord,
    type: LoggedEventType,
    data: Readonly<Record<string, unknown>>,
    toWebhooks: boolean,
  ): void {
    const callSeq = after.callSeq + 1;
    this.#change(callId, { ...after, callSeq });
    this.events.push({ callId, callSeq, type, data, toWebhooks });
  }

  #change(callId: CallId, after: CallRecord): void {
    this.calls.set(callId, after);
    this.changed.add(callId);
  }
}

/** The call with the revision, and beside each channel the proof: everything up to its end is settled. */
function completedDataOf(call: CallRecord, proof: readonly ChannelProof[]): Record<string, unknown> {
  const view = callViewOf(call);
  return {
    ...view,
    revision: call.revision,
    ledgerComplete: proof.every(({ endTick, ledgerTick }) => ledgerTick >= endTick),
    channels: view.channels.map((channel) => {
      const row = proof.find(({ index }) => index === channel.index) ?? { endTick: 0, settledTick: 0 };
      return {
        ...channel,
        endTick: row.endTick,
        settledTick: row.settledTick,
        endMs: msOfTick(row.endTick),
        settledMs: msOfTick(row.settledTick),
      };
    }),
  };
}

const inCallOrder = (segments: readonly SegmentView[]): SegmentView[] =>
  segments.toSorted((a, b) => a.startMs - b.startMs || a.channel - b.channel);

const withIndex = (others: readonly number[], index: number): number[] =>
  [...others, index].sort((a, b) => a - b);

function withDisk(disk: DiskRecord, index: number, state: 'low' | 'full' | 'writable'): DiskRecord {
  if (state === 'low') return { ...disk, low: true };
  const others = disk.failing.filter((failing) => failing !== index);
  return state === 'full'
    ? { ...disk, failing: withIndex(others, index), failed: true }
    : { ...disk, failing: others };
}

const roleOf = (channels: readonly ChannelInfo[], index: number): string =>
  channels.find((channel) => channel.index === index)?.role ?? 'unknown';

/** Equal as JSON, whatever the order of the keys (jsonb does not keep it). */
function sameJson(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
