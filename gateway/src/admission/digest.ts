import { createHash } from 'node:crypto';

/** The algorithms offered, the stronger first (RFC 8760 section 2.4): a caller takes the first that it knows. */
export const ALGORITHMS = ['SHA-256', 'MD5'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

const HASHES: Readonly<Record<Algorithm, string>> = { 'SHA-256': 'sha256', MD5: 'md5' };

/** What a caller says of itself in Authorization (RFC 7616 section 3.4). */
export interface Credentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly algorithm: Algorithm;
  readonly cnonce: string;
  /** Eight hex digits, as they came: they are part of what is hashed. */
  readonly nc: string;
  /** Lower-case hex. */
  readonly response: string;
}

const MOST_CHARACTERS = 4096;
const PARAMETER = /\s*(?:(Digest)\s+)?([a-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)/iy;

/**
 * Reads Authorization: one set of credentials, or several, joined by commas (for a proxy on the way, and for us).
 * @returns those for the realm that are complete and by an algorithm and qop that we offer; null when there are none
 */
export function parseCredentials(header: string, realm: string): Credentials | null {
  if (header.length > MOST_CHARACTERS) return null;
  const sets: Map<string, string>[] = [];
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < header.length) {
    const found = PARAMETER.exec(header);
    if (found === null) return null;
    const [, scheme, name = '', quoted, plain] = found;
    if (scheme !== undefined) sets.push(new Map());
    const set = sets.at(-1);
    const key = name.toLowerCase();
    if (set === undefined || set.has(key)) return null;
    set.set(key, quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
  }
  for (const set of sets) {
    const credentials = set.get('realm') === realm ? complete(set) : null;
    if (credentials !== null) return credentials;
  }
  return null;
}

function complete(set: ReadonlyMap<string, string>): Credentials | null {
  const named = (set.get('algorithm') ?? 'MD5').toUpperCase();
  const algorithm = ALGORITHMS.find((each) => each === named);
  const value = (name: string): string => set.get(name) ?? '';
  const credentials = {
    username: value('username'),
    realm: value('realm'),
    nonce: value('nonce'),
    uri: value('uri'),
    cnonce: value('cnonce'),
    nc: value('nc'),
    response: value('response').toLowerCase(),
  };
  // Without qop (RFC 2069) nothing would tell a request from its replay.
  const counted = value('qop').toLowerCase() === 'auth' && /^[0-9a-f]{8}$/i.test(credentials.nc);
  const whole = credentials.username !== '' && credentials.nonce !== '' && credentials.cnonce !== '';
  return algorithm !== undefined && counted && whole ? { ...credentials, algorithm } : null;
}

/** Hash of user, realm and password, which is all that needs to be kept of a password. */
export const secretOf = (algorithm: Algorithm, user: string, realm: string, password: string): string =>
  hash(algorithm, `${user}:${realm}:${password}`);

/**
 * The response that proves knowledge of the secret (RFC 7616 section 3.4.1). The uri is taken as the caller names it: proxies
 * rewrite Request-URIs, and there is one thing to be had here, whatever it is called.
 */
export const responseOf = (
  credentials: Omit<Credentials, 'response'>,
  secret: string,
  method: string,
): string => {
  const { algorithm, nonce, nc, cnonce, uri } = credentials;
  return hash(algorithm, `${secret}:${nonce}:${nc}:${cnonce}:auth:${hash(algorithm, `${method}:${uri}`)}`);
};

const hash = (algorithm: Algorithm, text: string): string =>
  createHash(HASHES[algorithm]).update(text).digest('hex');
