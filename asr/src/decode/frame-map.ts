import { endTickIn, type Run, startTickIn } from './runs.ts';

/**
 * Frames count audio that went through the model; ticks count the channel's time, which goes on in gaps. This maps the
 * one to the other. A position in padding maps to the end of the real audio before it.
 */
export class FrameMap {
  readonly #runs: Run[] = [];
  #fed = 0;

  /** Stream samples fed so far. */
  get fed(): number {
    return this.#fed;
  }

  /** The tick after the last real audio. */
  get endTick(): number {
    const last = this.#runs.at(-1);
    return last === undefined ? 0 : last.tick + last.real;
  }

  /** The tick at which the newest run begins: after the last gap. */
  get runTick(): number {
    return this.#runs.at(-1)?.tick ?? 0;
  }

  /** The next audio fed begins at tick. */
  jump(tick: number): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && last.stream === this.#fed) this.#runs.pop();
    this.#runs.push({ stream: this.#fed, tick, real: 0 });
    // A frame lags its audio by less than a run: two runs back is never asked for.
    if (this.#runs.length > 3) this.#runs.shift();
  }

  /** @param samples fed to the model @param real how many of them, at the start, are real audio */
  feed(samples: number, real: number): void {
    const run = this.#runs.at(-1);
    if (run !== undefined) run.real += real;
    this.#fed += samples;
  }

  /** The tick at which audio that begins at this stream sample begins. */
  startTick(stream: number): number {
    return startTickIn(this.#runs, stream);
  }

  /** The tick at which audio that ends before this stream sample ends. */
  endTickOf(stream: number): number {
    return endTickIn(this.#runs, stream);
  }

  /** The frame boundary of the newest run at or before tick. */
  onGrid(tick: number, frameSamples: number): number {
    const run = this.#runs.at(-1);
    if (run === undefined || tick < run.tick) return tick;
    return tick - ((tick - run.tick) % frameSamples);
  }
}
