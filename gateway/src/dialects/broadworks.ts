import { userOf } from './agent-rules.ts';
import { extension } from './extensions.ts';
import type { Dialect, Finding } from './invite.ts';
import { boundary, hasNamespace, isSiprec, product, sessionNames } from './marks.ts';
import { findByMetadata } from './speakers.ts';

/** BroadWorks records a user, and says whose recording it is. */
const RECORDED_WEIGHT = 0.7;

/**
 * BroadWorks and Webex Calling: the root is `recording_metadata`, ids are `urn:uuid:`, addresses are elements, and the
 * metadata comes before the SDP. Often one mixed stream, whose label is not the one of the metadata. No Require.
 */
export const broadworks: Dialect = {
  name: 'broadworks',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (arrival.metadata?.root?.toLowerCase() === 'recording_metadata' ||
      hasNamespace(arrival, /broadsoft|broadworks/i) ||
      /broadworks|webex/i.test(`${product(arrival)} ${boundary(arrival)} ${sessionNames(arrival)}`)),
  find(_invite, streams, metadata) {
    const recorded = userOf(extension(metadata?.extensions, 'userid') ?? '');
    return findByMetadata(streams, metadata).map((finding): Finding => {
      const [speaker] = finding.speakers;
      const isRecorded =
        finding.speakers.length === 1 && recorded !== null && userOf(speaker?.aor ?? '') === recorded;
      return isRecorded
        ? { ...finding, claims: [{ role: 'agent', weight: RECORDED_WEIGHT, by: 'the recorded user' }] }
        : finding;
    });
  },
};
