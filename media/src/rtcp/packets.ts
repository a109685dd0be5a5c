/** A report on one source (RFC 3550 section 6.4.1). */
export interface ReportBlock {
  /** Who is reported on. */
  readonly ssrc: number;
  /** Lost since the last report, in 1/256. */
  readonly fractionLost: number;
  /** Lost since the beginning; below 0 when more came twice than were lost. 24 bits, signed. */
  readonly cumulativeLost: number;
  /** Extended highest sequence number, 32 bits. */
  readonly highest: number;
  /** Interarrival jitter, in units of the RTP timestamp. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the last sender report, 0: none came. */
  readonly lastSenderReport: number;
  /** Since then, in 1/65536 s. */
  readonly delaySinceLastSenderReport: number;
}

export type RtcpPacket =
  | {
      readonly type: 'sender-report';
      readonly ssrc: number;
      /** Microseconds since 1900; 0 when the sender has no wall clock. A safe integer. */
      readonly ntpUs: number;
      /** Middle 32 bits, as they stand in the packet: what a receiver report quotes. */
      readonly ntpMiddle: number;
      readonly rtpTimestamp: number;
      readonly packets: number;
      readonly octets: number;
      readonly reports: readonly ReportBlock[];
    }
  | { readonly type: 'receiver-report'; readonly ssrc: number; readonly reports: readonly ReportBlock[] }
  /** Canonical names only: the other items may be names and numbers of people. */
  | {
      readonly type: 'description';
      readonly names: readonly { readonly ssrc: number; readonly cname: string }[];
    }
  | { readonly type: 'bye'; readonly ssrcs: readonly number[] }
  /** RFC 3611: answers to our reference time, by the SSRC that they are for. */
  | { readonly type: 'extended-report'; readonly ssrc: number; readonly answers: readonly ReferenceAnswer[] }
  /** APP, feedback (RFC 4585) and what is yet to come: passed over. */
  | { readonly type: 'other'; readonly packetType: number };

/** A sub-block of RFC 3611 section 4.5. */
export interface ReferenceAnswer {
  readonly ssrc: number;
  readonly lastReference: number;
  /** In 1/65536 s. */
  readonly delay: number;
}

export const PACKET_TYPE = {
  senderReport: 200,
  receiverReport: 201,
  description: 202,
  bye: 203,
  extendedReport: 207,
} as const;

/** Why a datagram is not RTCP. */
export type RtcpFault =
  /** Nothing, or less than a header. */
  | 'rtcp_short'
  /** Not version 2. */
  | 'rtcp_version'
  /** The lengths do not add up to the datagram's (RFC 3550 A.2). */
  | 'rtcp_length'
  /** A packet is too short for what its counts say. */
  | 'rtcp_count'
  /** A packet that is not the last is padded, or by more than it has. */
  | 'rtcp_padding';

export type RtcpRead =
  | {
      readonly kind: 'packets';
      readonly packets: readonly RtcpPacket[];
      /** It begins with a report, as RFC 3550 section 6.1 has it; otherwise it is of reduced size (RFC 5506). */
      readonly compound: boolean;
    }
  | { readonly kind: 'malformed'; readonly fault: RtcpFault };
