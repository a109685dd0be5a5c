import { createHmac, randomBytes } from 'node:crypto';
import { sameSecret } from './api-key.ts';

export const SESSION_COOKIE = 'earshot_session';
export const SESSION_MS = 12 * 60 * 60 * 1000;

/**
 * A browser's session: `<random>.<expiry in ms>.<HMAC-SHA256 of both>`. Nothing is stored, so any dashboard-api with
 * the same secret accepts it; it ends by itself.
 */
export class Sessions {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param nowMs wall clock, ms since 1970 */
  issue(nowMs: number): string {
    const payload = `${randomBytes(12).toString('base64url')}.${nowMs + SESSION_MS}`;
    return `${payload}.${this.#sign(payload)}`;
  }

  accepts(cookie: string | undefined, nowMs: number): boolean {
    const parts = (cookie ?? '').split('.');
    const [id, expiry, signature] = parts;
    if (parts.length !== 3 || id === undefined || expiry === undefined || signature === undefined)
      return false;
    if (!sameSecret(signature, this.#sign(`${id}.${expiry}`))) return false;
    return /^\d{1,15}$/.test(expiry) && Number(expiry) > nowMs;
  }

  #sign(payload: string): string {
    return createHmac('sha256', this.#secret).update(payload).digest('base64url');
  }
}
