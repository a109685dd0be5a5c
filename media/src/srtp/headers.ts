/** Where the parts of RTP and RTCP packets begin that are protected. Offsets only: what they mean is read elsewhere. */
const RTP_HEADER_BYTES = 12;
/** Header and the sender's SSRC: never encrypted (RFC 3711 section 3.4). */
export const RTCP_OPEN_BYTES = 8;

/** The length of an RTP header with CSRCs and extension (RFC 3550 sections 5.1, 5.3.1), or -1 when it is not all there. */
export function rtpHeaderBytes(bytes: Uint8Array, end: number): number {
  if (end < RTP_HEADER_BYTES || bytes[0]! >> 6 !== 2) return -1;
  let length = RTP_HEADER_BYTES + (bytes[0]! & 0x0f) * 4;
  if ((bytes[0]! & 0x10) !== 0) {
    if (end < length + 4) return -1;
    length += 4 + ((bytes[length + 2]! << 8) | bytes[length + 3]!) * 4;
  }
  return length <= end ? length : -1;
}
