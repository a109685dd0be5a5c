/** What protects a stream (RFC 3711), as SDP brings it (RFC 4568) and media uses it. None of it belongs in a log. */

/** Crypto suites that we take: RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 14.2. */
export type SrtpSuite =
  | 'AES_CM_128_HMAC_SHA1_80'
  | 'AES_CM_128_HMAC_SHA1_32'
  | 'AES_256_CM_HMAC_SHA1_80'
  | 'AES_256_CM_HMAC_SHA1_32'
  | 'AEAD_AES_128_GCM'
  | 'AEAD_AES_256_GCM';

export interface SrtpMasterKey {
  /** Base64 of the master key followed by the master salt. */
  readonly key: string;
  /** Base64 of the master key identifier as packets carry it, 1 to 128 bytes; null: they carry none. */
  readonly mki: string | null;
}

/** What protects one direction. More than one key only with identifiers of one length. */
export interface SrtpKeySet {
  readonly suite: SrtpSuite;
  readonly keys: readonly SrtpMasterKey[];
}

/** The offerer's keys, and ours for the RTCP that we send. */
export interface MediaCrypto {
  readonly receive: SrtpKeySet;
  readonly send: SrtpKeySet;
}
