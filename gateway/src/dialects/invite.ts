import type { CodecName, Participant, Role } from '@earshot/contracts';
import type { MetadataParticipant, RecordingMetadata } from './metadata.ts';

/** What a dialect sees of an INVITE. Header names in any case; null when absent. */
export interface InviteHeaders {
  header(name: string): string | null;
  /** Lower-case names and values of all headers. */
  entries(): Iterable<readonly [string, string]>;
}

/** An audio stream that was taken, in the order of the channels. */
export interface StreamFacts {
  readonly label: string | null;
  readonly codec: CodecName;
}

/** All that an INVITE tells of where it comes from. */
export interface Arrival {
  readonly invite: InviteHeaders;
  readonly metadata: RecordingMetadata | null;
  readonly sdp: string | null;
}

/** One thing that speaks for a role. */
export interface Claim {
  readonly role: Exclude<Role, 'unknown'>;
  /** How sure it is on its own, above 0 and at most 1. */
  readonly weight: number;
  /** What it rests on: `the label`, `AGENT_NUMBERS`. */
  readonly by: string;
}

/** Who may be a speaker: somebody of the metadata, or of a header. */
export type Speaker = Participant & Partial<Pick<MetadataParticipant, 'aliases' | 'part' | 'calling'>>;

/** What a dialect finds out about one stream. */
export interface Finding {
  /** Those who are heard on it; none where nothing says it. */
  readonly speakers: readonly Speaker[];
  /** How sure it is that these are they, 0 to 1. */
  readonly certainty: number;
  /** What says who they are: `metadata: sends the label`. */
  readonly how: string;
  /** What speaks for a role besides the speakers' names and addresses. */
  readonly claims: readonly Claim[];
  /** A stream that carries everybody, or what is all that there is. */
  readonly mixed?: boolean;
}

/** Who is on a channel and why we think so. */
export interface ChannelIdentity {
  readonly role: Role;
  readonly participant: Participant;
  /** All who are heard on it, where they are several. */
  readonly participants?: readonly Participant[];
  /** How sure the role is, 0 (unknown) to 1. */
  readonly score: number;
  readonly evidence: readonly string[];
  /** Whether something says who is on this channel: `no`, and its role follows from the other channel at best. */
  readonly known: 'said' | 'guessed' | 'no';
}

/** One way of forking a call to a recorder. */
export interface Dialect {
  readonly name: string;
  /** Its headers name the parties, so that a request without a body may bring another one. */
  readonly namesInHeaders?: boolean;
  recognises(arrival: Arrival): boolean;
  /** Who is on each of the streams. Left out: who the metadata says. */
  find?(
    invite: InviteHeaders,
    streams: readonly StreamFacts[],
    metadata: RecordingMetadata | null,
  ): readonly Finding[];
}
