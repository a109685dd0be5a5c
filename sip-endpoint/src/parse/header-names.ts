/** Header names: compact forms (RFC 3261 section 7.3.3 and the IANA registry) and how we write known ones. */

const COMPACT: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

const SPECIAL: Readonly<Record<string, string>> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'www-authenticate': 'WWW-Authenticate',
  'mime-version': 'MIME-Version',
  rack: 'RAck',
  rseq: 'RSeq',
  'session-id': 'Session-ID',
};

export interface HeaderName {
  readonly name: string;
  readonly key: string;
}

const known = new Map<string, HeaderName>();
for (const [short, name] of Object.entries(COMPACT)) {
  known.set(short, { name, key: name.toLowerCase() });
  known.set(short.toUpperCase(), { name, key: name.toLowerCase() });
}

/** The long name and lower-case key of a header name as received. */
export function headerName(raw: string): HeaderName {
  return known.get(raw) ?? { name: raw, key: raw.toLowerCase() };
}

/**
 * How a name given by the application goes on the wire: `X-` names as they are, others capitalised after each
 * hyphen, as drachtio-server does.
 */
export function wireName(raw: string): string {
  if (raw.startsWith('X-')) return raw;
  const lower = raw.toLowerCase();
  const special = SPECIAL[lower];
  if (special !== undefined) return special;
  if (raw !== lower) return raw;
  return lower
    .split('-')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('-');
}
