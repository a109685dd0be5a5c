import type { Dialect } from './invite.ts';
import { isSiprec } from './marks.ts';

/** SIPREC as RFC 7866 has it: SDP with labelled streams and a metadata part. */
export const siprecRfc7866: Dialect = { name: 'siprec-rfc7866', recognises: isSiprec };
