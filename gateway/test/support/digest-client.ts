import { createHash } from 'node:crypto';

export interface DigestAnswer {
  readonly name: string;
  readonly password: string;
  readonly method: string;
  readonly algorithm?: 'SHA-256' | 'MD5';
  /** Written as the algorithm, if not the one that is used. */
  readonly named?: string;
  readonly realm?: string;
  readonly qop?: string | null;
  readonly count?: number;
}

/** Authorization as a caller writes it for a challenge (RFC 7616 section 3.4), made without the gateway's own code. */
export function authorizationFor(challenge: string, answer: DigestAnswer): string {
  const { name, password, method, algorithm = 'SHA-256' } = answer;
  const realm = answer.realm ?? /realm="([^"]*)"/.exec(challenge)?.[1] ?? '';
  const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? '';
  const qop = answer.qop === undefined ? 'auth' : answer.qop;
  const uri = 'sip:srs@127.0.0.1';
  const nc = (answer.count ?? 1).toString(16).padStart(8, '0');
  const cnonce = '0a4f113b';
  const hash = (text: string): string =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');
  const one = hash(`${name}:${realm}:${password}`);
  const two = hash(`${method}:${uri}`);
  const response = hash(
    qop === null ? `${one}:${nonce}:${two}` : `${one}:${nonce}:${nc}:${cnonce}:${qop}:${two}`,
  );
  const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
  return [
    `Digest username=${quote(name)}`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${uri}"`,
    `algorithm=${answer.named ?? algorithm}`,
    ...(qop === null ? [] : [`qop=${qop}`, `nc=${nc}`, `cnonce="${cnonce}"`]),
    `response="${response}"`,
  ].join(', ');
}
