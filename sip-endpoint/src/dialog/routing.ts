import type { HeaderLine } from '../parse/build.ts';
import { splitList } from '../parse/chars.ts';
import { headerValue, headerValues, type SipMessage } from '../parse/message.ts';
import { parseNameAddr, parseSipUri, type SipUri } from '../parse/uri.ts';
import { bareHost, DEFAULT_PORT, type Connection, type Proto, type Target } from '../transport/flow.ts';
import type { DialogRecord } from './record.ts';

/** URI of the first Contact, if it is a SIP or SIPS URI. */
export function contactUri(message: SipMessage): string | undefined {
  const contact = headerValue(message.headers, 'contact');
  const address = contact === undefined ? undefined : parseNameAddr(splitList(contact)[0] ?? '');
  return address !== undefined && parseSipUri(address.uri) !== undefined ? address.uri : undefined;
}

/** Route set of a UAS: the Record-Route values in the order received (RFC 3261 section 12.1.1). */
export const routeSetOf = (message: SipMessage): string[] => headerValues(message.headers, 'record-route');

/** Request-URI, Route headers and next hop of a request in a dialog. */
export interface Hop {
  readonly uri: string;
  readonly routes: readonly HeaderLine[];
  /** URI that decides where the request is sent. */
  readonly nextUri: string;
}

const withoutHeaders = (uri: string): string => uri.split('?')[0] ?? uri;

/** Loose and strict routing (RFC 3261 section 12.2.1.1). */
export function routeRequest(record: DialogRecord): Hop {
  const first = record.routeSet[0] === undefined ? undefined : parseNameAddr(record.routeSet[0]);
  const target = withoutHeaders(record.remoteTarget);
  const lines = (values: readonly string[]): HeaderLine[] => values.map((value) => ['Route', value]);
  if (first === undefined) return { uri: target, routes: [], nextUri: target };
  if (parseSipUri(first.uri)?.params.has('lr') === true)
    return { uri: target, routes: lines(record.routeSet), nextUri: first.uri };
  return {
    uri: withoutHeaders(first.uri),
    routes: lines([...record.routeSet.slice(1), `<${target}>`]),
    nextUri: first.uri,
  };
}

/**
 * Where a URI is reached. Without a transport parameter the dialog's own transport is kept: a peer that called
 * over TCP from behind a connection is best answered over it. An open connection of a TCP or TLS dialog is reused, since
 * a Contact behind an address translator cannot be dialled.
 */
export function resolveTarget(
  uri: string,
  fallback: Proto,
  connection: Connection | undefined,
): Target | undefined {
  const parsed = parseSipUri(uri);
  if (parsed === undefined) return undefined;
  const proto = protoOf(parsed, fallback);
  if (proto === undefined) return undefined;
  const host = bareHost(parsed.params.get('maddr') ?? parsed.host);
  const reuse = connection?.proto === proto && connection.open ? connection : undefined;
  return { proto, host, port: parsed.port ?? DEFAULT_PORT[proto], connection: reuse };
}

/** `sips:`, and `transport=tcp` of a sips URI, mean TLS (RFC 3261 section 26.2.2). */
function protoOf({ scheme, params }: SipUri, fallback: Proto): Proto | undefined {
  const named = params.get('transport')?.toLowerCase();
  if (scheme === 'sips') return named === undefined || named === 'tcp' || named === 'tls' ? 'tls' : undefined;
  if (named === undefined) return fallback;
  return named === 'udp' || named === 'tcp' || named === 'tls' ? named : undefined;
}
