import { isCallId, isToken, parseDecimal, splitList } from './chars.ts';
import { DEFAULT_LIMITS, parseHead, type Head, type ParseLimits } from './head.ts';
import {
  headerValue,
  headerValues,
  type Answerable,
  type FaultCode,
  type NameAddr,
  type ParseFault,
  type ParseResult,
} from './message.ts';
import { parseNameAddr, tagOf } from './uri.ts';
import { parseCSeq, parseVia } from './via.ts';

/** Begins the branch of a Via made after RFC 3261 (section 8.1.1.7). */
export const MAGIC_COOKIE = 'z9hG4bK';

const HEAD_END = Buffer.from('\r\n\r\n');

/** Headers that must appear once (RFC 3261 sections 7.3.1 and 20; shape of RFC 4475 section 3.3.8). */
const SINGLE = ['From', 'To', 'Call-ID', 'CSeq', 'Max-Forwards', 'Content-Type'] as const;
const REQUIRED = ['Via', 'From', 'To', 'Call-ID', 'CSeq'] as const;

const CONTACT_MATTERS = new Set(['INVITE', 'REGISTER']);

function answerable(head: Head): Answerable | undefined {
  if (head.isResponse) return undefined;
  const via = parseVia(headerValue(head.headers, 'via') ?? '', true);
  if (via === undefined) return undefined;
  const seqMethod = (headerValue(head.headers, 'cseq') ?? '').split(/\s+/).pop() ?? '';
  const method = head.start?.kind === 'request' ? head.start.method : seqMethod;
  // An ACK is never answered (RFC 3261 section 17.1.1.3).
  return method === 'ACK' || seqMethod === 'ACK' ? undefined : { method, via, headers: head.headers };
}

/** A tag or Call-ID with other characters could not travel in the `|`-separated leader of the wire protocol. */
function party(head: Head, key: 'from' | 'to', code: FaultCode): NameAddr | ParseFault {
  const address = parseNameAddr(headerValue(head.headers, key) ?? '');
  const name = key === 'from' ? 'From' : 'To';
  if (address === undefined) return { code, sipStatus: 400, reason: `Malformed ${name} header field` };
  const tag = tagOf(address);
  if (tag !== undefined && !isToken(tag)) return { code, sipStatus: 400, reason: `Malformed ${name} tag` };
  return address;
}

function check(head: Head): ParseFault | undefined {
  if (head.fault !== undefined) return head.fault;
  const bad = (code: FaultCode, reason: string): ParseFault => ({ code, sipStatus: 400, reason });
  for (const name of REQUIRED) {
    if (headerValue(head.headers, name.toLowerCase()) === undefined)
      return bad('SIP_MISSING_HEADER', `Missing ${name} header field`);
  }
  for (const name of SINGLE) {
    if (headerValues(head.headers, name.toLowerCase()).length > 1)
      return bad('SIP_DUPLICATE_HEADER', `More than one ${name} header field`);
  }
  if (!isCallId(headerValue(head.headers, 'call-id') ?? ''))
    return bad('SIP_BAD_CALL_ID', 'Malformed Call-ID');
  const cseq = parseCSeq(headerValue(head.headers, 'cseq') ?? '');
  if (cseq === undefined) return bad('SIP_BAD_CSEQ', 'Malformed CSeq header field');
  if (head.start?.kind !== 'request') return undefined;
  if (cseq.method !== head.start.method) return bad('SIP_BAD_CSEQ', 'CSeq method does not match');
  const hops = headerValue(head.headers, 'max-forwards');
  const hopCount = hops === undefined ? 70 : parseDecimal(hops);
  if (hopCount === undefined || hopCount > 255)
    return bad('SIP_BAD_MAX_FORWARDS', 'Malformed Max-Forwards header field');
  // Elsewhere a Contact decides little: a BYE must not fail for one.
  if (!CONTACT_MATTERS.has(head.start.method)) return undefined;
  const contact = headerValue(head.headers, 'contact');
  if (contact === undefined && head.start.method === 'INVITE' && !isOld(head))
    return bad('SIP_MISSING_HEADER', 'Missing Contact header field');
  const all = contact === '*' && head.start.method === 'REGISTER';
  if (contact !== undefined && !all && parseNameAddr(splitList(contact)[0] ?? '') === undefined)
    return bad('SIP_BAD_CONTACT', 'Malformed Contact header field');
  return undefined;
}

/** Made after RFC 2543, where From tag and Contact were optional: no magic cookie (RFC 4475 section 3.4.1). */
const isOld = (head: Head): boolean =>
  parseVia(headerValue(head.headers, 'via') ?? '', true)
    ?.params.get('branch')
    ?.startsWith(MAGIC_COOKIE) !== true;

/** Turns a head and its body into a message, or says what is wrong with it. */
export function finishMessage(head: Head, body: Buffer): ParseResult {
  const fail = (fault: ParseFault): ParseResult => ({ ok: false, fault, answerable: answerable(head) });
  const fault = check(head);
  if (fault !== undefined) return fail(fault);
  const { start, headers } = head;
  const via = parseVia(headerValue(headers, 'via') ?? '');
  if (via === undefined || start === undefined)
    return fail({ code: 'SIP_BAD_VIA', sipStatus: 400, reason: 'Malformed Via header field' });
  const from = party(head, 'from', 'SIP_BAD_FROM');
  if ('sipStatus' in from) return fail(from);
  const to = party(head, 'to', 'SIP_BAD_TO');
  if ('sipStatus' in to) return fail(to);
  if (start.kind === 'request' && start.method === 'INVITE' && tagOf(from) === undefined && !isOld(head))
    return fail({ code: 'SIP_BAD_FROM', sipStatus: 400, reason: 'Missing From tag' });
  const callId = headerValue(headers, 'call-id') ?? '';
  const cseq = parseCSeq(headerValue(headers, 'cseq') ?? '') ?? { seq: 0, method: '' };
  return { ok: true, message: { ...start, headers, body, via, from, to, callId, cseq } };
}

/**
 * Reads one datagram (RFC 3261 section 18.3): bytes beyond Content-Length are ignored, a shorter body is a fault,
 * and without Content-Length the body reaches to the end. Never throws.
 */
export function parseMessage(bytes: Buffer, limits: ParseLimits = DEFAULT_LIMITS): ParseResult {
  let from = 0;
  // Leading empty lines are to be ignored (RFC 3261 section 7.5).
  while (bytes[from] === 0x0d && bytes[from + 1] === 0x0a) from += 2;
  const end = bytes.indexOf(HEAD_END, from);
  const head = parseHead(bytes.toString('latin1', from, end === -1 ? bytes.length : end), limits);
  if (end === -1) {
    const missing: ParseFault = { code: 'SIP_UNTERMINATED', sipStatus: 400, reason: 'Header not terminated' };
    return finishMessage({ ...head, fault: head.fault ?? missing }, Buffer.alloc(0));
  }
  const rest = bytes.subarray(end + HEAD_END.length);
  const length = head.contentLength ?? rest.length;
  if (length > rest.length) {
    const short: ParseFault = {
      code: 'SIP_BODY_SHORT',
      sipStatus: 400,
      reason: 'Body shorter than Content-Length',
    };
    return finishMessage({ ...head, fault: head.fault ?? short }, rest);
  }
  // Copied: a message outlives the datagram's buffer.
  return finishMessage(head, Buffer.from(rest.subarray(0, length)));
}
