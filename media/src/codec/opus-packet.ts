/**
 * What an Opus packet says of itself before it is decoded (RFC 6716, section 3), with the seven requirements of its
 * section 3.4. Nothing else reaches the native decoder, whose refusals are exceptions.
 */

/** Samples at 48 kHz of the longest packet, 120 ms. */
const MAX_SAMPLES = 5760;
/** Bytes of the longest frame. */
const MAX_FRAME_BYTES = 1275;

/** Samples at 48 kHz of one frame by the upper five bits of the first byte. */
const FRAME_SAMPLES = Int16Array.from({ length: 32 }, (_, config) => {
  if (config < 12) return [480, 960, 1920, 2880][config & 3]!; // SILK: 10, 20, 40, 60 ms
  if (config < 16) return [480, 960][config & 1]!; // hybrid: 10, 20 ms
  return [120, 240, 480, 960][config & 3]!; // CELT: 2.5, 5, 10, 20 ms
});

/** Where a length of one or two bytes ends, and the length itself: see readLength. */
let length = 0;

/** Reads a frame's length into `length`. @returns the index after it, or -1 */
function readLength(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = bytes[at]!;
  if (first < 252) {
    length = first;
    return at + 1;
  }
  if (at + 1 >= end) return -1;
  length = first + 4 * bytes[at + 1]!;
  return at + 2;
}

/** @returns whether size bytes are count equal frames */
const equalFrames = (size: number, count: number): boolean =>
  size >= 0 && size % count === 0 && size / count <= MAX_FRAME_BYTES;

/** @returns where the padding's length ends less the padding: the end of the frames; or -1. `length` is where they begin. */
function withoutPadding(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let framesEnd = end;
  for (;;) {
    if (at >= framesEnd) return -1;
    const step = bytes[at++]!;
    framesEnd -= step === 255 ? 254 : step;
    if (step !== 255) break;
  }
  length = at;
  return framesEnd >= at ? framesEnd : -1;
}

/** @returns whether count frames, all but the last with their length in front, fill bytes[at..end) */
function unequalFrames(bytes: Uint8Array, start: number, end: number, count: number): boolean {
  let at = start;
  let sum = 0;
  for (let n = 1; n < count; n++) {
    at = readLength(bytes, at, end);
    if (at < 0) return false;
    sum += length;
  }
  const last = end - at - sum;
  return last >= 0 && last <= MAX_FRAME_BYTES;
}

/** @returns samples at 48 kHz of the packet bytes[start..end), 120 to 5760, or -1 when it is not an Opus packet */
export function opusPacketSamples(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start) return -1;
  const toc = bytes[start]!;
  const frameSamples = FRAME_SAMPLES[toc >> 3]!;
  const body = start + 1;
  switch (toc & 3) {
    case 0:
      return end - body <= MAX_FRAME_BYTES ? frameSamples : -1;
    case 1:
      return equalFrames(end - body, 2) ? 2 * frameSamples : -1;
    case 2:
      return unequalFrames(bytes, body, end, 2) ? 2 * frameSamples : -1;
    default:
      return manyFrames(bytes, body, end, frameSamples);
  }
}

function manyFrames(bytes: Uint8Array, body: number, end: number, frameSamples: number): number {
  if (body >= end) return -1;
  const head = bytes[body]!;
  const count = head & 0x3f;
  const samples = count * frameSamples;
  if (count === 0 || samples > MAX_SAMPLES) return -1;
  let at = body + 1;
  let framesEnd = end;
  if ((head & 0x40) !== 0) {
    framesEnd = withoutPadding(bytes, at, end);
    if (framesEnd < 0) return -1;
    at = length;
  }
  const fits =
    (head & 0x80) !== 0 ? unequalFrames(bytes, at, framesEnd, count) : equalFrames(framesEnd - at, count);
  return fits ? samples : -1;
}
