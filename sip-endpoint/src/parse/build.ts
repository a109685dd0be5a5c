import { headerValue, type Answerable, type Header, type SipMessage, type SipRequest } from './message.ts';
import { parseNameAddr, tagOf } from './uri.ts';

/** Header fields of a message that is being written; Content-Length is added by `writeMessage`. */
export type HeaderLine = readonly [name: string, value: string];

const EMPTY = Buffer.alloc(0);

/** Writes a message; `Content-Length` is always ours, in bytes. */
export function writeMessage(startLine: string, headers: Iterable<HeaderLine>, body: Buffer = EMPTY): Buffer {
  let head = startLine + '\r\n';
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  head += `Content-Length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, 'latin1');
  body.copy(bytes, head.length);
  return bytes;
}

/** Start line of a message that was read. */
export function startLine(message: SipMessage): string {
  return message.kind === 'request'
    ? `${message.method} ${message.uri} SIP/2.0`
    : `SIP/2.0 ${message.status} ${message.reason}`;
}

/** Writes a message that was read: unfolded, long header names, Content-Length recomputed and last. */
export function serialize(message: SipMessage): Buffer {
  const lines: HeaderLine[] = [];
  for (const header of message.headers) {
    if (header.key !== 'content-length') lines.push([header.name, header.value]);
  }
  return writeMessage(startLine(message), lines, message.body);
}

export interface ResponseParts {
  readonly status: number;
  readonly reason: string;
  /** Added to To where the request has no tag there. */
  readonly toTag?: string | undefined;
  readonly headers?: readonly HeaderLine[];
  readonly body?: Buffer;
}

const COPIED = new Set(['via', 'from', 'to', 'call-id', 'cseq']);

/**
 * Builds a response as RFC 3261 section 8.2.6 says: Via, From, To, Call-ID and CSeq copied, the To tag added,
 * Record-Route copied where the response can establish a dialog (section 12.1.1).
 */
export function buildResponse(request: SipRequest | Answerable, parts: ResponseParts): Buffer {
  const lines: HeaderLine[] = [];
  const recordRoutes = request.method === 'INVITE' && parts.status > 100 && parts.status < 300;
  for (const header of request.headers) {
    if (header.key === 'to') lines.push(['To', withTag(header, parts)]);
    else if (COPIED.has(header.key)) lines.push([header.name, header.value]);
    else if (recordRoutes && header.key === 'record-route') lines.push([header.name, header.value]);
    else if (parts.status === 100 && header.key === 'timestamp') lines.push([header.name, header.value]);
  }
  if (parts.headers !== undefined) lines.push(...parts.headers);
  return writeMessage(`SIP/2.0 ${parts.status} ${parts.reason}`, lines, parts.body);
}

function withTag(to: Header, parts: ResponseParts): string {
  if (parts.toTag === undefined || parts.status === 100) return to.value;
  const address = parseNameAddr(to.value);
  return address !== undefined && tagOf(address) !== undefined ? to.value : `${to.value};tag=${parts.toTag}`;
}

/** The To value of a response to this request, tag included. */
export function taggedTo(request: SipRequest, toTag: string): string {
  const value = headerValue(request.headers, 'to') ?? '';
  return tagOf(request.to) === undefined ? `${value};tag=${toTag}` : value;
}
