import type { CodecName } from '@earshot/contracts';
import type { RecordingMetadata } from './metadata.ts';

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

/** Who is on a channel and why we think so. */
export interface ChannelIdentity {
  readonly role: 'agent' | 'customer' | 'other' | 'mixed' | 'unknown';
  readonly participant: { readonly name: string | null; readonly aor: string | null };
  readonly evidence: readonly string[];
}

/** One way of forking a call to a recorder. */
export interface Dialect {
  readonly name: string;
  recognises(invite: InviteHeaders, hasMetadata: boolean): boolean;
  identify(
    invite: InviteHeaders,
    streams: readonly StreamFacts[],
    metadata: RecordingMetadata | null,
  ): ChannelIdentity[];
}
