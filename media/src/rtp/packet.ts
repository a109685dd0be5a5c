import { readRtp } from './read-rtp.ts';

/**
 * An RTP packet (RFC 3550 section 5.1) as the rooms of a channel hand it on: read into an object that its owner uses again and
 * again.
 */
export interface RtpPacket {
  /** The whole datagram. */
  bytes: Uint8Array;
  /** The payload is bytes[start..end). Empty when the payload type carries no audio that we take. */
  start: number;
  end: number;
  ssrc: number;
  payloadType: number;
  /** 16 bits, as on the wire. */
  sequence: number;
  /** 16-bit sequence with its cycles (RFC 3550 A.1). */
  extended: number;
  /** 32 bits, as on the wire. */
  timestamp: number;
  /** Its units in a tick, 1 or more: set with the codec. */
  unitsPerTick: number;
  /** When we read it, monotonic microseconds. */
  arrivalUs: number;
  address: string;
  port: number;
  /** The sequence starts anew here: first packet, other SSRC, or a jump that was confirmed. */
  restart: boolean;
  /** Packets given up right before this one. */
  lostBefore: number;
}

/** The next room for packets. The packet is the caller's: copy what outlives the call. */
export interface PacketSink {
  packet(packet: RtpPacket): void;
}

/** Why a datagram is not taken. Label values of earshot_rtp_packets_rejected_total. */
export const REJECT_REASONS = [
  'garbage',
  'rtcp',
  'size',
  'payload_type',
  'source',
  'sequence',
  'undecodable',
  'authentication',
  'paused',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** 256 ms of G.711 and more than an Ethernet frame holds; more than that is not telephony. */
export const MAX_PAYLOAD_BYTES = 2048;
const NO_BYTES = new Uint8Array(0);

export const newRtpPacket = (): RtpPacket => ({
  bytes: NO_BYTES,
  start: 0,
  end: 0,
  ssrc: 0,
  payloadType: 0,
  sequence: 0,
  extended: 0,
  timestamp: 0,
  unitsPerTick: 1,
  arrivalUs: 0,
  address: '',
  port: 0,
  restart: false,
  lostBefore: 0,
});

/** For a packet that has to be kept. */
export function copyPacket(from: RtpPacket, to: RtpPacket): void {
  to.bytes = from.bytes;
  to.start = from.start;
  to.end = from.end;
  to.ssrc = from.ssrc;
  to.payloadType = from.payloadType;
  to.sequence = from.sequence;
  to.extended = from.extended;
  to.timestamp = from.timestamp;
  to.arrivalUs = from.arrivalUs;
  to.address = from.address;
  to.port = from.port;
  to.restart = from.restart;
  to.lostBefore = from.lostBefore;
}

/**
 * Reads a datagram into packet (everything but extended, arrivalUs, address, port, restart, lostBefore).
 * @returns null, or why it is not an RTP packet that we can take. Never throws.
 */
export function parseRtp(bytes: Uint8Array, packet: RtpPacket): RejectReason | null {
  if (isRtcp(bytes)) return 'rtcp';
  if (!readRtp(bytes, packet)) return 'garbage';
  return packet.end - packet.start > MAX_PAYLOAD_BYTES ? 'size' : null;
}

/** RTCP sent to the RTP port (RFC 5761 section 4): packet types 192..223 read as payload types 64..95. */
export const isRtcp = (bytes: Uint8Array): boolean =>
  bytes.length > 1 && bytes[0]! >> 6 === 2 && (bytes[1]! & 0x60) === 0x40;
