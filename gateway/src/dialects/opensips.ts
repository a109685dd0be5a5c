import type { Dialect } from './invite.ts';
import { boundary, isSiprec, product } from './marks.ts';

/**
 * OpenSIPS' siprec module: its own boundary, labels that count from 0 or 1. Associations, and in older versions streams,
 * may be missing: the parties are then in the order of the m-lines, the caller first.
 */
export const opensips: Dialect = {
  name: 'opensips',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (boundary(arrival) === 'OSS-unique-boundary-42' || /opensips/i.test(product(arrival))),
};
