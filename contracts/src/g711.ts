/**
 * G.711 (ITU-T G.711, 1988): one byte to and from 16-bit linear PCM. Decoding is a table look-up; encoding searches
 * the segment. In contracts because three rooms that may not import each other speak it: media, post-call
 * (recordings), and the tests.
 */
export type Law = 'PCMU' | 'PCMA';

function decodeUlawByte(byte: number): number {
  const inverted = ~byte & 0xff;
  const exponent = (inverted >> 4) & 7;
  const magnitude = ((((inverted & 0x0f) << 3) + 0x84) << exponent) - 0x84;
  return inverted & 0x80 ? -magnitude : magnitude;
}

function decodeAlawByte(byte: number): number {
  const toggled = byte ^ 0x55;
  const exponent = (toggled >> 4) & 7;
  const mantissa = (toggled & 0x0f) << 4;
  const magnitude = exponent === 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1);
  return toggled & 0x80 ? magnitude : -magnitude;
}

/** Linear values of the 256 mu-law codes. */
export const ULAW_TO_LINEAR: Int16Array = Int16Array.from({ length: 256 }, (_, byte) => decodeUlawByte(byte));
/** Linear values of the 256 A-law codes. */
export const ALAW_TO_LINEAR: Int16Array = Int16Array.from({ length: 256 }, (_, byte) => decodeAlawByte(byte));

/** @param sample -32768..32767 @returns the mu-law code, 0..255 */
export function linearToUlaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(sample < 0 ? -sample : sample, 32635) + 0x84;
  const exponent = 24 - Math.clz32(magnitude); // magnitude >= 0x84, so 0..7
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** @param sample -32768..32767 @returns the A-law code, 0..255 */
export function linearToAlaw(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  const magnitude = Math.min(sample < 0 ? -sample - 1 : sample, 32767);
  const exponent = magnitude < 256 ? 0 : 24 - Math.clz32(magnitude);
  const mantissa = (magnitude >> (exponent === 0 ? 4 : exponent + 3)) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

export const linearTableOf = (codec: Law): Int16Array => (codec === 'PCMU' ? ULAW_TO_LINEAR : ALAW_TO_LINEAR);
export const encoderOf = (codec: Law): ((sample: number) => number) =>
  codec === 'PCMU' ? linearToUlaw : linearToAlaw;
