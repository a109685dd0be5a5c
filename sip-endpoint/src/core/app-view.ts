import { startLine, writeMessage, type HeaderLine } from '../parse/build.ts';
import { isToken, splitList } from '../parse/chars.ts';
import { wireName } from '../parse/header-names.ts';
import { headerValue, type Header, type SipMessage } from '../parse/message.ts';
import { parseNameAddr, tagOf } from '../parse/uri.ts';
import type { AppMessage } from '../wire/command.ts';

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

/** A message from the network as it is shown to the application: unfolded, long names, own Content-Length. */
export function forApplication(message: SipMessage): Buffer {
  const lines: HeaderLine[] = [];
  for (const { name, key, value } of message.headers) {
    if (key === 'content-length') continue;
    const single = ADDRESSES.has(key) && !(key === 'contact' && splitList(value).length > 1);
    lines.push([name, single ? readableAddress(value) : value]);
  }
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

/** The application's own headers, written as they go out, with `@localhost` replaced by our address. */
export function appHeaders(headers: readonly Header[], hostPort: string): HeaderLine[] {
  const lines: HeaderLine[] = [];
  for (const { name, key, value } of headers) {
    if (OURS.has(key)) continue;
    lines.push([wireName(name), LOCALHOST.has(key) ? value.replaceAll('@localhost', `@${hostPort}`) : value]);
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
