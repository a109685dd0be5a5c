import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

export const SIGNIN_TOKEN_MS = 24 * 60 * 60 * 1000;

const REMEMBERED_MS = 30 * SIGNIN_TOKEN_MS;

interface Issued {
  readonly hash: string;
  readonly expiresAtMs: number;
  readonly used: boolean;
}

/**
 * One-time sign-in tokens. Only their hashes are kept, in a file, so that a token that was used stays used when this
 * process is replaced, and a link that was printed stays good.
 */
export class SigninTokens {
  readonly #path: string;
  #issued: readonly Issued[];

  constructor(path: string) {
    this.#path = path;
    this.#issued = read(path);
  }

  /** Makes a token known that someone else made (host prints it). One that is known keeps its state. */
  admit(token: string, nowMs: number): void {
    const hash = hashOf(token);
    if (this.#issued.some((issued) => issued.hash === hash)) return;
    this.#keep([...this.#issued, { hash, expiresAtMs: nowMs + SIGNIN_TOKEN_MS, used: false }], nowMs);
  }

  issue(nowMs: number): { readonly token: string; readonly expiresAtMs: number } {
    const token = randomBytes(24).toString('base64url');
    this.admit(token, nowMs);
    return { token, expiresAtMs: nowMs + SIGNIN_TOKEN_MS };
  }

  /** True the first time, and false for ever after. */
  redeem(token: string, nowMs: number): boolean {
    const hash = hashOf(token);
    const good = this.#issued.some(
      (issued) => issued.hash === hash && !issued.used && issued.expiresAtMs > nowMs,
    );
    if (good) {
      this.#keep(
        this.#issued.map((issued) => (issued.hash === hash ? { ...issued, used: true } : issued)),
        nowMs,
      );
    }
    return good;
  }

  /** Forgotten a month after it expired: the environment of a long-lived host may still name it at a restart. */
  #keep(issued: readonly Issued[], nowMs: number): void {
    this.#issued = issued.filter((entry) => entry.expiresAtMs + REMEMBERED_MS > nowMs);
    const next = `${this.#path}.${process.pid}`;
    writeFileSync(next, JSON.stringify(this.#issued), { mode: 0o600 });
    renameSync(next, this.#path);
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

function read(path: string): readonly Issued[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return JSON.parse(text) as readonly Issued[];
}
