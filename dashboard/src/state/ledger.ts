import type { GapView, LedgerChannelView, LedgerSpanView, LedgerView } from '@earshot/contracts';
import { type Side, sideOf } from './transcript.ts';

/** What the page makes of a call's ledger. Pure. */

type Kind = LedgerSpanView['kind'];

/** As the legend has them. */
export const KIND_NAMES: Readonly<Record<Kind, string>> = {
  received: 'received',
  concealed: 'concealed',
  lost: 'lost',
  dtx: 'silence not sent',
  absent: 'no packets',
  held: 'on hold',
  paused: 'paused',
  corrected: 'clock corrected',
};

const KINDS = Object.keys(KIND_NAMES) as Kind[];

const GAP_TEXTS: Readonly<Record<GapView['kind'], string>> = {
  lost: 'Packets lost',
  absent: 'No packets',
  held: 'On hold',
  paused: 'Paused',
};

export const gapText = (kind: GapView['kind']): string => GAP_TEXTS[kind];

/** A gap that is shorter needs no mention between the words. */
const NOTABLE_MS = 1000;
/** A strip has fewer columns than this, whatever the screen. */
const COLUMNS = 4000;
const MIN_POLL_MS = 4000;
const MAX_POLL_MS = 60_000;

/** Spans that are shorter are not to be sent: they would not be seen, and a long call has many. */
export const shortestMs = (durationMs: number): number =>
  Math.min(NOTABLE_MS, Math.floor(Math.max(0, durationMs) / COLUMNS));

/** How long to wait before the ledger of a live call is asked for again: the longer the call, the less it changes. */
export const pollMs = (durationMs: number): number =>
  Math.max(MIN_POLL_MS, Math.min(MAX_POLL_MS, durationMs / 200));

/** A clean channel is told once a minute, and the page asks every minute at most. */
const LATEST_MS = 150_000;

/** Audio comes on such a channel: it is not known to be on hold, paused or without packets. */
const isHeard = (kind: Kind | undefined): boolean =>
  kind === 'received' || kind === 'concealed' || kind === 'dtx' || kind === 'corrected';

const isGap = (kind: Kind): kind is GapView['kind'] => Object.hasOwn(GAP_TEXTS, kind);

/** Where audio is missing for a second or more, in call order. */
export function gapsIn(ledger: LedgerView | null): GapView[] {
  const gaps = (ledger?.channels ?? []).flatMap(({ channel, role, spans }) =>
    spans.flatMap(({ kind, startMs, endMs }): GapView[] =>
      isGap(kind) && endMs - startMs >= NOTABLE_MS ? [{ channel, role, startMs, endMs, kind }] : [],
    ),
  );
  return gaps.sort((a, b) => a.startMs - b.startMs || a.channel - b.channel);
}

export interface StripRow {
  readonly channel: number;
  readonly role: string;
  readonly side: Side;
  /** The whole of it, 0 to 1 of the strip's width. */
  readonly length: number;
  /** What is not plainly received: stretches from 0 to 1, by kind. */
  readonly marks: readonly {
    readonly kind: Kind;
    readonly stretches: readonly (readonly [number, number])[];
  }[];
  /** Percent of the channel's time, of those kinds that there are, in order. */
  readonly shares: readonly { readonly kind: Kind; readonly percent: number }[];
}

/**
 * @param liveMs of a live call: how long it is by now. Ledgers are told late, and of a channel without events once a minute: one whose last
 *   span is of audio goes on until then, as long as nobody says that its media is missing
 * @param flows indices of the channels whose media comes
 * @returns the rows, and how much time the strip's width is
 */
export function stripOf(
  ledger: LedgerView,
  liveMs: number | null = null,
  flows: ReadonlySet<number> = new Set(),
): {
  readonly rows: readonly StripRow[];
  readonly durationMs: number;
} {
  const lengthMs = ({ channel, durationMs, complete, spans }: LedgerChannelView): number =>
    liveMs === null || complete || !flows.has(channel) || !isHeard(spans.at(-1)?.kind)
      ? durationMs
      : Math.max(durationMs, Math.min(liveMs, durationMs + LATEST_MS));
  const durationMs = Math.max(0, ...ledger.channels.map(lengthMs));
  const rows = ledger.channels.map((whole): StripRow => {
    const { channel, role, durationTicks, spans, sums } = whole;
    const at = (ms: number): number => (durationMs === 0 ? 0 : Math.min(1, ms / durationMs));
    return {
      channel,
      role,
      side: sideOf({ role, channel }),
      length: at(lengthMs(whole)),
      marks: KINDS.filter((kind) => kind !== 'received').flatMap((kind) => {
        const stretches = spans
          .filter((span) => span.kind === kind)
          .map((span) => [at(span.startMs), at(span.endMs)] as const);
        return stretches.length === 0 ? [] : [{ kind, stretches }];
      }),
      shares: KINDS.flatMap((kind) =>
        sums[kind] === 0 ? [] : [{ kind, percent: (100 * sums[kind]) / Math.max(1, durationTicks) }],
      ),
    };
  });
  return { rows, durationMs };
}

/** 12 %, 0.3 %, <0.1 %, and never 100 % of what is not all. */
export function percentText(percent: number): string {
  if (percent >= 100) return '100 %';
  if (percent >= 99.9) return '>99.9 %';
  if (percent < 0.1) return '<0.1 %';
  return `${percent < 10 || percent > 99 ? percent.toFixed(1) : Math.round(percent)} %`;
}
