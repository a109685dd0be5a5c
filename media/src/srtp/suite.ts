import type { SrtpSuite } from '@earshot/contracts';

export interface SuiteSizes {
  readonly aead: boolean;
  readonly keyBytes: 16 | 32;
  readonly saltBytes: 12 | 14;
  /** What a protected RTP packet is longer than the plain one, without MKI. */
  readonly tagBytes: 4 | 10 | 16;
  /** Likewise RTCP, where the index word comes on top; the 32-bit suites have 80 bits there (RFC 3711 section 5.2). */
  readonly rtcpTagBytes: 10 | 16;
}

const counter = (keyBytes: 16 | 32, tagBytes: 4 | 10): SuiteSizes => ({
  aead: false,
  keyBytes,
  saltBytes: 14,
  tagBytes,
  rtcpTagBytes: 10,
});
const gcm = (keyBytes: 16 | 32): SuiteSizes => ({
  aead: true,
  keyBytes,
  saltBytes: 12,
  tagBytes: 16,
  rtcpTagBytes: 16,
});

/** RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 14.2. */
export const suiteSizes: Readonly<Record<SrtpSuite, SuiteSizes>> = {
  AES_CM_128_HMAC_SHA1_80: counter(16, 10),
  AES_CM_128_HMAC_SHA1_32: counter(16, 4),
  AES_256_CM_HMAC_SHA1_80: counter(32, 10),
  AES_256_CM_HMAC_SHA1_32: counter(32, 4),
  AEAD_AES_128_GCM: gcm(16),
  AEAD_AES_256_GCM: gcm(32),
};

export const SRTP_SUITES = Object.keys(suiteSizes) as SrtpSuite[];
