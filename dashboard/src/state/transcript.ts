import type { GapView, SegmentView } from '@earshot/contracts';

export interface ShownSegment {
  readonly segment: SegmentView;
  readonly final: boolean;
}

/** A row of the page: what one party says, beside what the other says at the same time. */
export interface Row {
  readonly key: string;
  readonly startMs: number;
  readonly left: ShownSegment | null;
  readonly right: ShownSegment | null;
  /** Over both lanes: one channel that carries everyone. */
  readonly wide: ShownSegment | null;
  /** Nobody spoke for so long before it. */
  readonly silenceMs: number;
}

/** A line of the page: words, or whose audio is missing from there on. */
export type Line = { readonly row: Row } | { readonly key: string; readonly gaps: readonly GapView[] };

export type Side = 'left' | 'right' | 'wide';

/** Silence shorter than this needs no mention. */
const LONG_SILENCE_MS = 8000;

/** The finals of the call that is open, in call order, each once. */
export class Transcript {
  readonly #byId = new Map<string, SegmentView>();
  #sorted: SegmentView[] | null = [];
  /** The one that came last, wherever its place is. */
  newest: SegmentView | null = null;

  /** @returns false when it was known */
  add(segment: SegmentView): boolean {
    const known = this.#byId.has(segment.id);
    this.#byId.set(segment.id, segment);
    if (!known) this.newest = segment;
    this.#sorted = null;
    return !known;
  }

  has(segmentId: string): boolean {
    return this.#byId.has(segmentId);
  }

  clear(): void {
    this.#byId.clear();
    this.newest = null;
    this.#sorted = [];
  }

  segments(): readonly SegmentView[] {
    this.#sorted ??= [...this.#byId.values()].sort(inCallOrder);
    return this.#sorted;
  }
}

const inCallOrder = (left: SegmentView, right: SegmentView): number =>
  left.startMs - right.startMs || left.channel - right.channel;

/** Agent left, customer right. Where roles do not say it, the first channel is left, the next one right. */
export function sideOf(segment: Pick<SegmentView, 'role' | 'channel'>): Side {
  if (segment.role === 'mixed') return 'wide';
  if (segment.role === 'agent') return 'left';
  if (segment.role === 'customer') return 'right';
  return segment.channel % 2 === 0 ? 'left' : 'right';
}

/** Finals and open partials as rows: two segments share a row when they overlap in time and lie on different sides. */
export function rowsOf(finals: readonly SegmentView[], partials: readonly SegmentView[]): Row[] {
  const shown: ShownSegment[] = [
    ...finals.map((segment) => ({ segment, final: true })),
    ...partials.map((segment) => ({ segment, final: false })),
  ];
  if (partials.length > 0) shown.sort((left, right) => inCallOrder(left.segment, right.segment));
  const rows: Row[] = [];
  let spokenUntilMs = 0;
  for (const item of shown) {
    const { segment } = item;
    const side = sideOf(segment);
    const last = rows.at(-1);
    const other = side === 'left' ? last?.right : side === 'right' ? last?.left : null;
    const beside =
      last !== undefined && other && last[side] === null && segment.startMs < other.segment.endMs;
    if (beside) {
      rows[rows.length - 1] = { ...last, [side]: item };
    } else {
      const silenceMs = rows.length === 0 ? 0 : segment.startMs - spokenUntilMs;
      rows.push({
        key: segment.id,
        startMs: segment.startMs,
        left: null,
        right: null,
        wide: null,
        [side]: item,
        silenceMs: silenceMs >= LONG_SILENCE_MS ? silenceMs : 0,
      });
    }
    spokenUntilMs = Math.max(spokenUntilMs, segment.endMs);
  }
  return rows;
}

/** Gaps of two parties that begin within this are one line: they were put on hold together. */
const TOGETHER_MS = 500;

/**
 * The rows with the gaps between them, by when they begin; the gap first where both begin together.
 * @param fromMs earlier gaps are left out: their rows are not shown
 */
export function linesOf(rows: readonly Row[], gaps: readonly GapView[], fromMs: number): Line[] {
  const shown = gaps.filter(({ startMs }) => startMs >= fromMs);
  const lines: Line[] = [];
  let next = 0;
  const gapsUntil = (ms: number): void => {
    for (; next < shown.length && shown[next]!.startMs <= ms; next++) {
      const gap = shown[next]!;
      const last = lines.at(-1);
      if (last !== undefined && 'gaps' in last && isWith(gap, last.gaps)) {
        lines[lines.length - 1] = { ...last, gaps: [...last.gaps, gap] };
      } else {
        lines.push({ key: `gap ${gap.channel} ${gap.kind} ${gap.startMs}`, gaps: [gap] });
      }
    }
  };
  for (const row of rows) {
    gapsUntil(row.startMs);
    lines.push({ row });
  }
  gapsUntil(Infinity);
  return lines;
}

const isWith = (gap: GapView, [first, second]: readonly GapView[]): boolean =>
  first !== undefined &&
  second === undefined &&
  sideOf(first) !== sideOf(gap) &&
  gap.startMs - first.startMs < TOGETHER_MS;
