/**
 * The best token of each frame.
 * @param logprobs natural-log probabilities, [frames, vocabulary] from `from` on
 * @param ids receives frames ids from `to` on @param best receives their log-probabilities
 */
export function bestTokens(
  logprobs: Float32Array,
  from: number,
  frames: number,
  vocabulary: number,
  ids: Uint16Array,
  best: Float32Array,
  to: number,
): void {
  let offset = from;
  for (let frame = 0; frame < frames; frame++, offset += vocabulary) {
    let id = 0;
    let top = logprobs[offset]!;
    for (let k = 1; k < vocabulary; k++) {
      const value = logprobs[offset + k]!;
      if (value > top) {
        top = value;
        id = k;
      }
    }
    ids[to + frame] = id;
    best[to + frame] = top;
  }
}

export type FrameKind = 'blank' | 'token' | 'repeat';

/**
 * Collapses a stream of best tokens as CTC does (Graves et al. 2006): a token counts once until a blank or another
 * token comes between.
 */
export class CtcCollapse {
  readonly #blank: number;
  #previous: number;

  constructor(blank: number) {
    this.#blank = blank;
    this.#previous = blank;
  }

  next(id: number): FrameKind {
    const previous = this.#previous;
    this.#previous = id;
    if (id === this.#blank) return 'blank';
    return id === previous ? 'repeat' : 'token';
  }

  /** As if a blank had come. */
  reset(): void {
    this.#previous = this.#blank;
  }
}
