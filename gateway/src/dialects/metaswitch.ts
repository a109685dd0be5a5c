import type { Dialect } from './invite.ts';
import { isSiprec, product, sessionNames } from './marks.ts';

/**
 * Metaswitch (Perimeta): one mixed stream of which all parties are senders, no direction attribute; on hold
 * c=0.0.0.0, and a new port afterwards.
 */
export const metaswitch: Dialect = {
  name: 'metaswitch',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    /metaswitch|perimeta|metasphere/i.test(`${product(arrival)} ${sessionNames(arrival)}`),
};
