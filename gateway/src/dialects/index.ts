import type { Dialect, InviteHeaders } from './invite.ts';
import { plain } from './plain.ts';
import { siprec } from './siprec-rfc7866.ts';

/** The ways of forking a call, most telling first; plain takes what is left. */
const dialects: readonly Dialect[] = [siprec, plain];

export const dialectOf = (invite: InviteHeaders, hasMetadata: boolean): Dialect =>
  dialects.find((dialect) => dialect.recognises(invite, hasMetadata)) ?? plain;

export const dialectNamed = (name: string): Dialect =>
  dialects.find((dialect) => dialect.name === name) ?? plain;

export { readBody, type InviteBody } from './body.ts';
export { externalIds } from './external-ids.ts';
export type { ChannelIdentity, Dialect, InviteHeaders, StreamFacts } from './invite.ts';
export { mergeMetadata, parseMetadata, type RecordingMetadata } from './metadata.ts';
export { recognitionOf } from './recognition.ts';
