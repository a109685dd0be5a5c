import type { CodecName, LegCodec } from '@earshot/contracts';
import type { ParsedMedia } from 'sdp-transform';

/** Payload types that need no rtpmap (RFC 3551 section 6; 19 was CN's before). */
const STATIC_FORMATS: Readonly<Record<string, LegCodec>> = {
  0: { payloadType: 0, name: 'PCMU' },
  8: { payloadType: 8, name: 'PCMA' },
  9: { payloadType: 9, name: 'G722' },
  13: { payloadType: 13, name: 'CN' },
  19: { payloadType: 19, name: 'CN' },
};
/** Rates of L16 that we resample; 44.1 kHz (payload types 10 and 11) is not among them. */
const L16_RATES: ReadonlySet<number> = new Set([8000, 16_000, 32_000, 48_000]);

/** Names of static payload types that we do not take. */
const STATIC_NAMES: Readonly<Record<string, string>> = { 3: 'GSM', 4: 'G723', 15: 'G728', 18: 'G729' };

/** A format by the name that people know it by. */
export function formatName(media: ParsedMedia, format: string): string {
  const map = media.rtp.find((line) => String(line.payload) === format);
  if (map !== undefined) return `${map.codec}/${map.rate ?? 8000}`;
  return STATIC_FORMATS[format]?.name ?? STATIC_NAMES[format] ?? `payload type ${format}`;
}

/** Names by which people know what we decode, for messages. */
export const AUDIO_CODEC_NAMES = 'PCMU, PCMA, G722, opus or L16';

const isAudio = ({ name }: LegCodec): boolean => name !== 'telephone-event' && name !== 'CN';

/**
 * Of an m-line's formats those that we take, in the offerer's order of preference, audio first; without audio, none. CN only at the
 * clock rates of audio that is taken. So is telephone-event (RFC 4733 section 2.1 wants the same clock), and where there is none at
 * those, what there is at 8000: baresip and others offer that alone beside Opus.
 */
export function codecsOf(media: ParsedMedia, formats: readonly string[]): LegCodec[] {
  const known: LegCodec[] = [];
  for (const format of formats) {
    if (!/^\d{1,3}$/.test(format) || Number(format) > 127) continue;
    const payloadType = Number(format);
    if (known.some((codec) => codec.payloadType === payloadType)) continue;
    const map = media.rtp.find((line) => line.payload === payloadType);
    const codec = map === undefined ? STATIC_FORMATS[format] : mapped(payloadType, map);
    if (codec !== undefined) known.push(codec);
  }
  const audio = known.filter(isAudio);
  const rates = new Set(audio.map((codec) => codec.clockRate ?? 8000));
  if (audio.length === 0) return [];
  const fits = known.filter((codec) => !isAudio(codec) && rates.has(codec.clockRate ?? 8000));
  const keys = ({ name }: LegCodec): boolean => name === 'telephone-event';
  const slower = known.filter((codec) => keys(codec) && codec.clockRate === 8000);
  return [...audio, ...fits, ...(fits.some(keys) ? [] : slower)];
}

function mapped(payloadType: number, map: ParsedMedia['rtp'][number]): LegCodec | undefined {
  const rate = map.rate ?? 8000;
  const channels = map.encoding === undefined ? 1 : Number(map.encoding);
  const name = NAMES[String(map.codec).toUpperCase()];
  switch (name) {
    case 'PCMU':
    case 'PCMA':
    case 'G722':
      return rate === 8000 && channels === 1 ? { payloadType, name } : undefined;
    case 'opus':
      // RFC 7587 section 7: always opus/48000/2, whatever is sent.
      return rate === 48_000 && channels === 2
        ? { payloadType, name, clockRate: rate, audioChannels: 2 }
        : undefined;
    case 'L16':
      return L16_RATES.has(rate) && (channels === 1 || channels === 2)
        ? { payloadType, name, clockRate: rate, audioChannels: channels }
        : undefined;
    case 'telephone-event':
    case 'CN':
      return rate % 8000 === 0 && rate <= 48_000 ? { payloadType, name, clockRate: rate } : undefined;
    case undefined:
      return undefined;
  }
}

const NAMES: Readonly<Record<string, CodecName>> = {
  PCMU: 'PCMU',
  PCMA: 'PCMA',
  G722: 'G722',
  OPUS: 'opus',
  L16: 'L16',
  'TELEPHONE-EVENT': 'telephone-event',
  CN: 'CN',
};

/** The a=rtpmap and a=fmtp lines that a codec is answered with. */
export function codecLines(codec: LegCodec): string[] {
  const { payloadType, name, clockRate = 8000, audioChannels = 1 } = codec;
  const lines = [
    `a=rtpmap:${payloadType} ${name}/${clockRate}${audioChannels > 1 ? `/${audioChannels}` : ''}`,
  ];
  if (name === 'telephone-event') lines.push(`a=fmtp:${payloadType} 0-16`);
  // We mix to mono anyway, and repair losses where we can (RFC 7587 section 6.1).
  if (name === 'opus') lines.push(`a=fmtp:${payloadType} stereo=0;useinbandfec=1`);
  return lines;
}
