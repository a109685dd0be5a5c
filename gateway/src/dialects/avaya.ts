import type { Dialect, Finding } from './invite.ts';
import { hasHeader, isSiprec, product, sessionNames } from './marks.ts';
import { findByMetadata } from './speakers.ts';

/** What Avaya's SBC writes for a party that it does not know yet. */
const PLACEHOLDER = /^sips?:asbce@asbce\.com$/i;

/**
 * Avaya's SBC for Enterprise: `dataMode` in camel case, `ASBCE@asbce.com` for a party that is not known yet, labels that
 * no m-line has, ids that are empty; an UPDATE of bare metadata names the party later. The UCID is in User-to-User.
 */
export const avaya: Dialect = {
  name: 'avaya',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (/avaya|asbce/i.test(`${product(arrival)} ${sessionNames(arrival)}`) ||
      hasHeader(arrival, /^x-avaya-/) ||
      arrival.metadata?.participants.some(({ aor }) => PLACEHOLDER.test(aor ?? '')) === true),
  find(_invite, streams, metadata) {
    return findByMetadata(streams, metadata).map((finding): Finding => ({
      ...finding,
      speakers: finding.speakers.map((speaker) =>
        PLACEHOLDER.test(speaker.aor ?? '') ? { ...speaker, aor: null } : speaker,
      ),
    }));
  },
};
