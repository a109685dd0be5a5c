/** Work on the session of a call: one piece at a time, in the order in which it is asked for. */
export class Turns {
  readonly #last = new WeakMap<object, Promise<void>>();

  /**
   * Does the work when all that was asked for before it is done. What it needs to know of the call it reads then.
   * @param of whose session it is; the same object for all its work
   */
  take<T>(of: object, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(of) ?? Promise.resolve()).then(work);
    const done = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(of, done);
    void done.then(() => {
      if (this.#last.get(of) === done) this.#last.delete(of);
    });
    return turn;
  }

  /** Something is being done. */
  busy(of: object): boolean {
    return this.#last.has(of);
  }
}
