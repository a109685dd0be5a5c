import type { Dialect } from './invite.ts';
import { hasNamespace, isSiprec } from './marks.ts';

/**
 * The drafts before RFC 7865, of no vendor that is known: the namespace has no version, `id` and `session` are the
 * attributes, and `send` and `recv` stand in the participant.
 */
export const siprecDraft: Dialect = {
  name: 'siprec-draft',
  recognises: (arrival) =>
    isSiprec(arrival) && hasNamespace(arrival, /^urn:ietf:params:xml:ns:(recording|siprec)$/i),
};
