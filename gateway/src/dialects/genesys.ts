import type { Dialect } from './invite.ts';
import { hasExtension, hasHeader, isSiprec } from './marks.ts';

/** A call of a Genesys contact centre, by way of an SBC that passes its id on (AudioCodes as `ac:GenesysUUID`). */
export const genesys: Dialect = {
  name: 'genesys',
  recognises: (arrival) =>
    isSiprec(arrival) && (hasHeader(arrival, /^x-genesys-/) || hasExtension(arrival, /^genesysuuid$/)),
};
