import { randomBytes, timingSafeEqual } from 'node:crypto';
import { ALGORITHMS, type Algorithm, parseCredentials, responseOf, secretOf } from './digest.ts';
import { Nonces } from './nonces.ts';

/** Named in the challenge; part of what the caller hashes. */
export const REALM = 'earshot';

export interface User {
  readonly name: string;
  readonly password: string;
}

export type Authentication =
  | { readonly type: 'known' }
  | {
      readonly type: 'challenge';
      /** Values of WWW-Authenticate, one for each algorithm (RFC 8760 section 2.4). */
      readonly challenges: readonly string[];
      /** Credentials came, and they were wrong: not the first step of a usual call. */
      readonly wrong: boolean;
    };

/** Digest authentication of requests (RFC 7616, RFC 8760; RFC 3261 section 22). Time is in ms, monotonic. */
export class Authenticator {
  readonly #nonces = new Nonces();
  readonly #secrets = new Map<string, Readonly<Record<Algorithm, string>>>();
  /** Somebody whom nobody knows takes as long to be refused as a known one. */
  readonly #nobody = secretsOf({ name: '', password: randomBytes(16).toString('hex') });

  constructor(users: readonly User[]) {
    for (const user of users) this.#secrets.set(user.name, secretsOf(user));
  }

  /** @param authorization the header's value, null when there is none */
  check(authorization: string | null, method: string, nowMs: number): Authentication {
    if (authorization === null) return this.#challenge(nowMs, { stale: false, wrong: false });
    const credentials = parseCredentials(authorization, REALM);
    // For somebody else on the way, or not to be read: as if there were none.
    if (credentials === null) return this.#challenge(nowMs, { stale: false, wrong: true });
    const secrets = this.#secrets.get(credentials.username);
    const secret = (secrets ?? this.#nobody)[credentials.algorithm];
    const proven = sameText(responseOf(credentials, secret, method), credentials.response);
    if (!proven || secrets === undefined) return this.#challenge(nowMs, { stale: false, wrong: true });
    if (this.#nonces.use(credentials.nonce, credentials.nc, nowMs)) return { type: 'known' };
    // The password is right, only the nonce is not: the caller needs nobody to type it again.
    return this.#challenge(nowMs, { stale: true, wrong: false });
  }

  #challenge(nowMs: number, { stale, wrong }: { stale: boolean; wrong: boolean }): Authentication {
    const nonce = this.#nonces.make(nowMs);
    const challenges = ALGORITHMS.map(
      (algorithm) =>
        `Digest realm="${REALM}", nonce="${nonce}", qop="auth", algorithm=${algorithm}${stale ? ', stale=true' : ''}`,
    );
    return { type: 'challenge', challenges, wrong };
  }
}

const secretsOf = ({ name, password }: User): Readonly<Record<Algorithm, string>> => ({
  'SHA-256': secretOf('SHA-256', name, REALM, password),
  MD5: secretOf('MD5', name, REALM, password),
});

function sameText(ours: string, theirs: string): boolean {
  const [a, b] = [Buffer.from(ours), Buffer.from(theirs)];
  return a.length === b.length && timingSafeEqual(a, b);
}
