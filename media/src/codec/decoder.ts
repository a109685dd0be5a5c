import { G711Decoder } from './g711-decoder.ts';
import { G722Decoder } from './g722-decoder.ts';
import { L16_RATES, L16Decoder } from './l16-decoder.ts';
import { OpusDecoder } from './opus-decoder.ts';
import { hasOpus } from './opus-native.ts';
import type { Decoder, DecoderSpec } from './spec.ts';

export { type Decoder, type DecoderSpec, MALFORMED, TOO_LONG } from './spec.ts';

/** @returns whether newDecoder has a decoder for it */
export function canDecode({ name, clockRate, channels }: DecoderSpec): boolean {
  switch (name.toUpperCase()) {
    case 'PCMU':
    case 'PCMA':
    case 'G722':
      return clockRate === 8000 && channels === 1;
    case 'L16':
      return L16_RATES.includes(clockRate) && (channels === 1 || channels === 2);
    case 'OPUS':
      return hasOpus && clockRate === 48000; // RFC 7587, section 7: always /48000/2, whatever is sent
    default:
      return false;
  }
}

/**
 * A decoder for one stream. fmtp of Opus are the sender's hints (RFC 7587, section 6.1); each packet says for itself what it is.
 * @param rate Hz of what it writes, where the codec has more than the telephone band: PCMU, PCMA and L16/8000 write 8000
 * @throws RangeError for what canDecode refuses: SDP answers are made of what it allows
 */
export function newDecoder(codec: DecoderSpec, rate: 8000 | 16000): Decoder {
  const name = codec.name.toUpperCase();
  if (!canDecode(codec)) {
    throw new RangeError(`no decoder for ${codec.name}/${codec.clockRate}/${codec.channels}`);
  }
  if (name === 'PCMU' || name === 'PCMA') return new G711Decoder(name);
  if (name === 'G722') return new G722Decoder(rate);
  if (name === 'L16') return new L16Decoder(codec.clockRate, codec.channels, rate);
  return new OpusDecoder(rate);
}
