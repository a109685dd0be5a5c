import { startLine, writeMessage, type HeaderLine } from '../parse/build.ts';
import { isToken, splitList } from '../parse/chars.ts';
import { wireName } from '../parse/header-names.ts';
import { headerValue, type Header, type SipMessage } from '../parse/message.ts';
import { parseNameAddr, tagOf } from '../parse/uri.ts';
import type { ClientTransaction } from '../transaction/client.ts';
import type { Flow, Target } from '../transport/flow.ts';
import type { AppMessage } from '../wire/command.ts';
import type { Endpoint } from '../wire/leader.ts';
import { transportParam, type OurAddress } from './addressing.ts';

export const endpointOf = ({ proto, host, port }: Target): Endpoint => ({ proto, address: host, port });

export const peerOf = ({ proto, remoteAddress, remotePort }: Flow): Endpoint => ({
  proto,
  address: remoteAddress,
  port: remotePort,
});

const RESPONSE_HEADERS = new Set(['Via', 'From', 'To', 'Call-ID', 'CSeq']);

/** The response that we make for a request that nobody answered or that could not be sent. */
export function localResponse({ request }: ClientTransaction, status: 408 | 503): Buffer {
  const lines = request.headers.filter(([name]) => RESPONSE_HEADERS.has(name));
  const reason = status === 408 ? 'Request Timeout' : 'Service Unavailable';
  return writeMessage(`SIP/2.0 ${status} ${reason}`, lines);
}

const ADDRESSES = new Set(['from', 'to', 'contact']);

/**
 * A name-addr as drachtio-srf can read it. Its pattern fails on unquoted display names with characters outside
 * `token`, such as umlauts, and then loses the tag.
 */
function readableAddress(value: string): string {
  const open = value.indexOf('<');
  if (open <= 0 || value.startsWith('"')) return value;
  const display = value.slice(0, open).trim();
  if (display === '' || display.split(/\s+/).every(isToken)) return value;
  return `"${display.replace(/["\\]/g, '\\$&')}" ${value.slice(open)}`;
}

/**
 * A message from the network as it is shown to the application: unfolded, long names, own Content-Length. A NUL, which a
 * quoted-pair may hold and a database may not, becomes `?`.
 * @param contact put in where there is none: RFC 2543 did without, applications do not
 */
export function forApplication(message: SipMessage, contact?: string): Buffer {
  const lines: HeaderLine[] = [];
  for (const { name, key, value } of message.headers) {
    if (key === 'content-length') continue;
    const single = ADDRESSES.has(key) && !(key === 'contact' && splitList(value).length > 1);
    const text = value.includes('\0') ? value.replaceAll('\0', '?') : value;
    lines.push([name, single ? readableAddress(text) : text]);
  }
  if (contact !== undefined && headerValue(message.headers, 'contact') === undefined)
    lines.push(['Contact', contact]);
  return writeMessage(startLine(message), lines, message.body);
}

/** Headers that are ours to make, whatever the application writes. */
const OURS = new Set([
  'via',
  'route',
  'record-route',
  'rseq',
  'content-length',
  'max-forwards',
  'call-id',
  'cseq',
  'from',
  'to',
]);

const LOCALHOST = new Set(['contact', 'p-asserted-identity', 'p-preferred-identity']);

/** Our own URI as an application writes it: it cannot know the address, nor the scheme that goes with it. */
const OWN_CONTACT = /<sips?:([^<>@]*@)localhost(?:;transport=[a-z]+)?/gi;

/** The application's own headers, written as they go out, with `@localhost` replaced by our address. */
export function appHeaders(headers: readonly Header[], ours: OurAddress): HeaderLine[] {
  const { hostPort, proto, secure } = ours;
  const scheme = secure ? 'sips' : 'sip';
  const lines: HeaderLine[] = [];
  for (const { name, key, value } of headers) {
    if (OURS.has(key)) continue;
    let text = value;
    if (key === 'contact')
      text = text.replace(OWN_CONTACT, `<${scheme}:$1${hostPort}${transportParam(proto, secure)}`);
    if (LOCALHOST.has(key)) text = text.replaceAll('@localhost', `@${hostPort}`);
    lines.push([wireName(name), text]);
  }
  return lines;
}

const SDP_START = Buffer.from('v=0');

/** Content-Type to add: SDP is recognised; `missing` when a body has none and is no SDP. */
export function contentType(message: AppMessage): 'present' | 'application/sdp' | 'missing' {
  if (message.body.length === 0 || headerValue(message.headers, 'content-type') !== undefined)
    return 'present';
  return message.body.subarray(0, 3).equals(SDP_START) ? 'application/sdp' : 'missing';
}

/** The To tag that the application chose, if it wrote a usable one. */
export function chosenToTag(message: AppMessage): string | undefined {
  const to = headerValue(message.headers, 'to');
  const address = to === undefined ? undefined : parseNameAddr(to);
  const tag = address === undefined ? undefined : tagOf(address);
  return tag !== undefined && isToken(tag) ? tag : undefined;
}
