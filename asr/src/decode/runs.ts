/** A stretch of a stream of samples without a jump in ticks: real audio, then padding. */
export interface Run {
  /** Where it begins in the stream, samples. */
  readonly stream: number;
  /** Where it begins in the channel's time. */
  readonly tick: number;
  /** Samples of real audio in it (and of the silence put before them): what comes after is padding. */
  real: number;
}

/** The tick at which what begins at this position of the stream begins; in padding, where the audio before it ended. */
export const startTickIn = (runs: readonly Run[], stream: number): number =>
  tickIn(runs, stream, (run) => run.stream <= stream);

/** The tick at which what ends at this position of the stream ends. */
export const endTickIn = (runs: readonly Run[], stream: number): number =>
  tickIn(runs, stream, (run) => run.stream < stream);

function tickIn(runs: readonly Run[], stream: number, holds: (run: Run) => boolean): number {
  const run = runs.findLast(holds) ?? runs[0];
  if (run === undefined) return 0;
  return run.tick + Math.max(0, Math.min(stream - run.stream, run.real));
}
