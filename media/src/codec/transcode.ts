import { type CodecName, encoderOf, linearTableOf } from '@earshot/contracts';

/** The codes of one G.711 law for each code of the other. */
const tableOf = (from: CodecName, to: CodecName): Uint8Array =>
  Uint8Array.from(linearTableOf(from), encoderOf(to));

const ULAW_TO_ALAW = tableOf('PCMU', 'PCMA');
const ALAW_TO_ULAW = tableOf('PCMA', 'PCMU');

/** @returns the table from codes of one law to the other, or null when they are the same */
export function transcodeTable(from: CodecName, to: CodecName): Uint8Array | null {
  if (from === to) return null;
  return from === 'PCMU' ? ULAW_TO_ALAW : ALAW_TO_ULAW;
}
