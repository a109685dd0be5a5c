import { isToken, parseDecimal, splitList } from './chars.ts';
import { headerName } from './header-names.ts';
import { headerValues, type Header, type ParseFault } from './message.ts';
import { uriScheme } from './uri.ts';

/** Bounds on what is read from the network, in bytes unless said otherwise. */
export interface ParseLimits {
  readonly headBytes: number;
  /** Header fields, after lists of Via, Route and Record-Route are taken apart. */
  readonly headers: number;
  /** One header field, unfolded. */
  readonly lineBytes: number;
  readonly bodyBytes: number;
}

/**
 * A SIPREC INVITE with metadata is 4 to 20 kB; vendors' identity and user-to-user headers reach 4 kB a line.
 */
export const DEFAULT_LIMITS: ParseLimits = {
  headBytes: 65_536,
  headers: 256,
  lineBytes: 8192,
  bodyBytes: 1_048_576,
};

export type StartLine =
  | { readonly kind: 'request'; readonly method: string; readonly uri: string }
  | { readonly kind: 'response'; readonly status: number; readonly reason: string };

/** The part of a message before the empty line. With a `fault`, the rest is what could still be read. */
export interface Head {
  readonly start: StartLine | undefined;
  readonly isResponse: boolean;
  readonly headers: readonly Header[];
  /** Declared body length in bytes; undefined when there is no Content-Length. */
  readonly contentLength: number | undefined;
  readonly fault: ParseFault | undefined;
}

const fault = (code: ParseFault['code'], reason: string, sipStatus = 400): ParseFault => ({
  code,
  sipStatus,
  reason,
});

const LISTS = new Set(['via', 'route', 'record-route']);

function parseStart(line: string): StartLine | ParseFault {
  if (line.startsWith('SIP/') || line.startsWith('sip/')) {
    const status = parseDecimal(line.slice(8, 11), 3);
    const blankBefore = line.charAt(7) === ' ';
    const blankAfter = line.length === 11 || line.charAt(11) === ' ';
    if (line.slice(0, 8).toUpperCase() !== 'SIP/2.0 ' || !blankBefore || !blankAfter)
      return fault('SIP_START_LINE', 'Malformed Status-Line');
    if (status === undefined || status < 100 || status > 699)
      return fault('SIP_START_LINE', 'Status code out of range');
    return { kind: 'response', status, reason: line.slice(12) };
  }
  const first = line.indexOf(' ');
  const last = line.lastIndexOf(' ');
  if (first <= 0 || last === first) return fault('SIP_START_LINE', 'Malformed Request-Line');
  const method = line.slice(0, first);
  const uri = line.slice(first + 1, last);
  const version = line.slice(last + 1).toUpperCase();
  if (!isToken(method) || !/^SIP\/\d+\.\d+$/.test(version))
    return fault('SIP_START_LINE', 'Malformed Request-Line');
  if (version !== 'SIP/2.0') return fault('SIP_VERSION', 'Version Not Supported', 505);
  if (uri === '' || /[\s<>"]/.test(uri)) return fault('SIP_START_LINE', 'Malformed Request-URI');
  // Headers in a Request-URI are for links on pages only (RFC 3261 section 19.1.1); a user part may hold a `?`.
  if (uri.includes('?', uri.lastIndexOf('@') + 1)) return fault('SIP_START_LINE', 'Headers in Request-URI');
  const scheme = uriScheme(uri);
  if (scheme === undefined) return fault('SIP_START_LINE', 'Malformed Request-URI');
  if (scheme !== 'sip' && scheme !== 'sips' && scheme !== 'tel')
    return fault('SIP_URI_SCHEME', 'Unsupported URI Scheme', 416);
  return { kind: 'request', method, uri };
}

function parseContentLength(headers: readonly Header[]): number | ParseFault | undefined {
  let length: number | undefined;
  for (const value of headerValues(headers, 'content-length')) {
    const read = parseDecimal(value);
    if (read === undefined) return fault('SIP_CONTENT_LENGTH', 'Malformed Content-Length');
    if (length !== undefined && length !== read)
      return fault('SIP_CONTENT_LENGTH', 'Conflicting Content-Length values');
    length = read;
  }
  return length;
}

const isFault = (value: unknown): value is ParseFault =>
  typeof value === 'object' && value !== null && 'sipStatus' in value;

/**
 * Reads the start line and the header fields. `text` is a byte string without the empty line that ends it.
 * Reading goes on after a fault, so that a faulty request can still be answered.
 */
export function parseHead(text: string, limits: ParseLimits = DEFAULT_LIMITS): Head {
  const headers: Header[] = [];
  let first: ParseFault | undefined;
  const note = (found: ParseFault): void => {
    first ??= found;
  };
  if (text.length > limits.headBytes) {
    note(fault('SIP_HEAD_SIZE', 'Message header too large', 413));
    text = text.slice(0, limits.headBytes);
  }
  let end = text.indexOf('\r\n');
  if (end === -1) end = text.length;
  const startText = text.slice(0, end);
  const isResponse = startText.slice(0, 4).toUpperCase() === 'SIP/';
  let start: StartLine | undefined;
  if (startText.length > limits.lineBytes) note(fault('SIP_URI_LENGTH', 'Request-URI Too Long', 414));
  else {
    const read = parseStart(startText);
    if (isFault(read)) note(read);
    else start = read;
  }

  let at = end + 2;
  while (at < text.length) {
    end = text.indexOf('\r\n', at);
    if (end === -1) end = text.length;
    let line = text.slice(at, end);
    at = end + 2;
    // Header folding (RFC 3261 section 7.3.1): a line that starts with a blank continues the one before.
    while (at < text.length && (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09)) {
      end = text.indexOf('\r\n', at);
      if (end === -1) end = text.length;
      if (line.length <= limits.lineBytes) line = `${line.trimEnd()} ${text.slice(at, end).trim()}`;
      at = end + 2;
    }
    if (line.length > limits.lineBytes) {
      note(fault('SIP_LINE_LENGTH', 'Header field too long'));
      continue;
    }
    const colon = line.indexOf(':');
    const rawName = colon === -1 ? '' : line.slice(0, colon).trimEnd();
    if (!isToken(rawName)) {
      note(fault('SIP_HEADER_SYNTAX', 'Malformed header field'));
      continue;
    }
    const value = line.slice(colon + 1).trim();
    // A quoted-pair may escape a NUL (RFC 3261 section 25.1), but neither CR nor LF.
    if (/(?<!\\)\0|[\r\n]/.test(value)) {
      note(fault('SIP_HEADER_SYNTAX', 'Control character in header field'));
      continue;
    }
    const { name, key } = headerName(rawName);
    if (LISTS.has(key)) for (const part of splitList(value)) headers.push({ name, key, value: part });
    else headers.push({ name, key, value });
    if (headers.length > limits.headers) {
      note(fault('SIP_HEADER_COUNT', 'Too many header fields'));
      break;
    }
  }

  const length = parseContentLength(headers);
  if (isFault(length)) note(length);
  else if (length !== undefined && length > limits.bodyBytes)
    note(fault('SIP_BODY_SIZE', 'Request Entity Too Large', 413));
  return {
    start,
    isResponse,
    headers,
    contentLength: isFault(length) ? undefined : length,
    fault: first,
  };
}
