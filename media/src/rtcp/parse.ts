import { ntpUs } from './ntp.ts';
import {
  PACKET_TYPE,
  type ReferenceAnswer,
  type ReportBlock,
  type RtcpFault,
  type RtcpPacket,
  type RtcpRead,
} from './packets.ts';

const HEADER_BYTES = 4;
const REPORT_BYTES = 24;
const SENDER_BYTES = 20;
const CNAME = 1;
const DLRR_BLOCK = 5;

/**
 * Reads a plain RTCP datagram, compound or of reduced size (RFC 5506: any packets in any order). All of it or none: lengths
 * that do not add up are a sign that it is something else (RFC 3550 A.2). Never throws.
 */
export function parseRtcp(bytes: Uint8Array): RtcpRead {
  if (bytes.length < HEADER_BYTES) return malformed('rtcp_short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packets: RtcpPacket[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + HEADER_BYTES > bytes.length) return malformed('rtcp_length');
    const first = view.getUint8(at);
    if (first >> 6 !== 2) return malformed('rtcp_version');
    const next = at + (view.getUint16(at + 2) + 1) * 4;
    if (next > bytes.length) return malformed('rtcp_length');
    let end = next;
    if ((first & 0x20) !== 0) {
      const padding = view.getUint8(next - 1);
      // Only the last packet may be padded, by a multiple of four that it has (RFC 3550 section 6.4.1).
      if (next !== bytes.length || padding === 0 || padding % 4 !== 0 || padding > next - at - HEADER_BYTES) {
        return malformed('rtcp_padding');
      }
      end = next - padding;
    }
    const packet = readPacket(view, at, end);
    if (packet === null) return malformed('rtcp_count');
    packets.push(packet);
    at = next;
  }
  const opening = packets[0]!.type;
  return { kind: 'packets', packets, compound: opening === 'sender-report' || opening === 'receiver-report' };
}

/** @returns null when it is too short for what it says */
function readPacket(view: DataView, at: number, end: number): RtcpPacket | null {
  const count = view.getUint8(at) & 0x1f;
  const packetType = view.getUint8(at + 1);
  const body = at + HEADER_BYTES;
  switch (packetType) {
    case PACKET_TYPE.senderReport:
      return readSenderReport(view, body, end, count);
    case PACKET_TYPE.receiverReport: {
      const reports = readReports(view, body + 4, end, count);
      return reports === null ? null : { type: 'receiver-report', ssrc: view.getUint32(body), reports };
    }
    case PACKET_TYPE.description:
      return readDescription(view, body, end, count);
    case PACKET_TYPE.bye: {
      if (body + count * 4 > end) return null;
      const ssrcs = Array.from({ length: count }, (_, i) => view.getUint32(body + i * 4));
      return { type: 'bye', ssrcs };
    }
    case PACKET_TYPE.extendedReport:
      return readExtendedReport(view, body, end);
    default:
      return { type: 'other', packetType };
  }
}

function readSenderReport(view: DataView, body: number, end: number, count: number): RtcpPacket | null {
  const reports = readReports(view, body + 4 + SENDER_BYTES, end, count);
  if (reports === null) return null;
  const seconds = view.getUint32(body + 4);
  const fraction = view.getUint32(body + 8);
  return {
    type: 'sender-report',
    ssrc: view.getUint32(body),
    ntpUs: ntpUs(seconds, fraction),
    ntpMiddle: (((seconds & 0xffff) << 16) | (fraction >>> 16)) >>> 0,
    rtpTimestamp: view.getUint32(body + 12),
    packets: view.getUint32(body + 16),
    octets: view.getUint32(body + 20),
    reports,
  };
}

/** @param at where the blocks begin: what stands before them must be there, too */
function readReports(view: DataView, at: number, end: number, count: number): ReportBlock[] | null {
  if (at + count * REPORT_BYTES > end) return null;
  return Array.from({ length: count }, (_, i) => {
    const block = at + i * REPORT_BYTES;
    return {
      ssrc: view.getUint32(block),
      fractionLost: view.getUint8(block + 4),
      cumulativeLost: (view.getInt32(block + 4) << 8) >> 8,
      highest: view.getUint32(block + 8),
      jitter: view.getUint32(block + 12),
      lastSenderReport: view.getUint32(block + 16),
      delaySinceLastSenderReport: view.getUint32(block + 20),
    };
  });
}

/** RFC 3550 section 6.5: chunks of an SSRC and items up to a zero byte, each filled up to 32 bits. */
function readDescription(view: DataView, body: number, end: number, count: number): RtcpPacket | null {
  const names: { ssrc: number; cname: string }[] = [];
  let at = body;
  for (let chunk = 0; chunk < count; chunk++) {
    if (at + 4 > end) return null;
    const ssrc = view.getUint32(at);
    at += 4;
    for (;;) {
      // The zero byte may be missing where the packet ends: nothing is lost by that.
      if (at >= end || view.getUint8(at) === 0) break;
      if (at + 2 > end) return null;
      const item = view.getUint8(at);
      const length = view.getUint8(at + 1);
      if (at + 2 + length > end) return null;
      if (item === CNAME) names.push({ ssrc, cname: text(view, at + 2, length) });
      at += 2 + length;
    }
    at = body + Math.ceil((at + 1 - body) / 4) * 4;
  }
  return { type: 'description', names };
}

/** RFC 3611 section 3: blocks with a type, of which the answers to our reference time are read. */
function readExtendedReport(view: DataView, body: number, end: number): RtcpPacket | null {
  if (body + 4 > end) return null;
  const answers: ReferenceAnswer[] = [];
  let at = body + 4;
  while (at < end) {
    if (at + 4 > end) return null;
    const next = at + (view.getUint16(at + 2) + 1) * 4;
    if (next > end) return null;
    if (view.getUint8(at) === DLRR_BLOCK) {
      for (let sub = at + 4; sub + 12 <= next; sub += 12) {
        answers.push({
          ssrc: view.getUint32(sub),
          lastReference: view.getUint32(sub + 4),
          delay: view.getUint32(sub + 8),
        });
      }
    }
    at = next;
  }
  return { type: 'extended-report', ssrc: view.getUint32(body), answers };
}

const utf8 = new TextDecoder('utf-8');
const text = (view: DataView, at: number, length: number): string =>
  utf8.decode(new Uint8Array(view.buffer, view.byteOffset + at, length));

const malformed = (fault: RtcpFault): RtcpRead => ({ kind: 'malformed', fault });
