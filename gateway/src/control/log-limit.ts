const EVERY_MS = 1_000;

/** One line a second of a kind: 100 refused calls a second are told by their metric. Time is in ms, monotonic. */
export class LogLimit {
  readonly #kinds = new Map<string, { lastMs: number; heldBack: number }>();

  /** @param kind of few. @returns how many were held back since the last line; null: hold this one back */
  take(kind: string, nowMs: number): number | null {
    const state = this.#kinds.get(kind);
    if (state === undefined) {
      this.#kinds.set(kind, { lastMs: nowMs, heldBack: 0 });
      return 0;
    }
    if (nowMs - state.lastMs < EVERY_MS) {
      state.heldBack++;
      return null;
    }
    const { heldBack } = state;
    this.#kinds.set(kind, { lastMs: nowMs, heldBack: 0 });
    return heldBack;
  }
}
