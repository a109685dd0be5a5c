import { CounterMode, KeystreamCache } from './counter-mode.ts';
import type { SessionKeys } from './derivation.ts';
import { HmacSha1 } from './hmac-sha1.ts';
import type { PacketLayout, Transform } from './layout.ts';

/** AES in counter mode and HMAC-SHA1 (RFC 3711 section 4; RFC 6188 with AES-256). */
export class CounterTransform implements Transform {
  readonly #rtp: CounterMode;
  readonly #rtcp: CounterMode;
  readonly #rtpTag: HmacSha1;
  readonly #rtcpTag: HmacSha1;
  readonly #rtcpCache = new KeystreamCache();

  constructor(session: { readonly rtp: SessionKeys; readonly rtcp: SessionKeys }) {
    this.#rtp = new CounterMode(session.rtp.key, session.rtp.salt);
    this.#rtcp = new CounterMode(session.rtcp.key, session.rtcp.salt);
    this.#rtpTag = new HmacSha1(session.rtp.authentication);
    this.#rtcpTag = new HmacSha1(session.rtcp.authentication);
  }

  openRtp(bytes: Uint8Array, at: PacketLayout, cache: KeystreamCache): boolean {
    this.#rtpTag.compute(bytes, at.bodyEnd, rolloverOf(at.index));
    if (!this.#rtpTag.matches(bytes, at.tagAt, at.tagBytes)) return false;
    this.#rtp.apply(bytes, at.bodyAt, at.bodyEnd, at.ssrc, at.index, cache);
    return true;
  }

  sealRtp(bytes: Uint8Array, at: PacketLayout, cache: KeystreamCache): void {
    this.#rtp.apply(bytes, at.bodyAt, at.bodyEnd, at.ssrc, at.index, cache);
    this.#rtpTag.compute(bytes, at.bodyEnd, rolloverOf(at.index));
    this.#rtpTag.write(bytes, at.tagAt, at.tagBytes);
  }

  openRtcp(bytes: Uint8Array, at: PacketLayout): boolean {
    this.#rtcpTag.compute(bytes, at.indexAt + 4, -1);
    if (!this.#rtcpTag.matches(bytes, at.tagAt, at.tagBytes)) return false;
    if (at.encrypted) this.#applyRtcp(bytes, at);
    return true;
  }

  sealRtcp(bytes: Uint8Array, at: PacketLayout): void {
    if (at.encrypted) this.#applyRtcp(bytes, at);
    this.#rtcpTag.compute(bytes, at.indexAt + 4, -1);
    this.#rtcpTag.write(bytes, at.tagAt, at.tagBytes);
  }

  #applyRtcp(bytes: Uint8Array, at: PacketLayout): void {
    // Reports come from more than one SSRC and rarely: what was made ahead is not of use.
    this.#rtcpCache.owner = null;
    this.#rtcp.apply(bytes, at.bodyAt, at.bodyEnd, at.ssrc, at.index, this.#rtcpCache);
  }
}

const rolloverOf = (index: number): number => Math.floor(index / 0x10000);
