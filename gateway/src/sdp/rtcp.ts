import { isAddress, valuesOf } from './attributes.ts';

/** What an m-line says of its RTCP. */
export interface RtcpOffer {
  /** RTP and RTCP on one port (RFC 5761 section 5.1.1), or on nothing else (RFC 8858). */
  readonly mux: boolean;
  /** Packets that are not compound may be sent (RFC 5506 section 5). */
  readonly reducedSize: boolean;
  /** Where the offerer's RTCP comes from and ours goes to, without mux: a=rtcp (RFC 3605), else the port above RTP. */
  readonly port: number;
  /** Null: that of the stream. */
  readonly address: string | null;
}

/**
 * @param attributes of the m-line (mediaAttributes)
 * @param rtpPort of the m-line
 */
export function rtcpOf(attributes: readonly string[], rtpPort: number): RtcpOffer {
  const named = valuesOf(attributes, 'rtcp').map(readRtcp)[0] ?? null;
  return {
    mux: ['rtcp-mux', 'rtcp-mux-only'].some((name) => valuesOf(attributes, name).length > 0),
    reducedSize: valuesOf(attributes, 'rtcp-rsize').length > 0,
    port: named?.port ?? (rtpPort + 1) & 0xffff,
    address: named?.address ?? null,
  };
}

/** `53020` or `53020 IN IP4 192.0.2.7`; null when it is neither, and then as good as not said. */
function readRtcp(value: string): { readonly port: number; readonly address: string | null } | null {
  const match = /^(\d{1,5})(?:[ \t]+IN[ \t]+IP[46][ \t]+(\S+))?$/i.exec(value.trim());
  const port = Number(match?.[1] ?? 0);
  if (port === 0 || port > 65_535) return null;
  const address = match?.[2] ?? null;
  return address === null || isAddress(address) ? { port, address } : null;
}

/**
 * The attributes of the answer: mux and reduced size are taken where they are offered (RFC 5761 section 5.1.1, RFC 5506 section
 * 5). a=rtcp is left out, because without mux our RTCP is on the port above RTP.
 */
export const rtcpAnswer = (offer: RtcpOffer): string[] => [
  ...(offer.mux ? ['rtcp-mux'] : []),
  ...(offer.reducedSize ? ['rtcp-rsize'] : []),
];
