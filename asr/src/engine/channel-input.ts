/** What a channel's queue wants next. */
export type NextInput =
  /** Nothing to do until more comes. */
  | { readonly kind: 'idle' }
  /** A chunk can be filled and stepped. */
  | { readonly kind: 'chunk' }
  /** Everything before a gap went through; time goes on at tick. */
  | { readonly kind: 'gap' | 'end'; readonly tick: number };

interface Mark {
  /** Count of samples queued before it. */
  readonly at: number;
  readonly kind: 'gap' | 'end';
  readonly tick: number;
}

interface Arrival {
  readonly from: number;
  readonly to: number;
  readonly us: number;
}

const IDLE: NextInput = { kind: 'idle' };
const CHUNK: NextInput = { kind: 'chunk' };
const FIRST_CAPACITY = 8192;
/**
 * Up to this (-42 dBFS) a sample counts as silence when a gap is to be flushed: the hangover that a media worker sends
 * after speech then needs no zeros in its place, which saves a step or two of each stretch of speech.
 */
const QUIET_PEAK = 256;

export interface ChannelInputOptions {
  readonly fromTick: number;
  readonly chunkSamples: number;
  /** Silence, of the audio itself or zeros, that is to be fed after the last sound before a gap counts as flushed. */
  readonly flushSamples: number;
  /** Zeros to feed before the first audio. */
  readonly alignmentSamples: number;
  /** More samples than this at once in the queue are refused. */
  readonly limitSamples: number;
}

/**
 * One channel's audio and gaps, from messages cut anywhere to chunks. Ticks are contiguous: a hole between messages counts
 * as a gap, and what was there before is skipped. No work is made of gaps alone.
 */
export class ChannelInput {
  readonly #options: ChannelInputOptions;
  #ring = new Int16Array(FIRST_CAPACITY);
  #read = 0;
  #written = 0;
  #marks: Mark[] = [];
  #arrivals: Arrival[] = [];
  #nextTick: number;
  /** Silence fed since the last sound; null when nothing was fed since the last gap. */
  #silence: number | null = null;
  #leading: number;
  #arrivalUs = 0;
  #ended = false;

  constructor(options: ChannelInputOptions) {
    this.#options = options;
    this.#nextTick = options.fromTick;
    this.#written = options.alignmentSamples;
    this.#leading = options.alignmentSamples;
  }

  /** Arrival of the last audio that a chunk was filled from, monotonic microseconds. */
  /** Arrival of the oldest audio that waits (monotonic microseconds); null when none does. */
  get oldestArrivalUs(): number | null {
    return this.#arrivals[0]?.us ?? null;
  }

  get arrivalUs(): number {
    return this.#arrivalUs;
  }

  /** The tick that the next message is to begin at. */
  get nextTick(): number {
    return this.#nextTick;
  }

  /** @param body PCM s16le @returns false when the sender went far beyond its credit */
  audio(startTick: number, arrivalUs: number, body: Uint8Array): boolean {
    if (this.#ended) return true;
    if (startTick > this.#nextTick) this.gap(startTick);
    const samples = body.length >> 1;
    const skip = Math.min(samples, this.#nextTick - startTick);
    const count = samples - skip;
    if (count === 0) return true;
    if (this.#written - this.#read + count > this.#options.limitSamples) return false;
    this.#reserve(count);
    const mask = this.#ring.length - 1;
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    for (let i = 0; i < count; i++)
      this.#ring[(this.#written + i) & mask] = view.getInt16((skip + i) * 2, true);
    this.#arrivals.push({ from: this.#written, to: this.#written + count, us: arrivalUs });
    this.#written += count;
    this.#nextTick += count;
    return true;
  }

  gap(toTick: number): void {
    if (this.#ended || toTick <= this.#nextTick) return;
    this.#nextTick = toTick;
    const last = this.#marks.at(-1);
    if (last?.at === this.#written) this.#marks.pop();
    this.#marks.push({ at: this.#written, kind: 'gap', tick: toTick });
  }

  end(tick: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#nextTick = Math.max(this.#nextTick, tick);
    this.#marks.push({ at: this.#written, kind: 'end', tick: this.#nextTick });
  }

  /** What is next. A gap or end that is handed out is taken from the queue. */
  next(): NextInput {
    const { chunkSamples, flushSamples } = this.#options;
    const mark = this.#marks[0];
    const available = (mark?.at ?? this.#written) - this.#read;
    if (available >= chunkSamples) return CHUNK;
    if (mark === undefined) return IDLE;
    // Alignment zeros without audio are not worth a step.
    const due =
      this.#silence === null ? available > this.#leading : available > 0 || this.#silence < flushSamples;
    if (due) return CHUNK;
    this.#read = mark.at;
    this.#marks.shift();
    this.#silence = null;
    this.#leading = 0;
    return mark;
  }

  /**
   * Fills one chunk, zeros after the last audio before a gap. To be called when next() says `chunk`.
   * @returns samples of real audio in it
   */
  fill(pcm: Int16Array, offset: number): number {
    const { chunkSamples } = this.#options;
    const available = (this.#marks[0]?.at ?? this.#written) - this.#read;
    const real = Math.min(available, chunkSamples);
    const mask = this.#ring.length - 1;
    let silence = this.#silence ?? 0;
    for (let i = 0; i < real; i++) {
      const sample = this.#ring[(this.#read + i) & mask]!;
      pcm[offset + i] = sample;
      if (sample > QUIET_PEAK || sample < -QUIET_PEAK) silence = 0;
      else silence++;
    }
    pcm.fill(0, offset + real, offset + chunkSamples);
    this.#silence = silence + chunkSamples - real;
    this.#read += real;
    this.#leading = 0;
    while (this.#arrivals.length > 0 && this.#arrivals[0]!.from < this.#read) {
      const arrival = this.#arrivals[0]!;
      this.#arrivalUs = arrival.us;
      if (arrival.to > this.#read) break;
      this.#arrivals.shift();
    }
    return real;
  }

  #reserve(count: number): void {
    const needed = this.#written - this.#read + count;
    if (needed <= this.#ring.length) return;
    let capacity = this.#ring.length;
    while (capacity < needed) capacity *= 2;
    const grown = new Int16Array(capacity);
    for (let i = this.#read; i < this.#written; i++) {
      grown[i & (capacity - 1)] = this.#ring[i & (this.#ring.length - 1)]!;
    }
    this.#ring = grown;
  }
}
