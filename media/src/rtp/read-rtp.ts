import { word32 } from './words.ts';

/** What is read of a packet; an RtpPacket is one. */
export interface RtpHeader {
  bytes: Uint8Array;
  /** The payload is bytes[start..end). */
  start: number;
  end: number;
  payloadType: number;
  sequence: number;
  timestamp: number;
  ssrc: number;
}

const FIXED_HEADER_BYTES = 12;
/** RFC 8285: profiles of one-byte and of two-byte header extensions; of the latter the low four bits are the application's. */
const ONE_BYTE_PROFILE = 0xbede;
const TWO_BYTE_PROFILE = 0x1000;
/** RFC 8285 section 4.2: nothing after an element with this id is read. */
const STOP_ID = 15;

/**
 * Reads an RTP packet (RFC 3550 sections 5.1 and 5.3.1) where it lies, without allocating: the header's fields and where in bytes
 * the payload is. It takes and refuses what rtp.js does, which a property test holds: lengths that contradict each other are
 * refused, those of header extension elements (RFC 8285) included.
 * @param packet is left as it was when false is returned
 * @returns false when it is no RTP packet. Never throws.
 */
export function readRtp(bytes: Uint8Array, packet: RtpHeader): boolean {
  const length = bytes.length;
  if (length < FIXED_HEADER_BYTES) return false;
  const first = bytes[0]!;
  if (first >> 6 !== 2) return false;
  let start = FIXED_HEADER_BYTES + 4 * (first & 0x0f);
  if (start > length) return false;
  if ((first & 0x10) !== 0) {
    start = endOfExtension(bytes, start);
    if (start < 0) return false;
  }
  const end = length - ((first & 0x20) === 0 ? 0 : bytes[length - 1]!);
  if (end < start) return false;
  packet.bytes = bytes;
  packet.start = start;
  packet.end = end;
  packet.payloadType = bytes[1]! & 0x7f;
  packet.sequence = (bytes[2]! << 8) | bytes[3]!;
  packet.timestamp = word32(bytes, 4);
  packet.ssrc = word32(bytes, 8);
  return true;
}

/** The header extension's end; -1 when it is longer than the packet or its elements are longer than it. */
function endOfExtension(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) return -1;
  const profile = (bytes[at]! << 8) | bytes[at + 1]!;
  const from = at + 4;
  const end = from + 4 * ((bytes[at + 2]! << 8) | bytes[at + 3]!);
  if (end > bytes.length) return -1;
  if (profile === ONE_BYTE_PROFILE) return oneByteElementsFit(bytes, from, end) ? end : -1;
  if ((profile & 0xfff0) === TWO_BYTE_PROFILE) return twoByteElementsFit(bytes, from, end) ? end : -1;
  return end;
}

/** RFC 8285 section 4.2; zeros between elements are padding. */
function oneByteElementsFit(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at = afterZeros(bytes, at, end)) {
    const id = bytes[at]! >> 4;
    if (id === STOP_ID) return true;
    if (id === 0) {
      at++;
      continue;
    }
    at += 2 + (bytes[at]! & 0x0f);
    if (at > end) return false;
  }
  return true;
}

/** RFC 8285 section 4.3. */
function twoByteElementsFit(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at + 1 < end; at = afterZeros(bytes, at, end)) {
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    at += 2 + bytes[at + 1]!;
    if (at > end) return false;
  }
  return true;
}

function afterZeros(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] === 0) at++;
  return at;
}
