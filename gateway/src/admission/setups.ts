/** A healthy worker opens a leg within a few ms; one that is replaced is away for some 300. */
const LATE_MS = 500;
/** So many that wait are no accident. */
const PILE = 20;

/** Calls that wait for a media worker. Time is in ms, monotonic. */
export class Setups {
  /** When each began, the oldest first. */
  readonly #began = new Map<unknown, number>();

  began(call: unknown, nowMs: number): void {
    this.#began.set(call, nowMs);
  }

  done(call: unknown): void {
    this.#began.delete(call);
  }

  /** One more would wait in vain: better refused at once than after two seconds. */
  piledUp(nowMs: number): boolean {
    const [oldestMs] = this.#began.values();
    return this.#began.size >= PILE && oldestMs !== undefined && nowMs - oldestMs > LATE_MS;
  }
}
