import type { Dialect } from './invite.ts';
import { hasExtension, hasHeader, hasNamespace, isSiprec, product, sessionNames } from './marks.ts';

/**
 * AudioCodes: draft metadata or RFC 7865, often as `application/rs-metadata`; addresses without `sip:`, a Contact with
 * `;src`, `ac:` elements for what it heard from Genesys or Avaya. Lines may end in a bare LF.
 */
export const audiocodes: Dialect = {
  name: 'audiocodes',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (/audiocodes|mediant|^\s*Device ?\//i.test(product(arrival)) ||
      /audiocodes/i.test(sessionNames(arrival)) ||
      hasHeader(arrival, /^x-ac-/) ||
      hasNamespace(arrival, /audiocodes/i) ||
      hasExtension(arrival, /^avayaucid$/)),
};
