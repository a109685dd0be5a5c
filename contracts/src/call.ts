import type { CallId, ChannelId } from './ids.ts';

/**
 * How recognition goes with a call. `current`: as it is said, or done. `waiting`: recorded first, for want of room. `catching-up`: begun
 * behind, and not at its live edge or its end yet.
 */
export const RECOGNITION_STATES = ['current', 'waiting', 'catching-up'] as const;
export type RecognitionState = (typeof RECOGNITION_STATES)[number];

/** What the gateway knows of a call; the one description that every later room receives. */
export type Role = 'agent' | 'customer' | 'other' | 'mixed' | 'unknown';
/** Payload formats that we take, by their names in SDP (RFC 3551, RFC 7587; telephone-event RFC 4733, CN RFC 3389). */
export type CodecName = 'PCMU' | 'PCMA' | 'G722' | 'opus' | 'L16' | 'telephone-event' | 'CN';
export type CallState = 'live' | 'ended';
export type EndReason =
  | 'bye' // the caller's BYE
  | 'cancel' // CANCEL before the answer
  | 'rtp-timeout' // no RTP on any active channel for RTP_TIMEOUT_S
  | 'ack-timeout' // our 200 was never acknowledged
  | 'session-expired' // nobody refreshed the SIP session in time (RFC 4028)
  | 'local' // ended by us: drain, API
  | 'error';

export interface Participant {
  readonly name: string | null;
  /** Address of record, such as sip:1001@example.test. */
  readonly aor: string | null;
}

export interface ChannelInfo {
  readonly channel: ChannelId;
  readonly index: number;
  readonly role: Role;
  /** The m-line's a=label (RFC 4574), or null. */
  readonly label: string | null;
  readonly codec: CodecName;
  readonly participant: Participant;
  /** All who are heard on it where they are several, at most 16; `participant` is empty then. Left out: not several. */
  readonly participants?: readonly Participant[];
  /** How sure the role is, 0 (unknown) to 1. Left out: not rated, in calls of older versions. */
  readonly score?: number;
  /** What says who is on it and why it has this role: `agent by the label (0.85)`. */
  readonly evidence: readonly string[];
}

export interface CallInfo {
  readonly callId: CallId;
  /** Wall clock of call zero, ms since 1970. */
  readonly startedAtMs: number;
  /** How the call was forked to us: `siprec-rfc7866`, `plain`, `cisco-cube`, … (gateway/src/dialects). */
  readonly dialect: string;
  readonly sip: {
    readonly callId: string;
    readonly from: string;
    readonly to: string;
    /** `udp` or `tcp`. */
    readonly transport: string;
    /** IP and port the INVITE came from. */
    readonly source: string;
  };
  /** What the contact centre knows the call by: lower-case header or metadata names to values. */
  readonly externalIds: Readonly<Record<string, string>>;
  readonly channels: readonly ChannelInfo[];
  /** Nothing is kept or recognised for now. Left out: false. */
  readonly paused?: boolean;
  /** As it is when the call begins; from then on its media worker says. Left out: `current`. */
  readonly recognition?: 'waiting';
  /** Index of the media worker that has the call's audio. */
  readonly worker: number;
}

/** What a call, or its tenant, asks of the recogniser. All of it may be left out. */
export interface RecognitionConfig {
  /** A word is final at most so long after its end, 300 to 20,000 ms. Left out: finals come by endpointing alone. */
  readonly maxDelayMs?: number;
  /** Names of vocabulary lists whose phrases are preferred; a list that does not exist is left out. */
  readonly vocabulary?: readonly string[];
}
