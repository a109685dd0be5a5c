import { Resampler } from '../dsp/resample.ts';
import { type Decoder, MALFORMED, TOO_LONG } from './spec.ts';

/** Clock rates that are understood (RFC 3551, section 4.5.11 allows any; these are in use). */
export const L16_RATES: readonly number[] = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000];
/** Values (of all channels) that are brought over at a time. */
const CHUNK = 512;

/**
 * L16 (RFC 3551, section 4.5.11; RFC 2586): 16-bit samples in network byte order, one or two channels interleaved. Stereo is
 * mixed down by halves. A clock of 8 kHz stays at 8 kHz. Where the rates have no common packet length the number of samples varies by one from packet to packet;
 * over the stream it is exact. The filter delays by Resampler.delaySamples (about 2 ms).
 */
export class L16Decoder implements Decoder {
  readonly rate: 8000 | 16000;
  readonly clockRate: number;
  readonly #channels: number;
  readonly #resampler: Resampler | null;
  readonly #mono = new Int16Array(CHUNK);
  readonly #resampled: Int16Array;

  constructor(clockRate: number, channels: number, rate: 8000 | 16000) {
    this.clockRate = clockRate;
    this.rate = clockRate === 8000 ? 8000 : rate;
    this.#channels = channels;
    this.#resampler = clockRate === this.rate ? null : new Resampler(clockRate, this.rate);
    this.#resampled = new Int16Array(Math.ceil((CHUNK * this.rate) / clockRate) + 1);
  }

  decode(bytes: Uint8Array, start: number, end: number, out: Int16Array): number {
    const frameBytes = 2 * this.#channels;
    const size = Math.max(0, end - start);
    if (size % frameBytes !== 0) return MALFORMED;
    const frames = size / frameBytes;
    const resampler = this.#resampler;
    if ((resampler === null ? frames : resampler.outputFor(frames)) > out.length) return TOO_LONG;
    let written = 0;
    for (let done = 0; done < frames; done += CHUNK) {
      const count = Math.min(CHUNK, frames - done);
      this.#read(bytes, start + done * frameBytes, count);
      const source = resampler === null ? this.#mono : this.#resampled;
      const made = resampler === null ? count : resampler.process(this.#mono, count, this.#resampled);
      for (let i = 0; i < made; i++) out[written + i] = source[i]!;
      written += made;
    }
    return written;
  }

  reset(): void {
    this.#resampler?.reset();
  }

  conceal(): boolean {
    return false;
  }

  close(): void {
    // No native memory.
  }

  #read(bytes: Uint8Array, start: number, count: number): void {
    const mono = this.#mono;
    if (this.#channels === 1) {
      for (let i = 0; i < count; i++) mono[i] = (bytes[start + 2 * i]! << 8) | bytes[start + 2 * i + 1]!;
      return;
    }
    for (let i = 0; i < count; i++) {
      const at = start + 4 * i;
      const left = ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
      const right = ((bytes[at + 2]! << 24) >> 16) | bytes[at + 3]!;
      mono[i] = (left + right) >> 1;
    }
  }
}
