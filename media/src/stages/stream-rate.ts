import type { LegCodec } from '@earshot/contracts';

/** Comfort noise at 8 kHz has this type (RFC 3551 table 4). Senders use it where it was not offered, too. */
export const COMFORT_NOISE_TYPE = 13;

export const clockRateOf = ({ clockRate = 8000 }: LegCodec): number => clockRate;
const isAudio = ({ name }: LegCodec): boolean => name !== 'telephone-event' && name !== 'CN';

/**
 * What the timestamps of a payload type's packets count in, Hz: events are stamped by the stream's clock, whatever clock their
 * durations are in (telephone-event/8000 beside Opus, against RFC 4733, section 2.1).
 * @param codecs of the channel, in order of preference
 */
export function streamRateOf(codec: LegCodec, codecs: readonly LegCodec[]): number {
  const clockRate = clockRateOf(codec);
  const rates = codecs.filter(isAudio).map(clockRateOf);
  return isAudio(codec) || rates.includes(clockRate) ? clockRate : (rates[0] ?? clockRate);
}
