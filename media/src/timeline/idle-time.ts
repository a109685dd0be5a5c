import type { SpanKind } from '@earshot/contracts';

/** A packet without audio says what time passes as for so long after it, in ticks: 0.5 s, after which the clock asks (timeline.ts). */
const SAYS_FOR_TICKS = 4000;
/** Two of them that lie less apart than this have nothing else between them, in ticks: 5 s, by which the clock has stamped it. */
const APART_TICKS = 40_000;

/** Packets that brought no audio, without audio between them. */
class Stretch {
  #fromTick = 0;
  #toTick = -Infinity;

  /** @param fromTick where it begins, if this is the first of them */
  packet(tick: number, fromTick: number): void {
    if (tick - this.#toTick > APART_TICKS - SAYS_FOR_TICKS) this.#fromTick = fromTick;
    this.#toTick = Math.max(this.#toTick, tick + SAYS_FOR_TICKS);
  }

  /** Audio follows at this tick. */
  audioFrom(tick: number): void {
    if (tick - this.#toTick <= APART_TICKS - SAYS_FOR_TICKS) this.#toTick = Math.max(this.#toTick, tick);
  }

  has(tick: number): boolean {
    return tick >= this.#fromTick && tick < this.#toTick;
  }

  /** The first of its ends after tick; Infinity where there is none. */
  endAfter(tick: number): number {
    if (this.#fromTick > tick && this.#toTick > tick) return this.#fromTick;
    return this.#toTick > tick ? this.#toTick : Infinity;
  }

  clear(): void {
    this.#toTick = -Infinity;
  }
}

/**
 * What time without audio passes as, tick by tick, of what is not stamped yet. The signalling says `held`, an operator `paused`; where it
 * is neither, packets say `dtx` (comfort noise, keys) or `lost` (they cannot be used); where there are none, it is `absent`.
 */
export class IdleTime {
  /** Of the signalling, oldest first, and the tick from which on each holds. */
  readonly #kinds: SpanKind[] = ['absent'];
  readonly #fromTicks: number[] = [0];
  readonly #unusable = new Stretch();
  readonly #quiet = new Stretch();

  /** What the signalling says by now. */
  get kind(): SpanKind {
    return this.#kinds.at(-1)!;
  }

  /** The signalling changes what it says, after what is stamped. */
  get changes(): boolean {
    return this.#kinds.length > 1;
  }

  /** The signalling says this from fromTick on. */
  passesAs(kind: SpanKind, fromTick: number): void {
    if (kind === this.kind) return;
    while (this.#kinds.length > 0 && this.#fromTicks.at(-1)! >= fromTick) {
      this.#kinds.pop();
      this.#fromTicks.pop();
    }
    if (this.#kinds.at(-1) === kind) return;
    this.#kinds.push(kind);
    this.#fromTicks.push(fromTick);
  }

  /** A packet came that has no audio and means silence. @param fromTick since when, if it is the first after audio */
  quiet(tick: number, fromTick: number): void {
    this.#quiet.packet(tick, fromTick);
  }

  /** A packet came that cannot be used. @param fromTick since when, if it is the first after audio */
  unusable(tick: number, fromTick: number): void {
    this.#unusable.packet(tick, fromTick);
  }

  /**
   * Audio begins at this tick. What was sent when a hold or a pause ended was on its way for a while, and follows it. Who sent comfort noise
   * was silent until then, unless packets were lost.
   */
  audioFrom(tick: number, lost: boolean): void {
    if (!lost) this.#quiet.audioFrom(tick);
    const last = this.#kinds.length - 1;
    const soon = tick - this.#fromTicks[last]! < SAYS_FOR_TICKS;
    if (last > 0 && this.kind === 'absent' && soon) this.#fromTicks[last] = tick;
  }

  /** There was audio up to this tick: a hold or a pause that had ended has ended by then. */
  audioTo(tick: number): void {
    this.#unusable.clear();
    this.#quiet.clear();
    this.stamped(this.kind === 'absent' ? Infinity : tick);
  }

  /** Nobody will ask of what is before this tick. */
  stamped(tick: number): void {
    while (this.#fromTicks.length > 1 && this.#fromTicks[1]! <= tick) {
      this.#kinds.shift();
      this.#fromTicks.shift();
    }
  }

  kindAt(tick: number): SpanKind {
    let i = this.#kinds.length - 1;
    while (i > 0 && this.#fromTicks[i]! > tick) i--;
    const kind = this.#kinds[i]!;
    if (kind !== 'absent') return kind;
    if (this.#unusable.has(tick)) return 'lost';
    return this.#quiet.has(tick) ? 'dtx' : 'absent';
  }

  /** The first tick after this one at which it may be of another kind; Infinity where it stays. */
  changeAfter(tick: number): number {
    const signalled = this.#fromTicks.find((fromTick) => fromTick > tick) ?? Infinity;
    return Math.min(signalled, this.#unusable.endAfter(tick), this.#quiet.endAfter(tick));
  }
}
