import { PcmRing } from './pcm-ring.ts';

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
  readonly #ring: PcmRing;
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
    this.#ring = new PcmRing(options.alignmentSamples);
    this.#leading = options.alignmentSamples;
  }

  /** Arrival of the oldest audio that waits (monotonic microseconds); null when none does. */
  get oldestArrivalUs(): number | null {
    return this.#arrivals[0]?.us ?? null;
  }

  /** Arrival of the last audio that a chunk was filled from, monotonic microseconds. */
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
    const { read, written } = this.#ring;
    if (written - read + count > this.#options.limitSamples) return false;
    this.#ring.write(body.subarray(2 * skip, 2 * samples));
    this.#arrivals.push({ from: written, to: written + count, us: arrivalUs });
    this.#nextTick += count;
    return true;
  }

  gap(toTick: number): void {
    if (this.#ended || toTick <= this.#nextTick) return;
    this.#nextTick = toTick;
    const last = this.#marks.at(-1);
    if (last?.at === this.#ring.written) this.#marks.pop();
    this.#marks.push({ at: this.#ring.written, kind: 'gap', tick: toTick });
  }

  end(tick: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#nextTick = Math.max(this.#nextTick, tick);
    this.#marks.push({ at: this.#ring.written, kind: 'end', tick: this.#nextTick });
  }

  /** What is next. A gap or end that is handed out is taken from the queue. */
  next(): NextInput {
    const { chunkSamples, flushSamples } = this.#options;
    const mark = this.#marks[0];
    const available = (mark?.at ?? this.#ring.written) - this.#ring.read;
    if (available >= chunkSamples) return CHUNK;
    if (mark === undefined) return IDLE;
    // Alignment zeros without audio are not worth a step.
    const due =
      this.#silence === null ? available > this.#leading : available > 0 || this.#silence < flushSamples;
    if (due) return CHUNK;
    this.#ring.skipTo(mark.at);
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
    const available = (this.#marks[0]?.at ?? this.#ring.written) - this.#ring.read;
    const real = Math.min(available, chunkSamples);
    this.#ring.take(pcm, offset, real);
    pcm.fill(0, offset + real, offset + chunkSamples);
    let quiet = 0;
    while (quiet < real && isQuiet(pcm[offset + real - 1 - quiet]!)) quiet++;
    if (quiet === real) quiet += this.#silence ?? 0;
    this.#silence = quiet + chunkSamples - real;
    const { read } = this.#ring;
    this.#leading = 0;
    while (this.#arrivals.length > 0 && this.#arrivals[0]!.from < read) {
      const arrival = this.#arrivals[0]!;
      this.#arrivalUs = arrival.us;
      if (arrival.to > read) break;
      this.#arrivals.shift();
    }
    return real;
  }
}

const isQuiet = (sample: number): boolean => sample <= QUIET_PEAK && sample >= -QUIET_PEAK;
