import type { Dialect } from './invite.ts';
import { isSiprec } from './marks.ts';
import { isNetSapiens } from './stitch.ts';

/**
 * NetSapiens: a dialog for each set of parties, ended and begun anew at every change; the group chains
 * them. It sends no media unless the answer repeats a=label, which ours always does.
 */
export const netsapiens: Dialect = {
  name: 'netsapiens',
  recognises: (arrival) => isSiprec(arrival) && isNetSapiens(arrival.invite),
};
