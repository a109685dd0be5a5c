/**
 * How Opus packets say where they end: as they are, by the length of what holds them (RFC 6716, section 3), or, where several
 * streams share a packet of Ogg, by a length of their own (appendix B). The two differ in that length only.
 */

/** Samples at 48 kHz of one frame by the upper five bits of the first byte (RFC 6716, section 3.1). */
const FRAME_SAMPLES = Int16Array.from({ length: 32 }, (_, config) => {
  if (config < 12) return [480, 960, 1920, 2880][config & 3]!;
  if (config < 16) return [480, 960][config & 1]!;
  return [120, 240, 480, 960][config & 3]!;
});
/** 120 ms. */
const MOST_SAMPLES = 5760;

interface Layout {
  /** Where the length of the last frame, or of each equal one, is or would be. */
  readonly lengthAt: number;
  /** Bytes of that length itself: of a packet with it, else what it would take. */
  readonly lengthBytes: number;
  readonly frameBytes: number;
  readonly end: number;
  /** At 48 kHz. */
  readonly samples: number;
}

/** A length of one or two bytes (section 3.2.1). */
const lengthBytesOf = (bytes: number): number => (bytes < 252 ? 1 : 2);

function readLength(bytes: Uint8Array, at: number, end: number): number {
  const first = at < end ? bytes[at]! : -1;
  if (first < 252) return first;
  return at + 1 < end ? first + 4 * bytes[at + 1]! : -1;
}

/**
 * @param delimited whether bytes[at…] says by itself where it ends; else it ends with `end`
 * @returns null when it is not a packet
 */
function layoutOf(bytes: Uint8Array, at: number, end: number, delimited: boolean): Layout | null {
  if (at >= end) return null;
  const code = bytes[at]! & 3;
  let cursor = at + 1;
  let frames = code === 0 ? 1 : 2;
  /** Frames before the last whose lengths are said, and the sum of those. */
  let said = code === 2 ? 1 : 0;
  let sum = 0;
  let padding = 0;
  if (code === 3) {
    const head = cursor < end ? bytes[cursor++]! : 0;
    frames = head & 0x3f;
    if (frames === 0) return null;
    if ((head & 0x80) !== 0) said = frames - 1;
    if ((head & 0x40) !== 0) {
      let step = 255;
      while (step === 255) {
        if (cursor >= end) return null;
        step = bytes[cursor++]!;
        padding += step === 255 ? 254 : step;
      }
    }
  }
  const variable = code === 2 || (code === 3 && (bytes[at + 1]! & 0x80) !== 0);
  for (let n = 0; n < said; n++) {
    const length = readLength(bytes, cursor, end);
    if (length < 0) return null;
    sum += length;
    cursor += lengthBytesOf(length);
  }
  const samples = frames * FRAME_SAMPLES[bytes[at]! >> 3]!;
  if (samples > MOST_SAMPLES) return null;
  /** How many frames have the length that is said last. */
  const alike = variable ? 1 : frames;
  if (delimited) {
    const frameBytes = readLength(bytes, cursor, end);
    if (frameBytes < 0) return null;
    const lengthBytes = lengthBytesOf(frameBytes);
    const packetEnd = cursor + lengthBytes + sum + alike * frameBytes + padding;
    return packetEnd > end ? null : { lengthAt: cursor, lengthBytes, frameBytes, end: packetEnd, samples };
  }
  const left = end - cursor - sum - padding;
  if (left < 0 || left % alike !== 0) return null;
  const frameBytes = left / alike;
  return { lengthAt: cursor, lengthBytes: lengthBytesOf(frameBytes), frameBytes, end, samples };
}

/** The packet with the length that makes it end by itself. @throws RangeError when it is not a packet */
export function selfDelimited(packet: Uint8Array): Buffer {
  const layout = layoutOf(packet, 0, packet.length, false);
  if (layout === null) throw new RangeError('not an Opus packet');
  const { lengthAt, lengthBytes, frameBytes } = layout;
  const out = Buffer.allocUnsafe(packet.length + lengthBytes);
  out.set(packet.subarray(0, lengthAt));
  if (lengthBytes === 1) out[lengthAt] = frameBytes;
  else {
    out[lengthAt] = 252 + (frameBytes & 3);
    out[lengthAt + 1] = (frameBytes - out[lengthAt]) >> 2;
  }
  out.set(packet.subarray(lengthAt), lengthAt + lengthBytes);
  return out;
}

/**
 * The packet of one stream out of those that share a packet of Ogg: all but the last end by themselves (RFC 7845, section 3).
 * @returns null when it is damaged
 */
export function streamPacket(shared: Buffer, stream: number, streams: number): Buffer | null {
  let at = 0;
  for (let n = 0; ; n++) {
    const delimited = n < streams - 1;
    const layout = layoutOf(shared, at, shared.length, delimited);
    if (layout === null) return null;
    if (n === stream) {
      if (!delimited) return shared.subarray(at);
      const { lengthAt, lengthBytes, end } = layout;
      return Buffer.concat([shared.subarray(at, lengthAt), shared.subarray(lengthAt + lengthBytes, end)]);
    }
    at = layout.end;
  }
}

/** Samples at 48 kHz of a packet of Ogg; all its streams have as many. @returns null when it is damaged */
export const packetSamples = (shared: Buffer, streams: number): number | null =>
  layoutOf(shared, 0, shared.length, streams > 1)?.samples ?? null;
