import { endTickIn, type Run, startTickIn } from '../decode/runs.ts';

/** More than that many gaps within what a server still works on cannot be: it would be minutes. */
const MOST_RUNS = 256;

/**
 * A server counts what it was sent; ticks are the channel's time, which goes on in gaps while the server gets a little silence
 * instead. Unlike a local model's (decode/frame-map.ts) its words may come many gaps late. Positions are samples of the
 * server's stream, so one is a tick.
 */
export class StreamMap {
  readonly #runs: Run[] = [];
  #fed = 0;

  /** Samples sent so far. */
  get fed(): number {
    return this.#fed;
  }

  /** Where the newest real audio ends in the stream. */
  get realEnd(): number {
    const last = this.#runs.at(-1);
    return last === undefined ? 0 : last.stream + last.real;
  }

  /** The tick after the newest real audio. */
  get endTick(): number {
    const last = this.#runs.at(-1);
    return last === undefined ? 0 : last.tick + last.real;
  }

  /** Audio that begins at tick is sent next. */
  audio(tick: number, samples: number): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && last.stream + last.real === this.#fed && last.tick + last.real === tick) {
      last.real += samples;
    } else {
      this.#runs.push({ stream: this.#fed, tick, real: samples });
      if (this.#runs.length > MOST_RUNS) this.#runs.shift();
    }
    this.#fed += samples;
  }

  padding(samples: number): void {
    this.#fed += samples;
  }

  /**
   * A word's ticks. One that a server lets begin in the padding and end in the audio after it begins with that audio; one that it
   * lets end in the padding ends with the audio before.
   */
  span(startSample: number, endSample: number): { readonly startTick: number; readonly endTick: number } {
    const endTick = this.endTickOf(endSample);
    const endRun = this.#runs.findLastIndex((run) => run.stream < endSample);
    const run = this.#runs[endRun];
    const before = this.#runs[endRun - 1];
    const inPadding =
      run !== undefined &&
      before !== undefined &&
      startSample < run.stream &&
      startSample >= before.stream + before.real;
    const startTick = inPadding ? run.tick : this.startTick(startSample);
    return { startTick: Math.min(startTick, endTick), endTick };
  }

  /** The tick at which what begins at this position begins; in padding, where the audio before it ended. */
  startTick(stream: number): number {
    return startTickIn(this.#runs, stream);
  }

  /** The tick at which what ends at this position ends. */
  endTickOf(stream: number): number {
    return endTickIn(this.#runs, stream);
  }
}
