import { isMetadataType, parseContentType } from './content-type.ts';
import { parseMultipart } from './multipart.ts';

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

/**
 * Sorts the body of an INVITE or re-INVITE into SDP and metadata.
 * @throws EarshotError MULTIPART_MALFORMED
 */
export function readBody(contentTypeHeader: string | null, body: string): InviteBody {
  if (body.trim() === '') return { kind: 'empty' };
  const contentType = contentTypeHeader === null ? null : parseContentType(contentTypeHeader);
  if (contentType === null) {
    // Content-Type left out: SDP says what it is by its first line.
    return body.startsWith('v=0') && contentTypeHeader === null
      ? { kind: 'read', sdp: body, metadataXml: null, otherTypes: [] }
      : { kind: 'unsupported', type: contentTypeHeader ?? '' };
  }
  if (contentType.type === 'application/sdp') {
    return { kind: 'read', sdp: body, metadataXml: null, otherTypes: [] };
  }
  if (isMetadataType(contentType.type)) {
    return { kind: 'read', sdp: null, metadataXml: body, otherTypes: [] };
  }
  if (!contentType.type.startsWith('multipart/')) return { kind: 'unsupported', type: contentType.type };
  let sdp: string | null = null;
  let metadataXml: string | null = null;
  const otherTypes: string[] = [];
  for (const part of parseMultipart(contentType, body)) {
    if (part.contentType.type === 'application/sdp') sdp ??= part.content;
    else if (isMetadataType(part.contentType.type)) metadataXml ??= part.content;
    else otherTypes.push(part.contentType.type);
  }
  return { kind: 'read', sdp, metadataXml, otherTypes };
}
