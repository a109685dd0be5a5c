/** A Content-Type header field: type and subtype in lower case, parameters by lower-case name (RFC 2045 section 5.1). */
export interface ContentType {
  /** `application/sdp` */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const MAX_HEADER_CHARS = 1024;

/** Reads a Content-Type; null when it is not type/subtype. Lenient in spaces, order, case and quoting of parameters. */
export function parseContentType(value: string): ContentType | null {
  const text = value.slice(0, MAX_HEADER_CHARS).replace(/\r?\n[ \t]+/g, ' ');
  const type = /^\s*([!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+)\s*(?:;|$)/.exec(text);
  if (type === null) return null;
  const parameters = new Map<string, string>();
  const parameter = /;\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g;
  for (const match of text.matchAll(parameter)) {
    const name = match[1]!.toLowerCase();
    const quoted = match[2]?.replace(/\\(.)/g, '$1');
    if (!parameters.has(name)) parameters.set(name, quoted ?? match[3]!.trim());
  }
  return { type: type[1]!.toLowerCase(), parameters };
}

export const isMetadataType = (type: string): boolean =>
  // RFC 9806 registers the first; AudioCodes and others say the second.
  type === 'application/rs-metadata+xml' || type === 'application/rs-metadata';
