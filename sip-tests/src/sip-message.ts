/** SIP messages as values (RFC 3261 section 7): as much as a calling user agent needs. */

export type SipHeaders = [name: string, value: string][];

export interface SipRequest {
  kind: 'request';
  method: string;
  uri: string;
  headers: SipHeaders;
  body: Uint8Array;
}

export interface SipResponse {
  kind: 'response';
  status: number;
  reason: string;
  headers: SipHeaders;
  body: Uint8Array;
}

export type SipMessage = SipRequest | SipResponse;

const compactNames: Record<string, string> = {
  i: 'call-id',
  m: 'contact',
  e: 'content-encoding',
  l: 'content-length',
  c: 'content-type',
  f: 'from',
  s: 'subject',
  k: 'supported',
  t: 'to',
  v: 'via',
};

function canonicalName(name: string): string {
  const lower = name.trim().toLowerCase();
  return compactNames[lower] ?? lower;
}

/** The first value of a header, by its long name in any case. */
export function header(message: SipMessage, name: string): string | undefined {
  return headerValues(message, name)[0];
}

/** All values of a header in their order, one for each line. */
export function headerValues(message: SipMessage, name: string): string[] {
  const wanted = canonicalName(name);
  return message.headers
    .filter(([candidate]) => canonicalName(candidate) === wanted)
    .map(([, value]) => value);
}

/** The `tag` parameter of a From or To value. */
export function tagOf(value: string | undefined): string | undefined {
  // Parameters of the header come after the address: a `>` ends a bracketed one.
  return /;\s*tag=([^;,\s]+)/i.exec(value?.slice(value.lastIndexOf('>') + 1) ?? '')?.[1];
}

/** The URI of a name-addr or addr-spec such as a Contact value. */
export function uriOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return /<([^>]*)>/.exec(value)?.[1] ?? /^\s*([^\s;]+)/.exec(value)?.[1];
}

/** The `branch` parameter of the topmost Via. */
export function branchOf(message: SipMessage): string | undefined {
  return /;\s*branch=([^;,\s]+)/i.exec(header(message, 'via') ?? '')?.[1];
}

/** Sequence number and method of the CSeq header. */
export function cseqOf(message: SipMessage): { number: number; method: string } | undefined {
  const match = /^\s*(\d+)\s+(\S+)/.exec(header(message, 'cseq') ?? '');
  return match?.[1] !== undefined && match[2] !== undefined
    ? { number: Number(match[1]), method: match[2].toUpperCase() }
    : undefined;
}

/** The bytes of a message; Content-Length is added here and nowhere else. */
export function serializeSip(message: SipMessage): Buffer {
  const first =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`;
  const lines = message.headers.map(([name, value]) => `${name}: ${value}`);
  const head = [first, ...lines, `Content-Length: ${message.body.length}`, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'utf8'), message.body]);
}

/**
 * A message from its head (without the empty line) and body. Undefined when the first line is neither a
 * request nor a status line, or a header has no colon.
 */
function parseHead(head: string, body: Uint8Array): SipMessage | undefined {
  const [first = '', ...lines] = head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  const headers: SipHeaders = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) return undefined;
    headers.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  const status = /^SIP\/2\.0 (\d{3})(?: (.*))?$/i.exec(first);
  if (status?.[1] !== undefined) {
    return { kind: 'response', status: Number(status[1]), reason: status[2] ?? '', headers, body };
  }
  const request = /^([A-Za-z]+) (\S+) SIP\/2\.0$/i.exec(first);
  if (request?.[1] === undefined || request[2] === undefined) return undefined;
  return { kind: 'request', method: request[1].toUpperCase(), uri: request[2], headers, body };
}

interface HeadEnd {
  headLength: number;
  bodyStart: number;
}

function findHeadEnd(bytes: Buffer): HeadEnd | undefined {
  const crlf = bytes.indexOf('\r\n\r\n');
  return crlf < 0 ? undefined : { headLength: crlf, bodyStart: crlf + 4 };
}

/** One datagram: the body is what Content-Length says or the rest. Undefined if it is not SIP. */
export function parseSipDatagram(bytes: Buffer): SipMessage | undefined {
  const end = findHeadEnd(bytes);
  if (end === undefined) return undefined;
  const message = parseHead(bytes.toString('utf8', 0, end.headLength), bytes.subarray(end.bodyStart));
  if (message === undefined) return undefined;
  const length = Number(header(message, 'content-length') ?? message.body.length);
  if (!Number.isInteger(length) || length < 0 || length > message.body.length) return undefined;
  return { ...message, body: message.body.subarray(0, length) };
}

const STREAM_LIMIT_BYTES = 1_048_576;

/** Cuts a TCP byte stream into messages by Content-Length (RFC 3261 section 18.3). */
export class SipStreamParser {
  #pending: Buffer = Buffer.alloc(0);

  /** The messages that are complete with these bytes; throws when the stream is not SIP. */
  push(bytes: Uint8Array): SipMessage[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const messages: SipMessage[] = [];
    for (;;) {
      // RFC 5626 section 3.5.1: line ends between messages are keep-alives.
      let start = 0;
      while (this.#pending[start] === 0x0d || this.#pending[start] === 0x0a) start += 1;
      if (start > 0) this.#pending = this.#pending.subarray(start);
      const end = findHeadEnd(this.#pending);
      if (end === undefined) {
        if (this.#pending.length > STREAM_LIMIT_BYTES)
          throw new Error('The SIP stream has an endless header');
        return messages;
      }
      const head = parseHead(this.#pending.toString('utf8', 0, end.headLength), Buffer.alloc(0));
      const length = head === undefined ? NaN : Number(header(head, 'content-length') ?? 0);
      if (head === undefined || !Number.isInteger(length) || length < 0 || length > STREAM_LIMIT_BYTES) {
        throw new Error('The TCP stream does not carry SIP messages');
      }
      if (this.#pending.length < end.bodyStart + length) return messages;
      messages.push({
        ...head,
        body: Buffer.from(this.#pending.subarray(end.bodyStart, end.bodyStart + length)),
      });
      this.#pending = this.#pending.subarray(end.bodyStart + length);
    }
  }
}
