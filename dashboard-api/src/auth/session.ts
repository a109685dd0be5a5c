import { createHmac, randomBytes } from 'node:crypto';
import { sameSecret } from './api-key.ts';

export const SESSION_COOKIE = 'earshot_session';
export const SESSION_MS = 12 * 60 * 60 * 1000;

export interface Session {
  readonly id: string;
  /** Wall clock, ms since 1970. */
  readonly expiresAtMs: number;
}

/** What lasts as long as a session does. */
interface Watch {
  readonly ended: () => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * A browser's session: `<random>.<expiry in ms>.<HMAC-SHA256 of both>`. Nothing is stored, so any dashboard-api with
 * the same secret accepts it; it ends by itself. One that was signed out is remembered by this process only.
 */
export class Sessions {
  readonly #secret: string;
  readonly #signedOut = new Map<string, number>();
  readonly #watches = new Map<string, Set<Watch>>();

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param nowMs wall clock, ms since 1970 */
  issue(nowMs: number): string {
    const payload = `${randomBytes(12).toString('base64url')}.${nowMs + SESSION_MS}`;
    return `${payload}.${this.#sign(payload)}`;
  }

  /** @returns the session that the cookie stands for, or null when it is not (or no longer) good */
  read(cookie: string | undefined, nowMs: number): Session | null {
    const parts = (cookie ?? '').split('.');
    const [id, expiry, signature] = parts;
    if (parts.length !== 3 || id === undefined || expiry === undefined || signature === undefined)
      return null;
    if (!sameSecret(signature, this.#sign(`${id}.${expiry}`))) return null;
    const good = /^\d{1,15}$/.test(expiry) && Number(expiry) > nowMs && !this.#signedOut.has(id);
    return good ? { id, expiresAtMs: Number(expiry) } : null;
  }

  /** Ends a session before its time. */
  signOut({ id, expiresAtMs }: Session, nowMs: number): void {
    for (const [other, endsMs] of this.#signedOut) {
      if (endsMs <= nowMs) this.#signedOut.delete(other);
    }
    this.#signedOut.set(id, expiresAtMs);
    for (const { ended } of [...(this.#watches.get(id) ?? [])]) ended();
  }

  /** Calls `ended` when the session ends, by itself or by sign-out. @returns what stops the watch */
  watch({ id, expiresAtMs }: Session, nowMs: number, ended: () => void): () => void {
    const watches = this.#watches.get(id) ?? new Set();
    const watch = { ended, timer: setTimeout(ended, Math.max(0, expiresAtMs - nowMs)).unref() };
    this.#watches.set(id, watches.add(watch));
    return () => {
      clearTimeout(watch.timer);
      watches.delete(watch);
      if (watches.size === 0 && this.#watches.get(id) === watches) this.#watches.delete(id);
    };
  }

  #sign(payload: string): string {
    return createHmac('sha256', this.#secret).update(payload).digest('base64url');
  }
}
