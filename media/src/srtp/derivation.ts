import { createCipheriv } from 'node:crypto';
import type { SrtpKeys } from './keys.ts';
import { suiteSizes } from './suite.ts';

/** Labels of RFC 3711 section 4.3.1 and 4.3.2. */
const LABELS = {
  rtpKey: 0,
  rtpAuthentication: 1,
  rtpSalt: 2,
  rtcpKey: 3,
  rtcpAuthentication: 4,
  rtcpSalt: 5,
} as const;
/** HMAC-SHA1's key in all suites (RFC 3711 section 5.2). */
const AUTHENTICATION_BYTES = 20;

/** The keys that packets of one kind are protected with. */
export interface SessionKeys {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  /** Not used by AEAD suites. */
  readonly authentication: Uint8Array;
}

/**
 * The AES-CM pseudo-random function of RFC 3711 section 4.3.3, with AES-256 where the master key is (RFC 6188 section 3.1).
 * The key derivation rate is 0: SDP that asks for another is refused. A salt of 12 bytes is followed by two zero bytes
 * (RFC 7714 section 11).
 */
export function deriveBytes(
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  label: number,
  length: number,
): Uint8Array {
  const iv = Buffer.alloc(16);
  iv.set(masterSalt.subarray(0, 14));
  iv[7] = iv[7]! ^ label;
  const cipher = createCipheriv(masterKey.length === 32 ? 'aes-256-ctr' : 'aes-128-ctr', masterKey, iv);
  return cipher.update(Buffer.alloc(length));
}

export function deriveSession(keys: SrtpKeys): { readonly rtp: SessionKeys; readonly rtcp: SessionKeys } {
  const { keyBytes, saltBytes } = suiteSizes[keys.suite];
  const derive = (label: number, length: number) =>
    deriveBytes(keys.masterKey, keys.masterSalt, label, length);
  return {
    rtp: {
      key: derive(LABELS.rtpKey, keyBytes),
      salt: derive(LABELS.rtpSalt, saltBytes),
      authentication: derive(LABELS.rtpAuthentication, AUTHENTICATION_BYTES),
    },
    rtcp: {
      key: derive(LABELS.rtcpKey, keyBytes),
      salt: derive(LABELS.rtcpSalt, saltBytes),
      authentication: derive(LABELS.rtcpAuthentication, AUTHENTICATION_BYTES),
    },
  };
}
