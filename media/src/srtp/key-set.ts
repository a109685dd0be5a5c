import type { SrtpSuite } from '@earshot/contracts';
import type { SrtpKeys } from './keys.ts';
import { newLayout, type PacketLayout, type Transform } from './layout.ts';
import { suiteSizes, type SuiteSizes } from './suite.ts';
import { transformFor } from './transform.ts';

/** The keys that are in force together, and where a packet has its parts under them. */
export class KeySet {
  readonly layout: PacketLayout = newLayout();
  readonly suite: SrtpSuite;
  readonly sizes: SuiteSizes;
  readonly #keys: readonly SrtpKeys[];
  readonly #transforms: readonly Transform[];
  readonly #mkiBytes: number;

  /** @param keys of one suite, not empty, identifiers of one length (keysFrom sees to it) */
  constructor(keys: readonly SrtpKeys[]) {
    this.#keys = keys;
    this.#transforms = keys.map(transformFor);
    this.#mkiBytes = keys[0]!.mki.length;
    this.suite = keys[0]!.suite;
    this.sizes = suiteSizes[this.suite];
  }

  /** @param keys as of the constructor */
  has(keys: readonly SrtpKeys[]): boolean {
    return keys.length === this.#keys.length && keys.every((key, i) => key.equals(this.#keys[i]!));
  }

  /** Sets bodyAt, bodyEnd and tagAt. @returns false when there is no room for them */
  locateRtp(bodyAt: number, end: number): boolean {
    const { aead, tagBytes } = this.sizes;
    const { layout } = this;
    layout.bodyAt = bodyAt;
    layout.tagBytes = tagBytes;
    // MKI before the tag, or after it where the tag is AEAD's, a part of the body (RFC 3711 3.1, RFC 7714 8.2).
    layout.tagAt = end - tagBytes - (aead ? this.#mkiBytes : 0);
    layout.bodyEnd = layout.tagAt - (aead ? 0 : this.#mkiBytes);
    return layout.bodyEnd >= bodyAt;
  }

  /** As locateRtp, and indexAt. @param short the tag has the length that it has in RTP */
  locateRtcp(bodyAt: number, end: number, short: boolean): boolean {
    const { aead, tagBytes } = this.sizes;
    const rtcpTagBytes = short ? tagBytes : this.sizes.rtcpTagBytes;
    const { layout } = this;
    layout.bodyAt = bodyAt;
    layout.tagBytes = rtcpTagBytes;
    layout.indexAt = end - this.#mkiBytes - 4 - (aead ? 0 : rtcpTagBytes);
    layout.tagAt = aead ? layout.indexAt - rtcpTagBytes : end - rtcpTagBytes;
    layout.bodyEnd = aead ? layout.tagAt : layout.indexAt;
    return layout.bodyEnd >= bodyAt;
  }

  /** The transform of the key that the packet names, or null. @param mkiEnd where its identifier ends */
  transformAt(bytes: Uint8Array, mkiEnd: number): Transform | null {
    if (this.#mkiBytes === 0) return this.#transforms[0]!;
    const from = mkiEnd - this.#mkiBytes;
    for (const [i, key] of this.#keys.entries()) {
      if (startsWith(bytes, from, key.mki)) return this.#transforms[i]!;
    }
    return null;
  }

  /** Where the identifier of a located packet is that ends at end. */
  mkiEnd(end: number): number {
    return this.sizes.aead ? end : this.layout.tagAt;
  }

  /** For sending: the first key. */
  get first(): Transform {
    return this.#transforms[0]!;
  }
  get firstMki(): Uint8Array {
    return this.#keys[0]!.mki;
  }

  toString(): string {
    return '[SrtpKeys]';
  }
}

function startsWith(bytes: Uint8Array, at: number, what: Uint8Array): boolean {
  for (let i = 0; i < what.length; i++) if (bytes[at + i] !== what[i]) return false;
  return true;
}
