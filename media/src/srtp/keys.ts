import { inspect } from 'node:util';
import type { SrtpKeySet, SrtpMasterKey, SrtpSuite } from '@earshot/contracts';
import { suiteSizes } from './suite.ts';

const HIDDEN = '[SrtpKeys]';
const MAX_MKI_BYTES = 128;

/** One master key. Whatever prints it (string, JSON, inspect) gets `[SrtpKeys]`. */
export class SrtpKeys {
  readonly suite: SrtpSuite;
  readonly #bytes: Uint8Array;
  readonly #mki: Uint8Array;

  private constructor(suite: SrtpSuite, bytes: Uint8Array, mki: Uint8Array) {
    this.suite = suite;
    this.#bytes = bytes;
    this.#mki = mki;
  }

  /** @returns null when the sizes are not those of the suite */
  static from(suite: SrtpSuite, text: SrtpMasterKey): SrtpKeys | null {
    const { keyBytes, saltBytes } = suiteSizes[suite];
    const bytes = Buffer.from(text.key, 'base64');
    const mki = Buffer.from(text.mki ?? '', 'base64');
    if (bytes.length !== keyBytes + saltBytes || mki.length > MAX_MKI_BYTES) return null;
    if (text.mki !== null && mki.length === 0) return null;
    return new SrtpKeys(suite, bytes, mki);
  }

  get masterKey(): Uint8Array {
    return this.#bytes.subarray(0, suiteSizes[this.suite].keyBytes);
  }
  get masterSalt(): Uint8Array {
    return this.#bytes.subarray(suiteSizes[this.suite].keyBytes);
  }
  /** Empty: packets carry none. */
  get mki(): Uint8Array {
    return this.#mki;
  }

  equals(other: SrtpKeys): boolean {
    return (
      this.suite === other.suite &&
      Buffer.compare(this.#bytes, other.#bytes) === 0 &&
      Buffer.compare(this.#mki, other.#mki) === 0
    );
  }

  toString(): string {
    return HIDDEN;
  }
  toJSON(): string {
    return HIDDEN;
  }
  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** @returns null when a key does not fit its suite, or identifiers are missing or of different lengths (RFC 4568 6.1) */
export function keysFrom(text: SrtpKeySet): readonly SrtpKeys[] | null {
  const keys: SrtpKeys[] = [];
  for (const one of text.keys) {
    const read = SrtpKeys.from(text.suite, one);
    if (read === null) return null;
    keys.push(read);
  }
  const mkiBytes = keys[0]?.mki.length ?? 0;
  if (keys.length === 0 || (keys.length > 1 && mkiBytes === 0)) return null;
  return keys.every((key) => key.mki.length === mkiBytes) ? keys : null;
}
