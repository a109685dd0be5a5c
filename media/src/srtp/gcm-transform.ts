import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import type { SessionKeys } from './derivation.ts';
import type { PacketLayout, Transform } from './layout.ts';

const TAG_BYTES = 16;
const RTCP_HEADER_BYTES = 8;
const TAG_LENGTH = { authTagLength: TAG_BYTES } as const;

/**
 * AES-GCM (RFC 7714). A cipher object is made for each packet, because node:crypto takes the nonce only in the constructor: 2.6
 * microseconds for 172 bytes with a KeyObject, 14 with the key's bytes (measured with Node 24).
 */
export class GcmTransform implements Transform {
  readonly #cipher: 'aes-128-gcm' | 'aes-256-gcm';
  readonly #rtpKey: KeyObject;
  readonly #rtcpKey: KeyObject;
  readonly #rtpSalt: Uint8Array;
  readonly #rtcpSalt: Uint8Array;
  readonly #nonce = Buffer.alloc(12);

  constructor(session: { readonly rtp: SessionKeys; readonly rtcp: SessionKeys }) {
    this.#cipher = session.rtp.key.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm';
    this.#rtpKey = createSecretKey(session.rtp.key);
    this.#rtcpKey = createSecretKey(session.rtcp.key);
    this.#rtpSalt = session.rtp.salt;
    this.#rtcpSalt = session.rtcp.salt;
  }

  openRtp(bytes: Uint8Array, at: PacketLayout): boolean {
    this.#setNonce(this.#rtpSalt, at);
    return this.#open(this.#rtpKey, bytes, at, bytes.subarray(0, at.bodyAt), at.bodyAt);
  }

  sealRtp(bytes: Uint8Array, at: PacketLayout): void {
    this.#setNonce(this.#rtpSalt, at);
    this.#seal(this.#rtpKey, bytes, at, bytes.subarray(0, at.bodyAt), at.bodyAt);
  }

  openRtcp(bytes: Uint8Array, at: PacketLayout): boolean {
    this.#setNonce(this.#rtcpSalt, at);
    const from = at.encrypted ? at.bodyAt : at.bodyEnd;
    return this.#open(this.#rtcpKey, bytes, at, rtcpAad(bytes, at), from);
  }

  sealRtcp(bytes: Uint8Array, at: PacketLayout): void {
    this.#setNonce(this.#rtcpSalt, at);
    const from = at.encrypted ? at.bodyAt : at.bodyEnd;
    this.#seal(this.#rtcpKey, bytes, at, rtcpAad(bytes, at), from);
  }

  /** Two zero bytes, SSRC, 48-bit index (RTCP: its 31 bits), exclusive or the salt (RFC 7714 sections 8.1 and 9.1). */
  #setNonce(salt: Uint8Array, at: PacketLayout): void {
    const nonce = this.#nonce;
    nonce.writeUInt16BE(0, 0);
    nonce.writeUInt32BE(at.ssrc, 2);
    nonce.writeUIntBE(at.index, 6, 6);
    for (let i = 0; i < nonce.length; i++) nonce[i] = nonce[i]! ^ salt[i]!;
  }

  #open(key: KeyObject, bytes: Uint8Array, at: PacketLayout, aad: Uint8Array, from: number): boolean {
    const decipher = createDecipheriv(this.#cipher, key, this.#nonce, TAG_LENGTH);
    decipher.setAAD(aad);
    decipher.setAuthTag(bytes.subarray(at.tagAt, at.tagAt + TAG_BYTES));
    const plain = decipher.update(bytes.subarray(from, at.bodyEnd));
    try {
      decipher.final();
    } catch (_notAuthentic) {
      return false;
    }
    bytes.set(plain, from);
    return true;
  }

  #seal(key: KeyObject, bytes: Uint8Array, at: PacketLayout, aad: Uint8Array, from: number): void {
    const cipher = createCipheriv(this.#cipher, key, this.#nonce, TAG_LENGTH);
    cipher.setAAD(aad);
    bytes.set(cipher.update(bytes.subarray(from, at.bodyEnd)), from);
    cipher.final();
    bytes.set(cipher.getAuthTag(), at.tagAt);
  }
}

/** The header and the index word; the whole packet and the index word when it is not encrypted (RFC 7714 section 9.2, 9.3). */
function rtcpAad(bytes: Uint8Array, at: PacketLayout): Uint8Array {
  const open = bytes.subarray(0, at.encrypted ? RTCP_HEADER_BYTES : at.bodyEnd);
  return Buffer.concat([open, bytes.subarray(at.indexAt, at.indexAt + 4)]);
}
