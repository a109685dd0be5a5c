import { type AgentRules, NO_RULES } from './agent-rules.ts';
import { attribute } from './attribution.ts';
import { audiocodes } from './audiocodes.ts';
import { avaya } from './avaya.ts';
import { broadworks } from './broadworks.ts';
import { ciscoCube } from './cisco-cube.ts';
import { ciscoNbr } from './cisco-nbr.ts';
import { cucmBib } from './cucm-bib.ts';
import { genesys } from './genesys.ts';
import type { Arrival, ChannelIdentity, Dialect, InviteHeaders, StreamFacts } from './invite.ts';
import type { RecordingMetadata } from './metadata.ts';
import { metaswitch } from './metaswitch.ts';
import { netsapiens } from './netsapiens.ts';
import { opensips } from './opensips.ts';
import { oracle } from './oracle.ts';
import { plain } from './plain.ts';
import { ribbon } from './ribbon.ts';
import { siprecDraft } from './siprec-draft.ts';
import { siprecRfc7866 } from './siprec-rfc7866.ts';
import { findByMetadata } from './speakers.ts';
import { twilio } from './twilio.ts';

/**
 * The ways of forking a call, most telling marks first: a header that only one device sends before a product's name,
 * names before the standard. Avaya's placeholder may come in Oracle's envelope, and Genesys' id in AudioCodes'.
 */
const dialects: readonly Dialect[] = [
  cucmBib,
  ciscoNbr,
  broadworks,
  twilio,
  netsapiens,
  genesys,
  avaya,
  oracle,
  ribbon,
  audiocodes,
  ciscoCube,
  opensips,
  metaswitch,
  siprecDraft,
  siprecRfc7866,
  plain,
];

/** The dialect that an INVITE speaks. It stays the same for the whole call. */
export const dialectOf = (arrival: Arrival): Dialect =>
  dialects.find((dialect) => dialect.recognises(arrival)) ?? plain;

/** Whether the headers of any request of a dialog may say who is on its channels. */
export const namesInHeaders = (dialect: string): boolean =>
  dialects.find(({ name }) => name === dialect)?.namesInHeaders === true;

/**
 * Who is on each of the streams, in their order.
 * @param dialect its name; one that is not known any more is read as the standard says, or as a plain call
 */
export function identify(
  dialect: string,
  invite: InviteHeaders,
  streams: readonly StreamFacts[],
  metadata: RecordingMetadata | null,
  rules: AgentRules = NO_RULES,
): ChannelIdentity[] {
  const known = dialects.find(({ name }) => name === dialect) ?? (metadata === null ? plain : siprecRfc7866);
  const findings = known.find?.(invite, streams, metadata) ?? findByMetadata(streams, metadata);
  const notes = metadata?.notes ?? (known === plain || known.find !== undefined ? [] : ['no metadata']);
  return attribute(streams, findings, rules, notes);
}

export type { AgentRules } from './agent-rules.ts';
export { readBody } from './body.ts';
export { continued } from './continuity.ts';
export { externalIds, moreIds } from './external-ids.ts';
export type { InviteHeaders } from './invite.ts';
export { mergeMetadata, type RecordingMetadata } from './metadata.ts';
export { parseMetadata } from './read-metadata.ts';
export { recognitionOf } from './recognition.ts';
export { stitchOf, type Stitch } from './stitch.ts';
