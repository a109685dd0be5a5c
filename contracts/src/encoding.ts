/**
 * How a channel's audio is kept after it was decoded: G.711 as it came, 8 bits; everything else as 16-bit linear PCM at 8 kHz,
 * little-endian. One sample a tick in all of them.
 */
import { encoderOf, linearTableOf } from './g711.ts';

export type Encoding = 'PCMU' | 'PCMA' | 'L16';

/** By their number in a spool block. */
export const ENCODINGS: readonly Encoding[] = ['PCMU', 'PCMA', 'L16'];

export const bytesPerTick = (encoding: Encoding): 1 | 2 => (encoding === 'L16' ? 2 : 1);

/** The byte that digital silence is made of. */
export const silenceByteOf = (encoding: Encoding): number =>
  encoding === 'PCMU' ? 0xff : encoding === 'PCMA' ? 0xd5 : 0;

/**
 * Writes the samples of payload's ticks from … to into out, at at, at + stride, …
 * @param from ticks from the payload's start
 */
export function toLinear(
  encoding: Encoding,
  payload: Uint8Array,
  from: number,
  to: number,
  out: Int16Array,
  at = 0,
  stride = 1,
): void {
  let place = at;
  if (encoding === 'L16') {
    for (let i = 2 * from; i < 2 * to; i += 2, place += stride) {
      out[place] = payload[i]! | (payload[i + 1]! << 8);
    }
    return;
  }
  const table = linearTableOf(encoding);
  for (let i = from; i < to; i++, place += stride) out[place] = table[payload[i]!]!;
}

/** Writes pcm[0 … ticks) as encoding to out, from the byte outStart on. */
export function fromLinear(
  encoding: Encoding,
  pcm: Int16Array,
  ticks: number,
  out: Uint8Array,
  outStart = 0,
): void {
  if (encoding === 'L16') {
    for (let i = 0, byte = outStart; i < ticks; i++) {
      const sample = pcm[i]!;
      out[byte++] = sample & 0xff;
      out[byte++] = (sample >> 8) & 0xff;
    }
    return;
  }
  const encode = encoderOf(encoding);
  for (let i = 0; i < ticks; i++) out[outStart + i] = encode(pcm[i]!);
}
