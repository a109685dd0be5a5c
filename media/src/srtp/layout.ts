import type { KeystreamCache } from './counter-mode.ts';

/**
 * Where the parts of a protected packet are. RTP: header [0..bodyAt), body, tag. RTCP: the first header and SSRC [0..8), body,
 * the index word with its encryption bit, tag; an AEAD tag stands before the index word instead.
 */
export interface PacketLayout {
  bodyAt: number;
  bodyEnd: number;
  tagAt: number;
  tagBytes: number;
  /** RTCP only. */
  indexAt: number;
  ssrc: number;
  /** RTP: roll-over counter and sequence number in one (48 bits). RTCP: 31 bits. */
  index: number;
  /** RTCP only: the encryption bit. RTP is always encrypted here. */
  encrypted: boolean;
}

export const newLayout = (): PacketLayout => ({
  bodyAt: 0,
  bodyEnd: 0,
  tagAt: 0,
  tagBytes: 0,
  indexAt: 0,
  ssrc: 0,
  index: 0,
  encrypted: true,
});

/** Protects and opens packets with one master key, in place. Indices and replay are not its business. */
export interface Transform {
  /** Checks the tag and decrypts the body; bytes that are not authentic stay as they are. @returns whether they are authentic */
  openRtp(bytes: Uint8Array, layout: PacketLayout, cache: KeystreamCache): boolean;
  openRtcp(bytes: Uint8Array, layout: PacketLayout): boolean;
  /** Encrypts the body and writes the tag, for which there must be room. */
  sealRtp(bytes: Uint8Array, layout: PacketLayout, cache: KeystreamCache): void;
  /** The index word is written already. */
  sealRtcp(bytes: Uint8Array, layout: PacketLayout): void;
}
