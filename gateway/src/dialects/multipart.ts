import { EarshotError } from '@earshot/contracts';
import { type ContentType, parseContentType } from './content-type.ts';

export interface Part {
  /** `text/plain` where the part does not say (RFC 2046 section 5.1). */
  readonly contentType: ContentType;
  /** Part headers by lower-case name, unfolded; the first of each name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly content: string;
}

const MAX_PARTS = 16;
const MAX_BODY_CHARS = 262_144;
const MAX_PART_HEADERS = 32;
/** RFC 2046 allows 70; some devices send longer ones. */
const MAX_BOUNDARY_CHARS = 200;
const TEXT: ContentType = { type: 'text/plain', parameters: new Map() };

/**
 * The parts of a multipart body (RFC 2046 section 5.1), from the raw body: drachtio-srf's own parser cuts a part at its
 * first blank line. Takes lines that end in CRLF or bare LF, a preamble and an epilogue, spaces after a delimiter,
 * boundaries that begin with dashes (Twilio), and a missing closing delimiter. A boundary that is missing, or that no
 * line has, is taken from the first line that looks like one.
 * @throws EarshotError MULTIPART_MALFORMED that names the fault
 */
export function parseMultipart(contentType: ContentType, body: string): Part[] {
  const named = contentType.parameters.get('boundary')?.trimEnd() ?? '';
  if (named.length > MAX_BOUNDARY_CHARS) throw malformed('the boundary is longer than 200 characters');
  if (body.length > MAX_BODY_CHARS) throw malformed(`longer than ${MAX_BODY_CHARS} characters`);
  if (named !== '') {
    const parts = partsBetween(named, body);
    if (parts.length > 0) return parts;
  }
  const seen = /^--(\S{1,200}?)[ \t]*\r?$/m.exec(body)?.[1];
  if (seen === undefined) {
    throw malformed(named === '' ? 'Content-Type has no boundary' : 'no line is the boundary');
  }
  const parts = partsBetween(seen, body);
  if (parts.length === 0) throw malformed('no line is the boundary');
  return parts;
}

function partsBetween(boundary: string, body: string): Part[] {
  const parts: Part[] = [];
  let partStart = -1;
  let lineStart = 0;
  while (lineStart <= body.length) {
    const newline = body.indexOf('\n', lineStart);
    const lineEnd = newline < 0 ? body.length : newline;
    const kind = delimiterKind(body, lineStart, lineEnd, boundary);
    if (kind !== null) {
      if (partStart >= 0) parts.push(readPart(body.slice(partStart, endBefore(body, lineStart, partStart))));
      if (parts.length > MAX_PARTS) throw malformed(`more than ${MAX_PARTS} parts`);
      partStart = kind === 'close' ? -1 : lineEnd + 1;
      if (kind === 'close') return parts;
    }
    lineStart = lineEnd + 1;
  }
  // No closing delimiter: a device that leaves it out, or a body that was cut. The last part may still be whole.
  if (partStart >= 0) parts.push(readPart(body.slice(partStart)));
  return parts;
}

/** Whether the line is `--boundary` or `--boundary--`, with nothing but white space after it. */
function delimiterKind(body: string, start: number, end: number, boundary: string): 'open' | 'close' | null {
  if (!body.startsWith('--', start) || !body.startsWith(boundary, start + 2)) return null;
  const rest = body.slice(start + 2 + boundary.length, end).trimEnd();
  if (rest === '') return 'open';
  return rest === '--' ? 'close' : null;
}

/** The line break before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1). */
function endBefore(body: string, lineStart: number, partStart: number): number {
  let end = lineStart;
  if (end > partStart && body[end - 1] === '\n') end--;
  if (end > partStart && body[end - 1] === '\r') end--;
  return end;
}

function readPart(text: string): Part {
  const headers = new Map<string, string>();
  // A blank line ahead of the header belongs to no part; Twilio's manual shows one.
  let at = /^(?:[ \t]*\r?\n)+(?=Content-[A-Za-z-]+[ \t]*:)/i.exec(text)?.[0].length ?? 0;
  let last: string | null = null;
  for (;;) {
    const newline = text.indexOf('\n', at);
    const line = text.slice(at, newline < 0 ? text.length : newline).replace(/\r$/, '');
    if (line.trim() === '') {
      at = newline < 0 ? text.length : newline + 1;
      break;
    }
    if (/^[ \t]/.test(line) && last !== null) {
      headers.set(last, `${headers.get(last)} ${line.trim()}`);
    } else {
      const colon = line.indexOf(':');
      // A part may have no header, or no blank line after it: then its content begins here.
      if (colon < 1 || !/^[!-9;-~]+\s*$/.test(line.slice(0, colon)) || line.startsWith('<')) break;
      last = line.slice(0, colon).trim().toLowerCase();
      if (!headers.has(last)) headers.set(last, line.slice(colon + 1).trim());
      if (headers.size > MAX_PART_HEADERS)
        throw malformed(`a part has more than ${MAX_PART_HEADERS} headers`);
    }
    if (newline < 0) {
      at = text.length;
      break;
    }
    at = newline + 1;
  }
  const named = headers.get('content-type');
  return {
    contentType: (named === undefined ? null : parseContentType(named)) ?? TEXT,
    headers,
    content: text.slice(at),
  };
}

const malformed = (what: string): EarshotError =>
  new EarshotError('MULTIPART_MALFORMED', `multipart body: ${what}`);
