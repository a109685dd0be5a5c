import type { Dialect } from './invite.ts';
import { isSiprec, product, sessionNames } from './marks.ts';

/**
 * Cisco Unified Border Element with SIPREC: RFC 7865 with random ids, comfort noise on payload type 19, a third part of
 * `application/gtd`. It may begin with a=inactive, and an association may be empty while a party is held.
 */
export const ciscoCube: Dialect = {
  name: 'cisco-cube',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (/cisco-(sip|cube|iosxe)/i.test(product(arrival)) || /^CiscoSystems/i.test(sessionNames(arrival))),
};
