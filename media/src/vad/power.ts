import { type Encoding, type Law, linearTableOf } from '@earshot/contracts';

const squaresOf = (codec: Law): Float64Array =>
  Float64Array.from(linearTableOf(codec), (sample) => sample * sample);
const SQUARES: Record<Law, Float64Array> = { PCMU: squaresOf('PCMU'), PCMA: squaresOf('PCMA') };

/** Mean square of the samples in bytes[start..end). */
export type PowerOf = (bytes: Uint8Array, start: number, end: number) => number;

const lawPower =
  (squares: Float64Array): PowerOf =>
  (bytes, start, end) => {
    let sum = 0;
    for (let i = start; i < end; i++) sum += squares[bytes[i]!]!;
    return sum / Math.max(1, end - start);
  };

/** The 16-bit little-endian sample at a byte. */
export const sampleAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16;

const linearPower: PowerOf = (bytes, start, end) => {
  let sum = 0;
  for (let i = start; i + 1 < end; i += 2) {
    const sample = sampleAt(bytes, i);
    sum += sample * sample;
  }
  return sum / Math.max(1, (end - start) / 2);
};

const POWER: Record<Encoding, PowerOf> = {
  PCMU: lawPower(SQUARES.PCMU),
  PCMA: lawPower(SQUARES.PCMA),
  L16: linearPower,
};

export const powerOf = (encoding: Encoding): PowerOf => POWER[encoding];
