import type { Params, SipRequest, SipResponse, ParseFault, Answerable, Via } from '../parse/message.ts';
import { formatVia } from '../parse/via.ts';

export type Proto = 'udp' | 'tcp';

/** An open TCP connection as the upper layers see it. */
export interface Connection {
  readonly open: boolean;
  send(bytes: Buffer): void;
}

/** Where a message came from and on which of our addresses it arrived. Addresses are bare IP text. */
export interface Flow {
  readonly proto: Proto;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connection: Connection | undefined;
}

/** Where a message is to go. An open `connection` is used; otherwise one is made, or a datagram is sent. */
export interface Target {
  readonly proto: Proto;
  /** IP address or host name, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly connection: Connection | undefined;
}

/** What the transports tell the layer above. */
export interface TransportUser {
  onRequest(request: SipRequest, flow: Flow): void;
  onResponse(response: SipResponse, flow: Flow): void;
  onFault(fault: ParseFault, answerable: Answerable | undefined, flow: Flow): void;
}

export const bareHost = (host: string): string =>
  host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;

/** A host as it stands in a URI or Via: IPv6 in brackets. */
export const uriHost = (address: string): string => (address.includes(':') ? `[${address}]` : address);

function stampedParams(via: Via, flow: Flow): Params | undefined {
  const wantsRport = via.params.has('rport');
  const differs = bareHost(via.host).toLowerCase() !== flow.remoteAddress.toLowerCase();
  // A peer may not choose its own `received` or `rport`: answers would go to whom it likes.
  if (!wantsRport && !differs && !via.params.has('received')) return undefined;
  const params = new Map(via.params);
  params.delete('received');
  if (wantsRport) params.set('rport', String(flow.remotePort));
  if (wantsRport || differs) params.set('received', flow.remoteAddress);
  return params;
}

/** Adds `received` and `rport` to the topmost Via (RFC 3261 section 18.2.1, RFC 3581 section 4). */
export function stampVia(request: SipRequest, flow: Flow): SipRequest {
  const params = stampedParams(request.via, flow);
  if (params === undefined) return request;
  const via: Via = { ...request.via, params };
  let stamped = false;
  const headers = request.headers.map((header) => {
    if (stamped || header.key !== 'via') return header;
    stamped = true;
    return { ...header, value: formatVia(via) };
  });
  return { ...request, via, headers };
}

/**
 * Where the responses to a request go (RFC 3261 section 18.2.2, RFC 3581 section 4): the same connection, else
 * the source address with the port of `rport` or of sent-by. `maddr` is not followed: it is for multicast, and
 * would let anyone aim our responses.
 */
export function responseTarget(via: Via, flow: Flow): Target {
  const rport = flow.proto === 'udp' && via.params.has('rport');
  const port = rport ? flow.remotePort : (via.port ?? 5060);
  return { proto: flow.proto, host: flow.remoteAddress, port, connection: flow.connection };
}
