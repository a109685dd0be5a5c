/** What a channel is to do next. */
export type NextInput =
  | {
      readonly kind: 'audio';
      readonly startTick: number;
      readonly bytes: Uint8Array;
      readonly arrivalUs: number;
    }
  | { readonly kind: 'gap' | 'end'; readonly tick: number };

interface Piece {
  readonly startTick: number;
  readonly bytes: Uint8Array;
  readonly arrivalUs: number;
}

interface Mark {
  readonly kind: 'gap' | 'end';
  readonly tick: number;
}

/**
 * One channel's audio and gaps in order, until a server takes them. Ticks are contiguous: a hole between messages counts as a
 * gap, what was there before is skipped.
 */
export class RemoteInput {
  readonly #limitSamples: number;
  readonly #leastSamples: number;
  readonly #mostSamples: number;
  #queue: (Piece | Mark)[] = [];
  #queuedSamples = 0;
  #nextTick: number;
  #ended = false;

  /**
   * @param leastSamples audio is handed out in messages of at least so much, unless a gap follows
   * @param mostSamples and of at most so much @param limitSamples more than this at once in the queue is refused
   */
  constructor(fromTick: number, leastSamples: number, mostSamples: number, limitSamples: number) {
    this.#nextTick = fromTick;
    this.#leastSamples = leastSamples;
    this.#mostSamples = mostSamples;
    this.#limitSamples = limitSamples;
  }

  /** The tick that the next message is to begin at. */
  get nextTick(): number {
    return this.#nextTick;
  }

  get empty(): boolean {
    return this.#queue.length === 0;
  }

  /** @param body PCM s16le, copied @returns false when the sender went far beyond its credit */
  audio(startTick: number, arrivalUs: number, body: Uint8Array): boolean {
    if (this.#ended) return true;
    if (startTick > this.#nextTick) this.gap(startTick);
    const samples = body.length >> 1;
    const skip = Math.min(samples, this.#nextTick - startTick);
    const count = samples - skip;
    if (count === 0) return true;
    if (this.#queuedSamples + count > this.#limitSamples) return false;
    const bytes = Uint8Array.prototype.slice.call(body, skip * 2, samples * 2);
    this.#queue.push({ startTick: this.#nextTick, bytes, arrivalUs });
    this.#queuedSamples += count;
    this.#nextTick += count;
    return true;
  }

  gap(toTick: number): void {
    if (this.#ended || toTick <= this.#nextTick) return;
    this.#nextTick = toTick;
    const last = this.#queue.at(-1);
    if (last !== undefined && 'kind' in last) this.#queue.pop();
    this.#queue.push({ kind: 'gap', tick: toTick });
  }

  end(tick: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#nextTick = Math.max(this.#nextTick, tick);
    this.#queue.push({ kind: 'end', tick: this.#nextTick });
  }

  /** What is next, left in the queue; null when there is nothing, or too little audio for a message. */
  get next(): 'audio' | 'gap' | 'end' | null {
    const first = this.#queue[0];
    if (first === undefined) return null;
    if ('kind' in first) return first.kind;
    return this.#queuedSamples >= this.#leastSamples || this.#queue.some((item) => 'kind' in item)
      ? 'audio'
      : null;
  }

  /** Takes it from the queue. To be called when next is not null. */
  take(): NextInput {
    const first = this.#queue[0]!;
    if ('kind' in first) {
      this.#queue.shift();
      return first;
    }
    let samples = 0;
    let taken = 0;
    let arrivalUs = first.arrivalUs;
    for (const item of this.#queue) {
      if ('kind' in item) break;
      if (taken > 0 && samples + (item.bytes.length >> 1) > this.#mostSamples) break;
      samples += item.bytes.length >> 1;
      arrivalUs = item.arrivalUs;
      taken++;
    }
    const pieces = this.#queue.splice(0, taken) as Piece[];
    this.#queuedSamples -= samples;
    const bytes = pieces.length === 1 ? first.bytes : Buffer.concat(pieces.map((piece) => piece.bytes));
    return { kind: 'audio', startTick: first.startTick, bytes, arrivalUs };
  }
}
