import { ntpWords } from './ntp.ts';
import { PACKET_TYPE, type ReportBlock } from './packets.ts';

/** Blocks that fit into one report's count of five bits. */
const MAX_REPORTS = 31;
const REFERENCE_TIME_BLOCK = 4;
const CNAME = 1;
/** Room that any of ours needs without report blocks: a name of 255 bytes, reference time and BYE. */
const FIXED_BYTES = 8 + 12 + 260 + 20 + 8;

export interface ReceiverReport {
  /** Ours. */
  readonly ssrc: number;
  /** One for each source that was heard since the last report; none: an empty report (RFC 3550 section 6.1). */
  readonly reports: readonly ReportBlock[];
  /** Our canonical name, the same for the whole call: random, not of a person (RFC 7022 section 4.2). At most 255 bytes. */
  readonly cname: string;
  /** Microseconds since 1900: asks for an answer from which the round trip is known (RFC 3611 section 4.4). */
  readonly referenceUs?: number;
  /** We leave. */
  readonly bye?: boolean;
}

/**
 * A compound packet of ours: receiver report, canonical name, and what else is asked for (RFC 3550 section 6.1: a report first and a
 * name in each). The receiver sends no media, so it never sends sender reports.
 */
export function buildReport(report: ReceiverReport): Uint8Array<ArrayBuffer> {
  const reports = report.reports.slice(0, MAX_REPORTS);
  const bytes = new Uint8Array(FIXED_BYTES + reports.length * 24);
  const view = new DataView(bytes.buffer);
  let at = writeHeader(view, 0, reports.length, PACKET_TYPE.receiverReport, 4 + reports.length * 24);
  at = word(view, at, report.ssrc);
  for (const block of reports) at = writeBlock(view, at, block);
  at = writeName(view, bytes, at, report.ssrc, report.cname);
  if (report.referenceUs !== undefined) at = writeReference(view, at, report.ssrc, report.referenceUs);
  if (report.bye === true) {
    at = writeHeader(view, at, 1, PACKET_TYPE.bye, 4);
    at = word(view, at, report.ssrc);
  }
  return bytes.slice(0, at);
}

function writeBlock(view: DataView, at: number, block: ReportBlock): number {
  view.setUint32(at, block.ssrc);
  // Kept in 24 bits when there is more (RFC 3550 A.3).
  const lost = Math.max(-0x800000, Math.min(0x7fffff, block.cumulativeLost));
  view.setUint32(at + 4, ((block.fractionLost << 24) | (lost & 0xffffff)) >>> 0);
  view.setUint32(at + 8, block.highest);
  view.setUint32(at + 12, block.jitter);
  view.setUint32(at + 16, block.lastSenderReport);
  view.setUint32(at + 20, block.delaySinceLastSenderReport);
  return at + 24;
}

function writeName(view: DataView, bytes: Uint8Array, at: number, ssrc: number, cname: string): number {
  const name = new TextEncoder().encode(cname).subarray(0, 255);
  // At least one zero byte ends the items, and the chunk is filled up to 32 bits.
  const chunkBytes = 4 + Math.ceil((2 + name.length + 1) / 4) * 4;
  const chunk = writeHeader(view, at, 1, PACKET_TYPE.description, chunkBytes);
  word(view, chunk, ssrc);
  view.setUint8(chunk + 4, CNAME);
  view.setUint8(chunk + 5, name.length);
  bytes.set(name, chunk + 6);
  return chunk + chunkBytes;
}

function writeReference(view: DataView, at: number, ssrc: number, referenceUs: number): number {
  const { seconds, fraction } = ntpWords(referenceUs);
  let next = writeHeader(view, at, 0, PACKET_TYPE.extendedReport, 16);
  next = word(view, next, ssrc);
  next = word(view, next, ((REFERENCE_TIME_BLOCK << 24) | 2) >>> 0);
  next = word(view, next, seconds);
  return word(view, next, fraction);
}

/** @param bodyBytes after the header, a multiple of four */
function writeHeader(
  view: DataView,
  at: number,
  count: number,
  packetType: number,
  bodyBytes: number,
): number {
  view.setUint8(at, 0x80 | count);
  view.setUint8(at + 1, packetType);
  view.setUint16(at + 2, bodyBytes / 4);
  return at + 4;
}

function word(view: DataView, at: number, value: number): number {
  view.setUint32(at, value);
  return at + 4;
}
