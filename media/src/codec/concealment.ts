import { bytesPerTick, type Encoding, fromLinear, silenceByteOf, toLinear } from '@earshot/contracts';
import type { Concealer } from '../timeline/timeline.ts';
import { ComfortNoise } from './comfort-noise.ts';
import { WaveformConcealment } from './waveform-concealment.ts';

/** What a loss is made up from: the last 50 ms. */
const HISTORY_TICKS = 400;
/** Of what is heard first after a loss, so much may be blended with what was made up: 10 ms. */
const BLENDED_TICKS = 80;
/** The longest that is made up at once (timeline.ts, MAX_FILLED_TICKS). */
const MAX_TICKS = 1600;

/**
 * Conceals losses in a channel's own encoding. While nothing is lost it only keeps the last 50 ms as they are; they are made
 * linear when a loss follows.
 */
export class Concealment implements Concealer {
  readonly #encoding: Encoding;
  readonly #bytes: 1 | 2;
  #noise: ComfortNoise | null = null;
  readonly #wave = new WaveformConcealment();
  readonly #history: Uint8Array;
  readonly #pcm = new Int16Array(MAX_TICKS);
  /** Bytes of the history that are filled, at its end. */
  #filled = 0;
  #concealing = false;
  /** What a codec made up by itself for the loss that comes next, in this channel's encoding. */
  readonly #prepared: Uint8Array;
  #preparedBytes = 0;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#bytes = bytesPerTick(encoding);
    this.#history = new Uint8Array(HISTORY_TICKS * this.#bytes);
    this.#prepared = new Uint8Array(MAX_TICKS * this.#bytes);
  }

  /** The codec's own concealment of the loss before the next packet: pcm[0..ticks). */
  prepare(pcm: Int16Array, ticks: number): void {
    const count = Math.min(ticks, MAX_TICKS);
    fromLinear(this.#encoding, pcm, count, this.#prepared);
    this.#preparedBytes = count * this.#bytes;
  }

  heard(bytes: Uint8Array, start: number, end: number): void {
    if (this.#concealing) this.#blend(bytes, start, end);
    this.#preparedBytes = 0;
    const history = this.#history;
    const count = Math.min(end - start, history.length);
    if (count < history.length) history.copyWithin(0, count);
    for (let to = history.length - count, from = end - count; from < end; to++, from++)
      history[to] = bytes[from]!;
    this.#filled = Math.min(history.length, this.#filled + count);
  }

  conceal(out: Uint8Array, ticks: number): void {
    const count = Math.min(ticks, MAX_TICKS);
    if (this.#preparedBytes >= count * this.#bytes) {
      out.set(this.#prepared.subarray(0, count * this.#bytes));
      return;
    }
    if (!this.#concealing) {
      const known = this.#filled / this.#bytes;
      toLinear(this.#encoding, this.#history, HISTORY_TICKS - known, HISTORY_TICKS, this.#pcm);
      this.#wave.reset();
      this.#wave.heard(this.#pcm, known);
      this.#concealing = true;
    }
    this.#wave.conceal(this.#pcm, count);
    fromLinear(this.#encoding, this.#pcm, count, out);
  }

  /** A comfort noise payload bytes[start..end) (RFC 3389) says how the silence sounds. @returns false when it is none */
  comfort(bytes: Uint8Array, start: number, end: number): boolean {
    this.#noise ??= new ComfortNoise();
    return this.#noise.parse(bytes, start, end);
  }

  quiet(out: Uint8Array, ticks: number): void {
    if (this.#noise === null) {
      out.fill(silenceByteOf(this.#encoding), 0, ticks * this.#bytes);
      return;
    }
    const count = Math.min(ticks, MAX_TICKS);
    this.#noise.generate(this.#pcm, count);
    fromLinear(this.#encoding, this.#pcm, count, out);
  }

  #blend(bytes: Uint8Array, start: number, end: number): void {
    this.#concealing = false;
    const from = start / this.#bytes;
    const ticks = Math.min((end - start) / this.#bytes, BLENDED_TICKS);
    const aligned = Number.isInteger(from) ? bytes : bytes.subarray(start, end);
    const first = Number.isInteger(from) ? from : 0;
    toLinear(this.#encoding, aligned, first, first + ticks, this.#pcm);
    const changed = this.#wave.heard(this.#pcm, ticks);
    fromLinear(this.#encoding, this.#pcm, changed, bytes, start);
  }
}
