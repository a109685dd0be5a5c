/** RTP and RTCP as a sender needs them (RFC 3550). Ticks are of 1/8000 s. */

export const SAMPLES_PER_PACKET = 160;
export const PACKET_MS = 20;

export interface RtpHeader {
  payloadType: number;
  marker: boolean;
  sequence: number;
  timestamp: number;
  ssrc: number;
}

/** A packet with the next 160 bytes of `audio` from `offset` on, which begins again at its end. */
export function buildRtpPacket(header: RtpHeader, audio: Uint8Array, offset: number): Buffer {
  const packet = withHeader(header, SAMPLES_PER_PACKET);
  let from = offset % audio.length;
  let written = 0;
  while (written < SAMPLES_PER_PACKET) {
    const count = Math.min(SAMPLES_PER_PACKET - written, audio.length - from);
    packet.set(audio.subarray(from, from + count), 12 + written);
    written += count;
    from = 0;
  }
  return packet;
}

/** A packet with this payload. */
export function buildPacketOf(header: RtpHeader, payload: Uint8Array): Buffer {
  const packet = withHeader(header, payload.length);
  packet.set(payload, 12);
  return packet;
}

function withHeader(header: RtpHeader, payloadBytes: number): Buffer {
  const packet = Buffer.allocUnsafe(12 + payloadBytes);
  packet[0] = 0x80;
  packet[1] = header.payloadType | (header.marker ? 0x80 : 0);
  packet.writeUInt16BE(header.sequence & 0xffff, 2);
  packet.writeUInt32BE(header.timestamp >>> 0, 4);
  packet.writeUInt32BE(header.ssrc, 8);
  return packet;
}

/** The fixed header and the payload of a received packet; undefined when it is not RTP version 2. */
export function parseRtpPacket(packet: Buffer): (RtpHeader & { payload: Buffer }) | undefined {
  const first = packet[0];
  const second = packet[1];
  if (first === undefined || second === undefined || packet.length < 12 || first >> 6 !== 2) return undefined;
  const start = 12 + (first & 0x0f) * 4;
  if ((first & 0x30) !== 0 || packet.length < start) return undefined;
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequence: packet.readUInt16BE(2),
    timestamp: packet.readUInt32BE(4),
    ssrc: packet.readUInt32BE(8),
    payload: packet.subarray(start),
  };
}

const NTP_EPOCH_OFFSET_S = 2_208_988_800;

export interface SenderReport {
  ssrc: number;
  /** Wall clock, epoch milliseconds, at which `timestamp` is played. */
  wallMs: number;
  timestamp: number;
  packets: number;
  octets: number;
  cname: string;
}

/** A compound packet: sender report and the CNAME that ties the streams of a call (sections 6.4.1, 6.5.1). */
export function buildSenderReport(report: SenderReport): Buffer {
  const cname = Buffer.from(report.cname, 'utf8').subarray(0, 255);
  // SSRC, type, length, the name, at least one zero, all in words of 32 bits.
  const itemBytes = Math.ceil((4 + 2 + cname.length + 1) / 4) * 4;
  const packet = Buffer.alloc(28 + 4 + itemBytes);
  packet[0] = 0x80;
  packet[1] = 200;
  packet.writeUInt16BE(6, 2);
  packet.writeUInt32BE(report.ssrc, 4);
  const seconds = Math.floor(report.wallMs / 1000);
  packet.writeUInt32BE(seconds + NTP_EPOCH_OFFSET_S, 8);
  packet.writeUInt32BE(Math.floor(((report.wallMs - seconds * 1000) / 1000) * 2 ** 32), 12);
  packet.writeUInt32BE(report.timestamp >>> 0, 16);
  packet.writeUInt32BE(report.packets >>> 0, 20);
  packet.writeUInt32BE(report.octets >>> 0, 24);
  packet[28] = 0x81;
  packet[29] = 202;
  packet.writeUInt16BE(itemBytes / 4, 30);
  packet.writeUInt32BE(report.ssrc, 32);
  packet[36] = 1;
  packet[37] = cname.length;
  packet.set(cname, 38);
  return packet;
}
