import { encoderOf, type Law, linearTableOf } from '@earshot/contracts';

/** The codes of one G.711 law for each code of the other. */
const tableOf = (from: Law, to: Law): Uint8Array => Uint8Array.from(linearTableOf(from), encoderOf(to));

const ULAW_TO_ALAW = tableOf('PCMU', 'PCMA');
const ALAW_TO_ULAW = tableOf('PCMA', 'PCMU');

/** @returns the table from codes of one law to the other */
export const transcodeTable = (from: Law, to: Law): Uint8Array =>
  from === 'PCMU' && to === 'PCMA' ? ULAW_TO_ALAW : ALAW_TO_ULAW;
