import type { CallView, EventView, LiveMessage, SegmentView } from '@earshot/contracts';
import { Activity } from './activity.ts';

/** What is known of one channel of a call while it lives. */
export interface Lane {
  /** The newest final. */
  final: SegmentView | null;
  /** The open segment, if there is one. */
  partial: Partial | null;
  /** When the open segment last changed. */
  partialAtMs: number;
  /** When a word was last heard, on the clock that apply() is given; 0 when never. */
  heardAtMs: number;
  readonly activity: Activity;
}

export interface Partial {
  readonly attempt: number;
  readonly rev: number;
  readonly segment: SegmentView;
}

export interface LiveCall {
  view: CallView;
  readonly lanes: Lane[];
}

/** What a message means for the rest of the page. */
export interface Effects {
  /** The live list has to be asked for: something is going on in a call that it does not have. */
  readonly refreshLive: boolean;
  /** The list of ended calls is not what it was. */
  readonly refreshEnded: boolean;
  /** A final, wherever it belongs. */
  readonly final: { readonly callId: string; readonly segment: SegmentView } | null;
}

type PartialMessage = Extract<LiveMessage, { type: 'segment.partial' }>;

const NOTHING: Effects = { refreshLive: false, refreshEnded: false, final: null };

/** The live calls as the messages tell them. Events may come twice or before the call is known: both do no harm. */
export class LiveCalls {
  readonly #calls = new Map<string, LiveCall>();
  /** A list that was asked for before they ended must not bring them back. */
  readonly #ended = new Set<string>();

  get(callId: string): LiveCall | undefined {
    return this.#calls.get(callId);
  }

  /** Newest first. */
  list(): LiveCall[] {
    return [...this.#calls.values()].sort(
      (left, right) =>
        right.view.startedAt.localeCompare(left.view.startedAt) || right.view.id.localeCompare(left.view.id),
    );
  }

  totals(): { readonly calls: number; readonly channels: number } {
    let channels = 0;
    for (const { view } of this.#calls.values()) channels += view.channels.length;
    return { calls: this.#calls.size, channels };
  }

  /** A full list from REST: what it does not name is over. */
  replace(views: readonly CallView[]): void {
    const named = new Set(views.map((view) => view.id));
    for (const id of this.#calls.keys()) {
      if (!named.has(id)) this.#calls.delete(id);
    }
    for (const view of views) {
      if (!this.#ended.has(view.id)) this.put(view);
    }
  }

  put(view: CallView): LiveCall {
    const known = this.#calls.get(view.id);
    if (known !== undefined) {
      known.view = view;
      return known;
    }
    const call = { view, lanes: [] };
    this.#calls.set(view.id, call);
    return call;
  }

  clear(): void {
    this.#calls.clear();
    this.#ended.clear();
  }

  /** Drops open segments that have not changed for long: their final was lost on the way, or had no words. */
  expire(nowMs: number): void {
    for (const { lanes } of this.#calls.values()) {
      for (const lane of lanes) {
        if (nowMs - lane.partialAtMs > STALE_MS) lane.partial = null;
      }
    }
  }

  /** @param nowMs for the level of activity; null for what happened a while ago */
  apply(message: EventView | PartialMessage, nowMs: number | null): Effects {
    if ('seq' in message) return this.#event(message, nowMs);
    const call = this.#calls.get(message.callId);
    if (call === undefined) return { ...NOTHING, refreshLive: true };
    takePartial(laneOf(call, message.data.segment.channel), message.data, nowMs);
    return NOTHING;
  }

  #remember(ended: string): void {
    this.#ended.add(ended);
    const oldest = this.#ended.values().next().value;
    if (this.#ended.size > REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
  }

  #event(event: EventView, nowMs: number | null): Effects {
    const call = this.#calls.get(event.callId);
    switch (event.type) {
      case 'segment.final': {
        const segment = segmentIn(event);
        if (segment === null) return NOTHING;
        if (call !== undefined) takeFinal(laneOf(call, segment.channel), segment, nowMs);
        return { ...NOTHING, final: { callId: event.callId, segment } };
      }
      case 'call.started':
      case 'call.updated': {
        const view = callIn(event);
        if (view === null) return { ...NOTHING, refreshLive: true };
        if (view.state === 'live' && !this.#ended.has(view.id)) this.put(view);
        return { ...NOTHING, refreshEnded: view.state === 'ended' };
      }
      case 'alert.raised':
        if (call !== undefined) takeAlert(call, event);
        return NOTHING;
      case 'call.ended':
        this.#calls.delete(event.callId);
        this.#remember(event.callId);
        return { ...NOTHING, refreshEnded: true };
      case 'transcript.completed':
      case 'transcript.revised':
        return { ...NOTHING, refreshEnded: true };
      default:
        return NOTHING;
    }
  }
}

/** A segment lasts at most 15 s, so an open one changes or ends sooner than this. */
const STALE_MS = 20_000;
/** Far more than a call has. */
const MAX_CHANNELS = 64;
/** So many ended calls are remembered: far more than can end while a list is on its way. */
const REMEMBERED = 2000;

/** The segment that a segment.final carries, or null if it has none that can be shown. */
export function segmentIn(event: EventView): SegmentView | null {
  const candidate = (event.data['segment'] ?? event.data) as Record<string, unknown>;
  const { id, channel, startMs, endMs, text, words } = candidate;
  const complete =
    typeof id === 'string' &&
    typeof text === 'string' &&
    Number.isInteger(channel) &&
    Number(channel) >= 0 &&
    Number(channel) < MAX_CHANNELS &&
    Number.isFinite(startMs) &&
    Number.isFinite(endMs) &&
    Array.isArray(words);
  return complete ? (candidate as unknown as SegmentView) : null;
}

/** The call as the events about a call carry it, or null when it is not a whole one. */
function callIn(event: EventView): CallView | null {
  const { id, state, startedAt, channels } = event.data;
  const complete = id === event.callId && typeof state === 'string' && typeof startedAt === 'string';
  return complete && Array.isArray(channels) ? (event.data as unknown as CallView) : null;
}

/** A channel's media is missing, or the disk does not keep the call: the call as it is then comes with no other event. */
function takeAlert(call: LiveCall, event: EventView): void {
  const { kind, channel } = event.data;
  if (kind === 'disk-low' || kind === 'disk-full') {
    call.view = { ...call.view, disk: kind === 'disk-full' ? 'full' : 'low' };
  }
  if (kind !== 'no-media') return;
  const channels = call.view.channels.map((one) =>
    one.index === channel ? { ...one, media: 'missing' as const } : one,
  );
  call.view = { ...call.view, channels };
}

export function laneOf(call: LiveCall, channel: number): Lane {
  while (call.lanes.length <= channel) {
    call.lanes.push({ final: null, partial: null, partialAtMs: 0, heardAtMs: 0, activity: new Activity() });
  }
  return call.lanes[channel]!;
}

function takePartial(lane: Lane, partial: Partial, nowMs: number | null): void {
  const known = lane.partial;
  const same = known?.segment.id === partial.segment.id;
  if (same && !isNewer(partial, known)) return;
  // A straggler of a segment that is final already.
  if (lane.final !== null && partial.segment.startMs < lane.final.endMs && !same) {
    if (partial.segment.id === lane.final.id || partial.segment.startMs <= lane.final.startMs) return;
  }
  if (nowMs !== null) {
    const before = same ? known.segment.words.length : 0;
    hear(lane, partial.segment.words.length - before, nowMs);
  }
  lane.partial = partial;
  lane.partialAtMs = nowMs ?? 0;
}

function hear(lane: Lane, words: number, nowMs: number): void {
  if (words <= 0) return;
  lane.activity.add(words, nowMs);
  lane.heardAtMs = nowMs;
}

const isNewer = (next: Partial, known: Partial): boolean =>
  next.attempt > known.attempt || (next.attempt === known.attempt && next.rev > known.rev);

function takeFinal(lane: Lane, segment: SegmentView, nowMs: number | null): void {
  const open = lane.partial?.segment;
  if (nowMs !== null) {
    const before = open?.id === segment.id ? open.words.length : 0;
    hear(lane, segment.words.length - before, nowMs);
  }
  // The final of the open segment, or of a later one: what is open cannot be older than a final.
  if (open !== undefined && (open.id === segment.id || open.startMs <= segment.startMs)) lane.partial = null;
  if (lane.final === null || segment.startMs >= lane.final.startMs) lane.final = segment;
}
