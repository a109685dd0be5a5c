/**
 * G.711 in both laws, as small tables made from the definition in ITU-T G.711 (2-level companding:
 * sign, 3-bit segment, 4-bit step). 16-bit linear values; one byte a sample at 8000 Hz.
 */

export type G711Codec = 'pcmu' | 'pcma';

const MULAW_BIAS = 132;
const MULAW_CLIP = 32_635;

/** A mu-law byte as a 16-bit sample, -32124 to 32124. */
function mulawSample(byte: number): number {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + MULAW_BIAS) << ((bits >> 4) & 7)) - MULAW_BIAS;
  return bits & 0x80 ? -magnitude : magnitude;
}

/** An A-law byte as a 16-bit sample, -32256 to 32256; there is no zero, the smallest are -8 and 8. */
function alawSample(byte: number): number {
  const bits = byte ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 256) << (segment - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

function mulawByte(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const biased = Math.min(Math.abs(sample), MULAW_CLIP) + MULAW_BIAS;
  const segment = 24 - Math.clz32(biased);
  return ~(sign | (segment << 4) | ((biased >> (segment + 3)) & 0x0f)) & 0xff;
}

function alawByte(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  // One's complement below zero, so that -1 and 0 fall into the steps on either side of the middle.
  const magnitude = Math.min(sample < 0 ? ~sample : sample, 32_767) >> 4;
  const segment = magnitude < 16 ? 0 : 28 - Math.clz32(magnitude);
  const step = segment === 0 ? magnitude : (magnitude >> (segment - 1)) & 0x0f;
  return (sign | (segment << 4) | step) ^ 0x55;
}

const mulawToLinear = Int16Array.from({ length: 256 }, (_, byte) => mulawSample(byte));
const alawToLinear = Int16Array.from({ length: 256 }, (_, byte) => alawSample(byte));
const mulawToAlaw = Uint8Array.from(mulawToLinear, alawByte);

/** The byte that stands for digital silence in each law. */
export const silenceByte: Record<G711Codec, number> = { pcmu: 0xff, pcma: 0xd5 };

/** RFC 3551 section 6: the static payload types. */
export const payloadType: Record<G711Codec, number> = { pcmu: 0, pcma: 8 };

/** 16-bit samples as mu-law bytes, one for one. */
export function encodeMulaw(pcm: Int16Array): Uint8Array {
  return Uint8Array.from(pcm, mulawByte);
}

/** Mu-law bytes as 16-bit samples, one for one. */
export function decodeMulaw(bytes: Uint8Array): Int16Array {
  return Int16Array.from(bytes, (byte) => mulawToLinear[byte] ?? 0);
}

/** 16-bit samples as A-law bytes, one for one. */
export function encodeAlaw(pcm: Int16Array): Uint8Array {
  return Uint8Array.from(pcm, alawByte);
}

/** A-law bytes as 16-bit samples, one for one. */
export function decodeAlaw(bytes: Uint8Array): Int16Array {
  return Int16Array.from(bytes, (byte) => alawToLinear[byte] ?? 0);
}

/** Hundreds of calls play the same few recordings: one A-law copy of each is enough. */
const alawCopies = new WeakMap<Uint8Array, Uint8Array>();

/** Mu-law bytes in the given law: the voices are kept as mu-law and a call may be in either. */
export function fromMulaw(bytes: Uint8Array, codec: G711Codec): Uint8Array {
  if (codec === 'pcmu') return bytes;
  const copy = alawCopies.get(bytes) ?? bytes.map((byte) => mulawToAlaw[byte] ?? 0xd5);
  alawCopies.set(bytes, copy);
  return copy;
}

/** Two mu-law recordings added, saturating: what a bridge sends where it records both parties as one. */
export function mixMulaw(first: Uint8Array, second: Uint8Array): Uint8Array {
  const mixed = new Int16Array(Math.max(first.length, second.length));
  for (let i = 0; i < mixed.length; i += 1) {
    const sum = (mulawToLinear[first[i] ?? 0xff] ?? 0) + (mulawToLinear[second[i] ?? 0xff] ?? 0);
    mixed[i] = Math.max(-32_768, Math.min(32_767, sum));
  }
  return encodeMulaw(mixed);
}
