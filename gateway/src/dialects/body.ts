import { isMetadataType, parseContentType } from './content-type.ts';
import { parseMultipart, type Part } from './multipart.ts';

export type InviteBody =
  | { readonly kind: 'empty' }
  /** Answer 415: neither SDP nor multipart nor metadata. */
  | { readonly kind: 'unsupported'; readonly type: string }
  | {
      readonly kind: 'read';
      readonly sdp: string | null;
      readonly metadataXml: string | null;
      /** Types of parts that nothing is done with, such as Cisco's application/gtd. */
      readonly otherTypes: readonly string[];
    };

/** multipart/mixed around multipart/alternative, and no more. */
const MAX_NESTING = 3;

/**
 * Sorts the body of an INVITE or re-INVITE into SDP and metadata.
 * @throws EarshotError MULTIPART_MALFORMED
 */
export function readBody(contentTypeHeader: string | null, body: string): InviteBody {
  if (body.trim() === '') return { kind: 'empty' };
  const contentType = contentTypeHeader === null ? null : parseContentType(contentTypeHeader);
  const type = contentType?.type ?? (contentTypeHeader === null ? typeByContent(body) : null);
  if (type === null) return { kind: 'unsupported', type: contentTypeHeader ?? '' };
  if (type === 'application/sdp')
    return { kind: 'read', sdp: tidySdp(body), metadataXml: null, otherTypes: [] };
  if (isMetadataType(type)) return { kind: 'read', sdp: null, metadataXml: body, otherTypes: [] };
  if (!type.startsWith('multipart/')) return { kind: 'unsupported', type };
  let sdp: string | null = null;
  let metadataXml: string | null = null;
  const otherTypes: string[] = [];
  for (const part of flat(
    parseMultipart(contentType ?? { type, parameters: new Map() }, body),
    MAX_NESTING,
  )) {
    const kind = kindOf(part);
    if (kind === 'sdp') sdp ??= tidySdp(part.content);
    else if (kind === 'metadata') metadataXml ??= part.content.trim() === '' ? null : part.content;
    else otherTypes.push(part.contentType.type);
  }
  return { kind: 'read', sdp, metadataXml, otherTypes };
}

/** Content-Type left out: the body says what it is by its first line. */
function typeByContent(body: string): string | null {
  const start = body.trimStart();
  if (start.startsWith('v=0')) return 'application/sdp';
  if (/^--\S+\s*\n/.test(start)) return 'multipart/mixed';
  return /^<(\?xml|(\w+:)?recording)/i.test(start) ? 'application/rs-metadata+xml' : null;
}

/** With the parts of multiparts inside in the place of these. */
const flat = (parts: readonly Part[], depth: number): Part[] =>
  parts.flatMap((part) =>
    part.contentType.type.startsWith('multipart/') && depth > 1
      ? flat(parseMultipart(part.contentType, part.content), depth - 1)
      : [part],
  );

/** By its type, or, where that says nothing, by Content-Disposition: recording-session (RFC 7866 section 9.1). */
function kindOf({ contentType: { type }, headers, content }: Part): 'sdp' | 'metadata' | 'other' {
  if (type === 'application/sdp') return 'sdp';
  if (isMetadataType(type)) return 'metadata';
  const telling = /^(text\/plain|(text|application)\/xml|application\/octet-stream)$/.test(type);
  if (telling && /^\s*v=0\s*$/m.test(content.slice(0, 64))) return 'sdp';
  const recording = /^\s*recording-session/i.test(headers.get('content-disposition') ?? '');
  return telling && (recording || /<(\w+:)?recording/i.test(content)) ? 'metadata' : 'other';
}

/** SDP as its lines are meant: without white space around them, which captures and manuals have. */
const tidySdp = (sdp: string): string =>
  sdp
    .trimStart()
    .split('\n')
    .map((line) => line.trim() + (line.endsWith('\r') ? '\r' : ''))
    .join('\n');
