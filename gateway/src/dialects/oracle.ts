import type { Dialect } from './invite.ts';
import { boundary, hasHeader, hasNamespace, isSiprec, product } from './marks.ts';

/**
 * Oracle's (Acme Packet's) SBC: draft metadata with base64 ids, labels such as 16777227, `apkt:` extension data that
 * says who called. The first INVITE may have one m-line; a re-INVITE with a partial document brings the other.
 */
export const oracle: Dialect = {
  name: 'oracle',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (hasNamespace(arrival, /acmepacket\.com/i) ||
      hasHeader(arrival, /^[xp]-(oracle|ocsbc|acme)-/) ||
      /oracle|acme ?packet|oc?e?sbc\b/i.test(product(arrival)) ||
      (boundary(arrival) === 'unique-boundary-1' &&
        arrival.metadata?.streams.some(({ label }) => /^\d{8,10}$/.test(label ?? '')) === true)),
};
