import { isIPv6, SocketAddress } from 'node:net';
import type { Params, SipRequest, SipResponse, ParseFault, Answerable, Via } from '../parse/message.ts';
import { formatVia } from '../parse/via.ts';

export type Proto = 'udp' | 'tcp' | 'tls';

/** Where SIP is found when no port is named (RFC 3261 section 18). */
export const DEFAULT_PORT: Readonly<Record<Proto, number>> = { udp: 5060, tcp: 5060, tls: 5061 };

/** True where what is sent arrives or the connection breaks: no repeats by timers. */
export const isReliable = (proto: Proto): boolean => proto !== 'udp';

/** An open TCP or TLS connection as the upper layers see it. */
export interface Connection {
  readonly proto: Proto;
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
  /** IP address or host name, brackets allowed. */
  readonly host: string;
  readonly port: number;
  readonly connection: Connection | undefined;
}

/** What the transports tell the layer above. */
export interface TransportUser {
  onRequest(request: SipRequest, flow: Flow): void;
  onResponse(response: SipResponse, flow: Flow): void;
  onFault(fault: ParseFault, answerable: Answerable | undefined, flow: Flow): void;
  /** Connections that dialogs use; they are not closed for being idle. */
  connectionsInUse(): ReadonlySet<Connection>;
}

/** What the layers above need of the transports. */
export interface TransportSet {
  /** Bound address and port, or undefined where that transport is off. */
  local(proto: Proto): { readonly address: string; readonly port: number } | undefined;
  /** Open TCP and TLS connections. */
  readonly connections: number;
  /** Sends, or calls `failed` once, never throws. */
  send(bytes: Buffer, target: Target, failed: (error: Error) => void): void;
  close(): Promise<void>;
}

export const bareHost = (host: string): string =>
  host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;

/** An IPv4 address that arrived on a dual-stack socket, without its `::ffff:`. */
export const plainAddress = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;

/** A host as it stands in a URI or Via: IPv6 in brackets. */
export const uriHost = (address: string): string => {
  const text = withoutZone(address);
  return text.includes(':') ? `[${text}]` : text;
};

/** The zone of a link-local address (`%eth0`) means nothing to anyone else. */
const withoutZone = (address: string): string => address.split('%', 1)[0] ?? address;

/** Where a message came from as a URI, for a peer that names no Contact. */
export const sourceUri = ({ proto, remoteAddress, remotePort }: Flow): string =>
  `sip:${uriHost(remoteAddress)}:${remotePort}${proto === 'udp' ? '' : `;transport=${proto}`}`;

/** IPv6 addresses have many spellings; a name is never the same as an address. */
function sameAddress(host: string, address: string): boolean {
  if (host === address) return true;
  return (
    isIPv6(host) &&
    isIPv6(address) &&
    new SocketAddress({ address: host, family: 'ipv6' }).address ===
      new SocketAddress({ address, family: 'ipv6' }).address
  );
}

function stampedParams(via: Via, flow: Flow): Params | undefined {
  const wantsRport = via.params.has('rport');
  const differs = !sameAddress(bareHost(via.host), flow.remoteAddress);
  // A peer may not choose its own `received` or `rport`: answers would go to whom it likes.
  if (!wantsRport && !differs && !via.params.has('received')) return undefined;
  const params = new Map(via.params);
  params.delete('received');
  if (wantsRport) params.set('rport', String(flow.remotePort));
  if (wantsRport || differs) params.set('received', withoutZone(flow.remoteAddress));
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
  const port = rport ? flow.remotePort : (via.port ?? DEFAULT_PORT[flow.proto]);
  return { proto: flow.proto, host: flow.remoteAddress, port, connection: flow.connection };
}
