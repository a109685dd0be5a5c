import type { LegCodec } from '@earshot/contracts';
import { codecLines } from './codecs.ts';
import type { OfferedMedia, Offer } from './offer.ts';

export interface AnswerOrigin {
  /** Our session's id: digits, the same for the whole dialog. */
  readonly sessionId: string;
  /** Rises with each description that differs from the one before (RFC 3264 section 8). */
  readonly version: number;
  /** Where RTP is to be sent; goes into o= and c=. */
  readonly address: string;
}

/** What is answered to one m-line; null to refuse it. */
export type AnsweredMedia = AnsweredStream | null;

export interface AnsweredStream {
  readonly rtpPort: number;
  readonly codecs: readonly LegCodec[];
  /** How much audio we would have in a packet, milliseconds; left out: 20. */
  readonly ptimeMs?: number;
  /** The most; left out where the offer says nothing of it. */
  readonly maxPtimeMs?: number;
  /** Further attributes, without `a=`: crypto, rtcp-mux. */
  readonly attributes?: readonly string[];
}

/**
 * The answer to an offer (RFC 3264 section 6): every m-line in order, the refused ones with port 0. We only listen:
 * `recvonly`, or `inactive` where the offerer sends nothing. `a=label` is repeated: NetSapiens sends no media without it.
 * a=rtcp is left out, because RTCP is on the port above RTP (RFC 3605). a=group and a=mid, too, which means that nothing is
 * bundled (RFC 9143 section 7.3).
 */
export function buildAnswer(origin: AnswerOrigin, offer: Offer, media: readonly AnsweredMedia[]): string {
  const lines = head(origin, offer.timing);
  for (const [index, offered] of offer.media.entries()) {
    const answered = media[index] ?? null;
    if (answered === null) {
      lines.push(`m=${offered.kind} 0 ${offered.protocol} ${offered.formats.join(' ')}`);
      if (offered.label !== null) lines.push(`a=label:${offered.label}`);
      continue;
    }
    lines.push(...streamLines(offered.protocol, answered, directionFor(offered), offered.label));
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** Our own offer of one stream, for an INVITE that came without SDP (delayed offer, RFC 3261 section 13.2.1). */
export function buildOwnOffer(origin: AnswerOrigin, media: readonly AnsweredStream[]): string {
  const lines = head(origin, '0 0');
  for (const stream of media) lines.push(...streamLines('RTP/AVP', stream, 'recvonly', null));
  return `${lines.join('\r\n')}\r\n`;
}

function head({ sessionId, version, address }: AnswerOrigin, timing: string): string[] {
  const network = address.includes(':') ? 'IP6' : 'IP4';
  return [
    'v=0',
    `o=earshot ${sessionId} ${version} IN ${network} ${address}`,
    's=earshot',
    `c=IN ${network} ${address}`,
    `t=${timing}`,
  ];
}

function streamLines(
  protocol: string,
  stream: AnsweredStream,
  direction: string,
  label: string | null,
): string[] {
  return [
    `m=audio ${stream.rtpPort} ${protocol} ${stream.codecs.map((codec) => codec.payloadType).join(' ')}`,
    ...stream.codecs.flatMap(codecLines),
    `a=ptime:${stream.ptimeMs ?? 20}`,
    ...(stream.maxPtimeMs === undefined ? [] : [`a=maxptime:${stream.maxPtimeMs}`]),
    `a=${direction}`,
    ...(stream.attributes ?? []).map((attribute) => `a=${attribute}`),
    ...(label === null ? [] : [`a=label:${label}`]),
  ];
}

const directionFor = (offered: OfferedMedia): 'recvonly' | 'inactive' =>
  offered.direction === 'inactive' || offered.direction === 'recvonly' ? 'inactive' : 'recvonly';
