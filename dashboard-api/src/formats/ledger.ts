import {
  type FoldedLedger,
  GAP_KINDS,
  type GapView,
  type LedgerChannelView,
  type LedgerSpan,
  type LedgerView,
  msOfTick,
  type Note,
  SPAN_KINDS,
  type SpanKind,
  TICKS_PER_SECOND,
} from '@earshot/contracts';

/** The ledger of a call as REST shows it. Pure. */

/** What the log knows of a channel's time. */
export interface ChannelLedger {
  readonly index: number;
  readonly role: string;
  /** Of its timeline, once it has ended. */
  readonly endTick: number | null;
  /** Everything before it is recognised, or decided silence. */
  readonly committedTick: number;
  /** The ledger has no hole before it. */
  readonly ledgerTick: number;
  /** The last tick of which something was told. */
  readonly toldTick: number;
  /** Where words are, in order. */
  readonly spoken: readonly { readonly startTick: number; readonly endTick: number }[];
  /** Whole only from the range that was asked for. */
  readonly folded: FoldedLedger;
}

export interface CallLedger {
  readonly callId: string;
  readonly state: 'live' | 'ended';
  readonly channels: readonly ChannelLedger[];
}

/** A gap shorter than this is no news to a reader of the transcript. */
const NOTABLE_TICKS = TICKS_PER_SECOND;

const isGap = (kind: SpanKind): kind is GapView['kind'] => (GAP_KINDS as readonly SpanKind[]).includes(kind);

/** What is asked of a ledger. Ticks from call zero. */
export interface LedgerQuery {
  readonly fromTick: number;
  readonly toTick: number;
  /** Spans shorter than this are not listed; they are in the sums. */
  readonly minTicks: number;
  /** Spans, and notes, of a channel on one page. */
  readonly limit: number;
  /** The page begins with what begins here. */
  readonly afterTick: number;
}

/** @returns the page, and where the next one begins, or null */
export function ledgerPageOf(
  ledger: CallLedger,
  query: LedgerQuery,
): { readonly view: Omit<LedgerView, 'nextCursor'>; readonly nextTick: number | null } {
  const channels = ledger.channels.map((channel) => rangeOf(channel, query));
  const nextTick = Math.min(...channels.map((channel) => nextOf(channel, query)));
  const views = channels.map((channel) => viewOf(channel, nextTick));
  const { callId, state } = ledger;
  return {
    view: { callId, state, complete: views.every(({ complete }) => complete), channels: views },
    nextTick: nextTick === Infinity ? null : nextTick,
  };
}

/** Where channels have no audio for a second or more, in call order. Of a live call: so far. */
export function gapsOf(ledger: CallLedger): GapView[] {
  if (!hasLedger(ledger)) return [];
  const gaps = ledger.channels.flatMap((channel) =>
    spansWithin(channel, 0, Infinity).flatMap(({ kind, startTick, endTick }): GapView[] => {
      if (!isGap(kind) || endTick - startTick < NOTABLE_TICKS) return [];
      const { index, role } = channel;
      return [{ channel: index, role, startMs: msOfTick(startTick), endMs: msOfTick(endTick), kind }];
    }),
  );
  return gaps.sort((a, b) => a.startMs - b.startMs || a.channel - b.channel);
}

/** False for a call from before ledgers were kept. */
export const hasLedger = ({ state, channels }: CallLedger): boolean =>
  state === 'live' || channels.some(({ toldTick }) => toldTick > 0) || channels.every((one) => !one.endTick);

interface Ranged {
  readonly channel: ChannelLedger;
  readonly durationTicks: number;
  /** All of the range. */
  readonly spans: readonly LedgerSpan[];
  /** Those to be listed. */
  readonly listed: readonly LedgerSpan[];
  readonly notes: readonly Note[];
}

const durationOf = ({ endTick, toldTick }: ChannelLedger): number => endTick ?? toldTick;

function rangeOf(channel: ChannelLedger, { fromTick, toTick, minTicks, afterTick }: LedgerQuery): Ranged {
  const spans = spansWithin(channel, fromTick, toTick);
  return {
    channel,
    durationTicks: durationOf(channel),
    spans,
    listed: spans.filter(
      ({ startTick, endTick }) => startTick >= afterTick && endTick - startTick >= minTicks,
    ),
    notes: channel.folded.notes.filter(({ tick }) => tick >= Math.max(fromTick, afterTick) && tick <= toTick),
  };
}

/** The spans of a range, cut at its ends and at the channel's. What was not told of it is absent. */
function spansWithin(channel: ChannelLedger, fromTick: number, toTick: number): LedgerSpan[] {
  const { spans, endTick: told } = channel.folded;
  const end = durationOf(channel);
  const whole: readonly LedgerSpan[] =
    told < end ? [...spans, { kind: 'absent', startTick: told, endTick: end }] : spans;
  const from = Math.min(fromTick, end);
  const to = Math.min(toTick, end);
  const within: LedgerSpan[] = [];
  for (const span of whole) {
    const startTick = Math.max(span.startTick, from);
    const endTick = Math.min(span.endTick, to);
    if (startTick >= endTick) continue;
    const last = within.at(-1);
    if (last?.kind === span.kind) within[within.length - 1] = { ...last, endTick };
    else within.push({ kind: span.kind, startTick, endTick });
  }
  return within;
}

/** Where the page has to end because this channel has more than fits. */
function nextOf({ listed, notes }: Ranged, { limit }: LedgerQuery): number {
  const note = notes[limit]?.tick ?? Infinity;
  // Many notes of one tick stay together: a page that ended before them would never be passed.
  const noteTick = note === notes[0]?.tick ? note + 1 : note;
  return Math.min(listed[limit]?.startTick ?? Infinity, noteTick);
}

function viewOf(
  { channel, durationTicks, spans, listed, notes }: Ranged,
  beforeTick: number,
): LedgerChannelView {
  const { index, role, endTick, ledgerTick } = channel;
  return {
    channel: index,
    role,
    durationMs: msOfTick(durationTicks),
    durationTicks,
    asOfTick: Math.min(ledgerTick, durationTicks),
    complete: endTick !== null && ledgerTick >= endTick,
    spans: listed
      .filter(({ startTick }) => startTick < beforeTick)
      .map(({ kind, startTick, endTick: end }) => ({
        kind,
        startMs: msOfTick(startTick),
        endMs: msOfTick(end),
        startTick,
        ticks: end - startTick,
      })),
    notes: notes
      .filter(({ tick }) => tick < beforeTick)
      .map(({ kind, tick, value }) => ({ kind, atMs: msOfTick(tick), tick, value })),
    sums: sumsOf(spans),
    proof: proofOf(channel, spans),
  };
}

function sumsOf(spans: readonly LedgerSpan[]): Record<SpanKind, number> {
  const sums = Object.fromEntries(SPAN_KINDS.map((kind) => [kind, 0])) as Record<SpanKind, number>;
  for (const { kind, startTick, endTick } of spans) sums[kind] += endTick - startTick;
  return sums;
}

/** The audio by what recognition made of it: words, decided silence, or nothing yet. */
function proofOf(
  { spoken, committedTick }: ChannelLedger,
  spans: readonly LedgerSpan[],
): LedgerChannelView['proof'] {
  const proof = { recognised: 0, silence: 0, gaps: 0, undecided: 0 };
  let first = 0;
  for (const { kind, startTick, endTick } of spans) {
    if (isGap(kind)) {
      proof.gaps += endTick - startTick;
      continue;
    }
    const decidedTick = Math.max(startTick, Math.min(endTick, committedTick));
    while (first < spoken.length && spoken[first]!.endTick <= startTick) first++;
    let recognised = 0;
    // Segments of a channel may touch; where they overlap, a tick counts once.
    let from = startTick;
    for (let i = first; i < spoken.length && spoken[i]!.startTick < decidedTick; i++) {
      const to = Math.min(spoken[i]!.endTick, decidedTick);
      recognised += Math.max(0, to - Math.max(from, spoken[i]!.startTick));
      from = Math.max(from, to);
    }
    proof.recognised += recognised;
    proof.silence += decidedTick - startTick - recognised;
    proof.undecided += endTick - decidedTick;
  }
  return proof;
}
