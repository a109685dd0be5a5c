import { type LedgerPart, type Note, SPAN_KINDS, type SpanKind } from './ledger.ts';

/** A part as the call log keeps it, in the order in which parts were written. */
export interface LedgerRow extends LedgerPart {
  /** Counts only where nobody else said anything. */
  readonly fill: boolean;
  /** Which process said it: the pid of a media worker. */
  readonly toldBy: number;
}

export interface LedgerSpan {
  readonly kind: SpanKind;
  readonly startTick: number;
  readonly endTick: number;
}

export interface FoldedLedger {
  /** From 0 to endTick without a hole, neighbours of one kind joined. What nobody said is `absent`. */
  readonly spans: readonly LedgerSpan[];
  /** In order of time, each once. */
  readonly notes: readonly Note[];
  readonly endTick: number;
}

/** No kind: nobody said anything. */
const UNTOLD = -1;
const KIND_NUMBERS: ReadonlyMap<string, number> = new Map(SPAN_KINDS.map((kind, index) => [kind, index]));

/**
 * What a part lacks to be one, or null: whole ticks in order, known kinds, spans that add up, notes within. For what comes from
 * another process.
 */
export function faultOfPart(part: LedgerPart): string | null {
  const { fromTick, toTick, spans, notes } = part;
  if (!Number.isSafeInteger(fromTick) || !Number.isSafeInteger(toTick)) return 'ticks are not whole';
  if (fromTick < 0 || toTick < fromTick) return 'ticks are out of order';
  let tick = fromTick;
  for (const [kind, ticks] of spans) {
    if (!KIND_NUMBERS.has(kind)) return 'unknown kind of span';
    if (!Number.isSafeInteger(ticks) || ticks <= 0) return 'a span without length';
    tick += ticks;
  }
  if (tick !== toTick) return 'spans do not add up';
  const within = notes.every(
    ({ tick: at, value }) => at >= fromTick && at <= toTick && Number.isFinite(value),
  );
  return within ? null : 'a note outside the part';
}

/**
 * What is known of a channel's ticks, from all that was said of them, in the order in which it was written. A row stands instead of
 * what was said of its stretch before. It also ends what another process said beyond its beginning: that one is dead, and its successor
 * tells the same ticks again. Rows to fill count last, and only where there is a hole. Notes stay, except those of a dead process beyond
 * the point where its successor began.
 *
 * Rows nearly always follow each other, so this takes a time in proportion to the spans. @see faultOfPart for what rows must be
 */
export function foldLedger(rows: readonly LedgerRow[]): FoldedLedger {
  const told = new Stretches();
  for (const row of rows) if (!row.fill) told.put(row);
  const fills = rows.filter((row) => row.fill);
  const whole = fills.reduce((stretches, row) => stretches.filledBy(row), told);
  return { ...whole.spans(), notes: foldNotes(rows) };
}

/** Kind, end and teller of each stretch, one after the other from tick 0. */
class Stretches {
  readonly #kinds: number[];
  readonly #ends: number[];
  readonly #tellers: number[];

  constructor(kinds: number[] = [], ends: number[] = [], tellers: number[] = []) {
    this.#kinds = kinds;
    this.#ends = ends;
    this.#tellers = tellers;
  }

  get endTick(): number {
    return this.#ends.at(-1) ?? 0;
  }

  put(row: LedgerRow): void {
    const beyond = row.fromTick < this.endTick ? this.#cut(row.fromTick) : null;
    this.#push(UNTOLD, row.fromTick, 0);
    let tick = row.fromTick;
    for (const [kind, ticks] of row.spans) {
      tick += ticks;
      this.#push(KIND_NUMBERS.get(kind)!, tick, row.toldBy);
    }
    for (let i = 0; beyond !== null && i < beyond.#ends.length; i++) {
      const isOurs = beyond.#tellers[i] === row.toldBy;
      this.#push(isOurs ? beyond.#kinds[i]! : UNTOLD, beyond.#ends[i]!, row.toldBy);
    }
    this.#dropUntoldEnd();
  }

  /** The same with the holes filled, as far as the row says what was in them. */
  filledBy(row: LedgerRow): Stretches {
    const filled = new Stretches();
    const last = this.#ends.length;
    let at = 0;
    let tick = 0;
    const copyTo = (toTick: number): void => {
      while (at < last && tick < toTick) {
        tick = Math.min(this.#ends[at]!, toTick);
        filled.#push(this.#kinds[at]!, tick, this.#tellers[at]!);
        if (tick === this.#ends[at]) at++;
      }
    };
    copyTo(row.fromTick);
    filled.#push(UNTOLD, row.fromTick, 0);
    let spanEnd = row.fromTick;
    for (const [kind, ticks] of row.spans) {
      spanEnd += ticks;
      while (filled.endTick < spanEnd) {
        const told = at < last ? this.#kinds[at]! : UNTOLD;
        const end = Math.min(spanEnd, at < last ? this.#ends[at]! : spanEnd);
        filled.#push(told === UNTOLD ? KIND_NUMBERS.get(kind)! : told, end, row.toldBy);
        tick = end;
        if (at < last && end === this.#ends[at]) at++;
      }
    }
    copyTo(this.endTick);
    filled.#dropUntoldEnd();
    return filled;
  }

  spans(): Pick<FoldedLedger, 'spans' | 'endTick'> {
    const spans: { kind: SpanKind; startTick: number; endTick: number }[] = [];
    let startTick = 0;
    for (let i = 0; i < this.#ends.length; i++) {
      const endTick = this.#ends[i]!;
      const number = this.#kinds[i]!;
      const kind = number === UNTOLD ? 'absent' : SPAN_KINDS[number]!;
      const last = spans.at(-1);
      if (last?.kind === kind) last.endTick = endTick;
      else spans.push({ kind, startTick, endTick });
      startTick = endTick;
    }
    return { spans, endTick: this.endTick };
  }

  /** Nothing happens when it ends there already. */
  #push(kind: number, endTick: number, teller: number): void {
    if (endTick <= this.endTick) return;
    const last = this.#ends.length - 1;
    if (last >= 0 && this.#kinds[last] === kind && this.#tellers[last] === teller) {
      this.#ends[last] = endTick;
      return;
    }
    this.#kinds.push(kind);
    this.#ends.push(endTick);
    this.#tellers.push(teller);
  }

  /** Ends at the tick. @returns what was beyond it; its first stretch begins there */
  #cut(tick: number): Stretches {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ends[middle]! > tick) high = middle;
      else low = middle + 1;
    }
    const beyond = new Stretches(this.#kinds.splice(low), this.#ends.splice(low), this.#tellers.splice(low));
    const startTick = this.#ends.at(-1) ?? 0;
    if (tick > startTick) this.#push(beyond.#kinds[0]!, tick, beyond.#tellers[0]!);
    return beyond;
  }

  #dropUntoldEnd(): void {
    while (this.#kinds.at(-1) === UNTOLD) {
      this.#kinds.pop();
      this.#ends.pop();
      this.#tellers.pop();
    }
  }
}

function foldNotes(rows: readonly LedgerRow[]): readonly Note[] {
  let kept: { readonly note: Note; readonly toldBy: number }[] = [];
  let last: number | null = null;
  for (const { fromTick, notes, fill, toldBy } of rows) {
    if (!fill && last !== null && last !== toldBy) {
      kept = kept.filter(({ note, toldBy: teller }) => teller === toldBy || note.tick <= fromTick);
    }
    if (!fill) last = toldBy;
    for (const note of notes) kept.push({ note, toldBy });
  }
  const byIdentity = new Map(
    kept.map(({ note }) => [`${note.tick} ${note.kind} ${note.value}`, note] as const),
  );
  return [...byIdentity.values()].sort((a, b) => a.tick - b.tick);
}
