import { EarshotError, type LegCodec } from '@earshot/contracts';
import sdpTransform, { type ParsedMedia, type ParsedSession } from 'sdp-transform';
import { mediaAttributes, valuesOf } from './attributes.ts';
import { type CryptoAttribute, chooseCrypto } from './crypto.ts';
import { type RtcpOffer, rtcpOf } from './rtcp.ts';
import { AUDIO_CODEC_NAMES, codecsOf, formatName } from './codecs.ts';

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One m-line of an offer, in order. */
export interface OfferedMedia {
  /** `audio`, `video`, … as offered. */
  readonly kind: string;
  /** 0: the offerer disabled the stream (RFC 3264 section 5.1). */
  readonly port: number;
  readonly protocol: string;
  /** Format tokens as offered; repeated in the answer when the m-line is refused. */
  readonly formats: readonly string[];
  readonly label: string | null;
  readonly direction: Direction;
  /** The c= address that holds for this m-line, or null where there is none. */
  readonly address: string | null;
  /** Of the offered formats those we take, audio first, in the offerer's order of preference. */
  readonly codecs: readonly LegCodec[];
  /** All its formats, by name, for messages. */
  readonly formatNames: readonly string[];
  /** How it is protected; null where it is not, or not as we can. */
  readonly crypto: CryptoAttribute | null;
  /** Why a stream that is to be protected cannot be taken. */
  readonly cryptoFault: string | null;
  readonly rtcp: RtcpOffer;
  /** a=ptime and a=maxptime (RFC 8866 section 6.4), milliseconds; null where there is none that makes sense. */
  readonly ptimeMs: number | null;
  readonly maxPtimeMs: number | null;
  /** An audio stream that is on, in a protocol we take, with a codec we take. */
  readonly acceptable: boolean;
  /** No media is to come for now: inactive, recvonly, or the old way of holding, c=0.0.0.0 (RFC 3264 section 8.4). */
  readonly held: boolean;
}

export interface Offer {
  /** o= session id and version, as texts: they may be too big for a number. */
  readonly sessionId: string;
  readonly sessionVersion: string;
  /** The values of t=, which the answer repeats (RFC 3264 section 6); `0 0` where there are none. */
  readonly timing: string;
  readonly media: readonly OfferedMedia[];
}

export const MAX_SDP_CHARS = 65_536;
const MAX_MEDIA = 32;
const MAX_FORMATS = 64;
/** The longest packet that our decoders take whole. */
const MAX_PTIME_MS = 240;
const PLAIN: ReadonlySet<string> = new Set(['RTP/AVP', 'RTP/AVPF']);
/** With keys in the SDP (RFC 4568). */
const PROTECTED: ReadonlySet<string> = new Set(['RTP/SAVP', 'RTP/SAVPF']);

/**
 * Reads an SDP offer (RFC 8866, RFC 3264). Tolerant of what devices leave out (t=, s=), strict on what the answer
 * depends on: v=, o= and the m-lines.
 * @throws EarshotError SDP_MALFORMED that names the line
 */
export function parseOffer(sdp: string): Offer {
  if (sdp.length > MAX_SDP_CHARS) throw malformed(`longer than ${MAX_SDP_CHARS} characters`);
  const mediaLines = checkLines(sdp);
  // The number of ports behind the port (RFC 8866 section 5.14) is for layered codecs; sdp-transform reads no line that has it.
  const session = sdpTransform.parse(sdp.replace(/^(m=\S+ \d+)\/\d+/gm, '$1'));
  const attributes = mediaAttributes(sdp);
  if (session.origin === undefined) throw malformed('the o= line is missing or not of six fields');
  if (session.media.length !== mediaLines) throw malformed('an m= line cannot be read');
  return {
    sessionId: String(session.origin.sessionId),
    sessionVersion: String(session.origin.sessionVersion),
    timing: /^t=(\d{1,20} \d{1,20})\s*$/m.exec(sdp)?.[1] ?? '0 0',
    media: session.media.map((media, index) => readMedia(session, media, index, attributes[index] ?? [])),
  };
}

/**
 * That the offer has a stream that we can take.
 * @throws EarshotError SDP_NO_AUDIO, CODEC_UNSUPPORTED
 */
export function requireAcceptable(offer: Offer): void {
  if (offer.media.some((media) => media.acceptable)) return;
  const audio = offer.media.filter((media) => media.kind === 'audio' && media.port !== 0);
  if (audio.length === 0) {
    const what = offer.media.length === 0 ? 'no m= line' : 'no m=audio line with a port';
    throw new EarshotError('SDP_NO_AUDIO', `the offer has ${what}`);
  }
  throw new EarshotError('CODEC_UNSUPPORTED', whyNot(audio[0]!));
}

/** Why an audio stream with a port is not acceptable. No key is in it. */
export function whyNot({ protocol, cryptoFault, formatNames }: OfferedMedia): string {
  const transport = protocol.slice(0, 40);
  if (cryptoFault !== null) return `${transport}: ${cryptoFault}`;
  if (!PLAIN.has(protocol) && !PROTECTED.has(protocol)) {
    return `transport ${transport} is not supported; offer RTP/AVP, or RTP/SAVP with a=crypto`;
  }
  return `${formatNames.join(', ').slice(0, 80)} cannot be decoded; offer ${AUDIO_CODEC_NAMES}`;
}

/** @returns how many m= lines there are */
function checkLines(sdp: string): number {
  const lines = sdp.split(/\r\n|\n|\r/);
  while (lines.length > 0 && lines.at(-1)!.trim() === '') lines.pop();
  if (lines.length === 0) throw malformed('empty');
  if (lines[0]!.trim() !== 'v=0') throw malformed('line 1 is not v=0');
  let media = 0;
  for (const [index, line] of lines.entries()) {
    if (!/^[A-Za-z]=/.test(line) && line.trim() !== '')
      throw malformed(`line ${index + 1} is not type=value`);
    if (line.startsWith('m=')) media++;
  }
  if (media > MAX_MEDIA) throw malformed(`more than ${MAX_MEDIA} m= lines`);
  return media;
}

function readMedia(
  session: ParsedSession,
  media: ParsedMedia,
  index: number,
  attributes: readonly string[],
): OfferedMedia {
  const { type, port, protocol } = media;
  if (typeof type !== 'string' || typeof port !== 'number' || typeof protocol !== 'string') {
    throw malformed(`m= line ${index + 1} is not kind, port, protocol and formats`);
  }
  if (port > 65_535) throw malformed(`port ${port} of m= line ${index + 1} is above 65535`);
  const formats = String(media.payloads ?? '')
    .trim()
    .split(/\s+/)
    .filter((format) => format !== '')
    .slice(0, MAX_FORMATS);
  if (formats.length === 0) throw malformed(`m= line ${index + 1} has no format`);
  const connection = media.connection ?? session.connection;
  const address = connection === undefined ? null : String(connection.ip).split('/')[0]!;
  const direction = directionOf(media.direction ?? session.direction);
  const codecs = codecsOf(media, formats);
  const choice = PROTECTED.has(protocol) ? chooseCrypto(valuesOf(attributes, 'crypto')) : null;
  const dtls = valuesOf(attributes, 'fingerprint').length > 0 && valuesOf(attributes, 'crypto').length === 0;
  const transportTaken = PLAIN.has(protocol) || choice?.kind === 'chosen';
  return {
    kind: type,
    port,
    protocol,
    formats,
    label: media.label === undefined ? null : String(media.label).trim(),
    direction,
    address,
    codecs,
    formatNames: formats.map((format) => formatName(media, format)),
    crypto: choice?.kind === 'chosen' ? choice.attribute : null,
    cryptoFault:
      choice?.kind !== 'none'
        ? null
        : dtls
          ? 'keys by DTLS are not supported; offer a=crypto, or RTP/AVP'
          : choice.why,
    rtcp: rtcpOf(attributes, port),
    ptimeMs: millisecondsOf(valuesOf(attributes, 'ptime')[0]),
    maxPtimeMs: millisecondsOf(valuesOf(attributes, 'maxptime')[0]),
    acceptable: type === 'audio' && port !== 0 && transportTaken && codecs.length > 0,
    held: direction === 'inactive' || direction === 'recvonly' || address === '0.0.0.0' || address === '::',
  };
}

function millisecondsOf(value: string | undefined): number | null {
  const milliseconds = /^\s*\d{1,3}(\.\d+)?\s*$/.test(value ?? '') ? Math.floor(Number(value)) : 0;
  return milliseconds > 0 ? Math.min(milliseconds, MAX_PTIME_MS) : null;
}

function directionOf(attribute: string | undefined): Direction {
  switch (attribute) {
    case 'sendonly':
    case 'recvonly':
    case 'inactive':
      return attribute;
    default:
      // RFC 3264 section 5.1: sendrecv where the attribute is left out (Metaswitch leaves it out).
      return 'sendrecv';
  }
}

const malformed = (what: string): EarshotError => new EarshotError('SDP_MALFORMED', `SDP: ${what}`);
