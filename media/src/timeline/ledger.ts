import { type LedgerPart, type Note, type NoteKind, SPAN_KINDS, type SpanKind } from '@earshot/contracts';

/** Notes that wait at most: of a stream that is torn at each packet, the first ones. */
const MAX_NOTES = 5000;
/** Spans and notes in one part at most. */
const PART_SPANS = 500;

const numberOf = (kind: SpanKind): number => SPAN_KINDS.indexOf(kind);

/**
 * A channel's spans, one after the other, from the last that is known to be kept elsewhere (`acknowledged`) on. What was told and not
 * acknowledged can be told again. A span takes two numbers, so that hours of a lossy stream can wait for a database.
 */
export class Ledger {
  #baseTick: number;
  /** The spans' kinds and where each ends. */
  #kinds: number[] = [];
  #ends: number[] = [];
  #notes: Note[] = [];
  #toldTick: number;
  #toldNotes = 0;

  constructor(fromTick = 0) {
    this.#baseTick = fromTick;
    this.#toldTick = fromTick;
  }

  get endTick(): number {
    return this.#ends.at(-1) ?? this.#baseTick;
  }
  get toldTick(): number {
    return this.#toldTick;
  }

  /** Something other than the going on of one span waits to be told. */
  get pressing(): boolean {
    if (this.#notes.length > this.#toldNotes) return true;
    const last = this.#ends.length - 1;
    return last >= 1 && this.#ends[last - 1]! > this.#toldTick;
  }

  /** Everything from the end of the last span to toTick is of this kind. */
  span(kind: SpanKind, toTick: number): void {
    if (toTick <= this.endTick) return;
    const last = this.#kinds.length - 1;
    if (last >= 0 && this.#kinds[last] === numberOf(kind)) {
      this.#ends[last] = toTick;
    } else {
      this.#kinds.push(numberOf(kind));
      this.#ends.push(toTick);
    }
  }

  /** The last span, from fromTick on, was of another kind than was thought. To be said before it is told. */
  rename(kind: SpanKind, fromTick: number): void {
    const last = this.#kinds.length - 1;
    if (last < 0) return;
    const endTick = this.#ends[last]!;
    const startTick = last === 0 ? this.#baseTick : this.#ends[last - 1]!;
    if (fromTick >= endTick) return;
    if (fromTick > startTick) {
      this.#ends[last] = fromTick;
    } else {
      this.#kinds.pop();
      this.#ends.pop();
    }
    this.span(kind, endTick);
  }

  note(kind: NoteKind, value: number): void {
    if (this.#notes.length < MAX_NOTES) this.#notes.push({ tick: this.endTick, kind, value });
  }

  /** Begins anew at a checkpoint. */
  restart(fromTick: number): void {
    this.#baseTick = fromTick;
    this.#toldTick = fromTick;
    this.#kinds = [];
    this.#ends = [];
    this.#notes = [];
    this.#toldNotes = 0;
  }

  /** The next part that was not told; null when all was. */
  tell(): LedgerPart | null {
    const fromTick = this.#toldTick;
    if (fromTick === this.endTick && this.#toldNotes === this.#notes.length) return null;
    const spans: [SpanKind, number][] = [];
    let at = fromTick;
    for (let i = this.#firstAfter(fromTick); i < this.#ends.length && spans.length < PART_SPANS; i++) {
      spans.push([SPAN_KINDS[this.#kinds[i]!]!, this.#ends[i]! - at]);
      at = this.#ends[i]!;
    }
    let count = 0;
    while (count < PART_SPANS && (this.#notes[this.#toldNotes + count]?.tick ?? Infinity) <= at) count++;
    const notes = this.#notes.slice(this.#toldNotes, this.#toldNotes + count);
    this.#toldTick = at;
    this.#toldNotes += count;
    return { fromTick, toTick: at, spans, notes };
  }

  /** What was told up to toTick is kept elsewhere. */
  acknowledged(toTick: number): void {
    let spans = 0;
    while (spans < this.#ends.length && this.#ends[spans]! <= toTick) spans++;
    // The last one stays: it may go on.
    if (spans === this.#ends.length) spans--;
    if (spans > 0) {
      this.#kinds.splice(0, spans);
      this.#baseTick = this.#ends.splice(0, spans).at(-1)!;
    }
    let notes = 0;
    while (notes < this.#toldNotes && this.#notes[notes]!.tick <= toTick) notes++;
    this.#notes.splice(0, notes);
    this.#toldNotes -= notes;
  }

  /** What was told and not acknowledged is told again. */
  rewind(): void {
    this.#toldTick = this.#baseTick;
    this.#toldNotes = 0;
  }

  #firstAfter(tick: number): number {
    let i = this.#ends.length;
    while (i > 0 && this.#ends[i - 1]! > tick) i--;
    return i;
  }
}
