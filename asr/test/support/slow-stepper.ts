import type { Stepper } from '../../src/engine/shared-step.ts';
import { shareBuffers } from '../../src/engine/shared-step.ts';
import type { ModelDescription, StepBuffers } from '../../src/models/model.ts';

/**
 * A model that hears nothing and takes its time: virtual time, which the test moves on. For what is about turns and not about
 * words.
 */
export class SlowStepper implements Stepper {
  readonly buffers: StepBuffers;
  readonly spare: StepBuffers | null = null;
  readonly secondsBySize: ReadonlyMap<number, number>;
  nowMs = 0;
  /** Rows of the batch that runs, and when it will be done; null: idle. */
  running: { readonly rows: number; readonly size: number; readonly endMs: number } | null = null;
  #finish: ((seconds: number) => void) | null = null;

  constructor(model: ModelDescription, sizes: readonly number[], secondsOf: (size: number) => number) {
    this.buffers = shareBuffers(model, Math.max(...sizes));
    this.buffers.ids.fill(model.blank);
    this.secondsBySize = new Map(sizes.map((size) => [size, secondsOf(size)]));
  }

  step(rows: number, size: number): Promise<number> {
    const endMs = this.nowMs + 1000 * this.secondsBySize.get(size)!;
    this.running = { rows, size, endMs };
    return new Promise((resolve) => (this.#finish = resolve));
  }

  /** Moves time on; the batch that is done by then hands its results out, and the next one begins. */
  async goTo(ms: number): Promise<void> {
    await settled();
    while (this.running !== null && this.running.endMs <= ms) {
      this.nowMs = this.running.endMs;
      const { size } = this.running;
      this.running = null;
      this.#finish!(this.secondsBySize.get(size)!);
      await settled();
    }
    this.nowMs = ms;
    await settled();
  }
}

/** Whatever the engine had in mind to do at once is done after it. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
