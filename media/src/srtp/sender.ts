import { word16, word32, writeWord32 } from '../rtp/words.ts';
import { RTCP_OPEN_BYTES, rtpHeaderBytes } from './headers.ts';
import { KeystreamCache } from './counter-mode.ts';
import { KeySet } from './key-set.ts';
import type { SrtpKeys } from './keys.ts';
import { estimateRollover, indexOf } from './rollover.ts';

/** Room for the longest identifier and tag, and the index word. */
export const MAX_SRTP_OVERHEAD = 128 + 16 + 4;

/**
 * Protects what we send with our own key: reports, and RTP in tests and generators. One SSRC.
 *
 * No index may be used twice with a key (RFC 3711 section 9.1), not by a successor of this process either: it begins at a higher one,
 * for which seconds since call zero serve, as fewer reports than one a second are sent.
 */
export class SrtpSender {
  readonly #keys: KeySet;
  readonly #cache = new KeystreamCache();
  readonly #firstRollover: number;
  #rtpIndex = -1;
  #rtcpIndex: number;

  /** @param firstRtcpIndex 31 bits @param rollover the roll-over counter of the first RTP packet */
  constructor(keys: readonly SrtpKeys[], firstRtcpIndex: number, rollover = 0) {
    this.#keys = new KeySet(keys);
    this.#rtcpIndex = firstRtcpIndex;
    this.#firstRollover = rollover;
  }

  /**
   * Protects the RTP packet bytes[0..end) in place.
   * @param bytes with room for MAX_SRTP_OVERHEAD after end
   * @returns the length of the protected packet, or -1 when it is not an RTP packet
   */
  sealRtp(bytes: Uint8Array, end: number): number {
    const bodyAt = rtpHeaderBytes(bytes, end);
    if (bodyAt === -1) return -1;
    const { layout, sizes, firstMki } = this.#keys;
    const sequence = word16(bytes, 2);
    const rollover =
      this.#rtpIndex === -1 ? this.#firstRollover : Math.max(0, estimateRollover(this.#rtpIndex, sequence));
    layout.bodyAt = bodyAt;
    layout.bodyEnd = end;
    layout.tagAt = sizes.aead ? end : end + firstMki.length;
    layout.tagBytes = sizes.tagBytes;
    layout.ssrc = word32(bytes, 8);
    layout.index = indexOf(rollover, sequence);
    this.#rtpIndex = Math.max(this.#rtpIndex, layout.index);
    bytes.set(firstMki, sizes.aead ? end + sizes.tagBytes : end);
    this.#keys.first.sealRtp(bytes, layout, this.#cache);
    return end + firstMki.length + sizes.tagBytes;
  }

  /**
   * Protects the compound RTCP packet bytes[0..end) in place.
   * @param minIndex seconds since call zero; the index is at least that and rises with each packet
   * @returns as sealRtp; -1 also when the key's 2^31 indices are used up
   */
  sealRtcp(bytes: Uint8Array, end: number, minIndex = 0): number {
    const index = Math.max(this.#rtcpIndex, minIndex);
    if (end < RTCP_OPEN_BYTES || index > 0x7fffffff) return -1;
    this.#rtcpIndex = index + 1;
    const { layout, sizes, firstMki } = this.#keys;
    layout.bodyAt = RTCP_OPEN_BYTES;
    layout.bodyEnd = end;
    layout.indexAt = sizes.aead ? end + sizes.rtcpTagBytes : end;
    layout.tagAt = sizes.aead ? end : end + 4 + firstMki.length;
    layout.tagBytes = sizes.rtcpTagBytes;
    layout.ssrc = word32(bytes, 4);
    layout.index = index;
    layout.encrypted = true;
    writeWord32(bytes, layout.indexAt, (0x80000000 | index) >>> 0);
    bytes.set(firstMki, layout.indexAt + 4);
    this.#keys.first.sealRtcp(bytes, layout);
    return end + 4 + firstMki.length + sizes.rtcpTagBytes;
  }
}
