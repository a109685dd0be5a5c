/** How long each of several steps took, one after the other. */
export class Stages {
  /** By name, milliseconds. */
  readonly stagesMs: Record<string, number> = {};
  #sinceMs = performance.now();

  ended(name: string): void {
    const now = performance.now();
    this.stagesMs[name] = Math.round((now - this.#sinceMs) * 10) / 10;
    this.#sinceMs = now;
  }
}
