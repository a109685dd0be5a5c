/**
 * What a SIP message is once it has been read.
 *
 * All header text is a "byte string": one character per byte (latin1), so that whatever the peer wrote, UTF-8
 * or not, leaves again as the same bytes. Bodies are never decoded.
 */

/** One header field. `key` is the lower-case long name (`via` for `v`); `name` is how it is written out. */
export interface Header {
  readonly name: string;
  readonly key: string;
  readonly value: string;
}

export type Params = ReadonlyMap<string, string | undefined>;

/** A Via value (RFC 3261 section 20.42). `transport` is upper case; IPv6 hosts keep their brackets. */
export interface Via {
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
}

/** A name-addr or addr-spec with its header parameters (RFC 3261 section 20.10). */
export interface NameAddr {
  /** As written, quotes and escapes included; empty where there is none. */
  readonly display: string;
  readonly uri: string;
  readonly params: Params;
}

export interface CSeq {
  readonly seq: number;
  readonly method: string;
}

interface CommonFields {
  readonly headers: readonly Header[];
  readonly body: Buffer;
  /** The topmost Via. */
  readonly via: Via;
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly callId: string;
  readonly cseq: CSeq;
}

export interface SipRequest extends CommonFields {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
}

export interface SipResponse extends CommonFields {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
}

export type SipMessage = SipRequest | SipResponse;

export type FaultCode =
  | 'SIP_START_LINE'
  | 'SIP_VERSION'
  | 'SIP_HEADER_SYNTAX'
  | 'SIP_HEADER_COUNT'
  | 'SIP_LINE_LENGTH'
  | 'SIP_HEAD_SIZE'
  | 'SIP_URI_LENGTH'
  | 'SIP_URI_SCHEME'
  | 'SIP_MISSING_HEADER'
  | 'SIP_DUPLICATE_HEADER'
  | 'SIP_BAD_VIA'
  | 'SIP_BAD_FROM'
  | 'SIP_BAD_TO'
  | 'SIP_BAD_CALL_ID'
  | 'SIP_BAD_CSEQ'
  | 'SIP_BAD_CONTACT'
  | 'SIP_BAD_MAX_FORWARDS'
  | 'SIP_CONTENT_LENGTH'
  | 'SIP_BODY_SHORT'
  | 'SIP_BODY_SIZE'
  | 'SIP_UNTERMINATED';

/** Why a message was not accepted, and the answer it deserves: `sipStatus` with `reason` as its phrase. */
export interface ParseFault {
  readonly code: FaultCode;
  readonly sipStatus: number;
  readonly reason: string;
}

/** Enough of a faulty request to answer it: the fields that RFC 3261 section 8.2.6.2 copies into a response. */
export interface Answerable {
  readonly method: string;
  readonly via: Via;
  readonly headers: readonly Header[];
}

export type ParseResult =
  | { readonly ok: true; readonly message: SipMessage }
  | { readonly ok: false; readonly fault: ParseFault; readonly answerable: Answerable | undefined };

/** Value of the first header with this lower-case long name. */
export function headerValue(headers: readonly Header[], key: string): string | undefined {
  for (const header of headers) if (header.key === key) return header.value;
  return undefined;
}

/** Values of every header with this lower-case long name, in order. */
export function headerValues(headers: readonly Header[], key: string): string[] {
  const values: string[] = [];
  for (const header of headers) if (header.key === key) values.push(header.value);
  return values;
}
