/*
 * Writes libsrtp-vectors.json: packets that libsrtp protected, for every suite that we take, over a roll-over of the sequence number,
 * with and without a master key identifier.
 *
 *   cc -o vectors libsrtp-vectors.c -lsrtp2 && ./vectors > libsrtp-vectors.json      (Debian: libsrtp2-dev)
 */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <string.h>

struct suite {
  const char *name;
  void (*policy)(srtp_crypto_policy_t *);
  void (*rtcp)(srtp_crypto_policy_t *);
  int key_and_salt;
};

static const struct suite suites[] = {
    {"AES_CM_128_HMAC_SHA1_80", srtp_crypto_policy_set_rtp_default, srtp_crypto_policy_set_rtcp_default, 30},
    {"AES_CM_128_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, srtp_crypto_policy_set_rtcp_default, 30},
    {"AES_256_CM_HMAC_SHA1_80", srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80,
     srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, 46},
    {"AES_256_CM_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32,
     srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, 46},
    {"AEAD_AES_128_GCM", srtp_crypto_policy_set_aes_gcm_128_16_auth, srtp_crypto_policy_set_aes_gcm_128_16_auth, 28},
    {"AEAD_AES_256_GCM", srtp_crypto_policy_set_aes_gcm_256_16_auth, srtp_crypto_policy_set_aes_gcm_256_16_auth, 44},
};

static void hex(const char *name, const unsigned char *bytes, int length) {
  printf("\"%s\": \"", name);
  for (int i = 0; i < length; i++) printf("%02x", bytes[i]);
  printf("\"");
}

static int rtp(unsigned char *packet, int n) {
  unsigned sequence = (65534 + n) & 0xffff, timestamp = 160 * n;
  unsigned char head[12] = {0x80, 0, sequence >> 8, sequence, timestamp >> 24, timestamp >> 16, timestamp >> 8, timestamp,
                            0xca, 0xfe, 0xba, 0xbe};
  int length = 12;
  memcpy(packet, head, 12);
  if (n == 1) { /* a CSRC and a header extension of one word, which are not encrypted */
    static const unsigned char more[12] = {1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 9, 0, 0};
    packet[0] = 0x91;
    memcpy(packet + 12, more, 12);
    length += 12;
  }
  for (int i = 0; i < 20 + n; i++) packet[length++] = (unsigned char)(i * 7 + n);
  return length;
}

static int rtcp(unsigned char *packet, int n) {
  static const unsigned char head[8] = {0x81, 200, 0, 12, 0xca, 0xfe, 0xba, 0xbe};
  memcpy(packet, head, 8);
  for (int i = 8; i < 52; i++) packet[i] = (unsigned char)(i + n);
  return 52;
}

int main(void) {
  if (srtp_init() != srtp_err_status_ok) return 1;
  printf("[");
  for (unsigned s = 0; s < sizeof suites / sizeof *suites; s++) {
    for (int mki = 0; mki < 2; mki++) {
      unsigned char key[46], id[4] = {0xaa, 0xbb, 0xcc, 0xdd};
      for (int i = 0; i < 46; i++) key[i] = (unsigned char)(i * 11 + 5 + s);
      srtp_policy_t policy;
      memset(&policy, 0, sizeof policy);
      suites[s].policy(&policy.rtp);
      suites[s].rtcp(&policy.rtcp);
      policy.ssrc.type = ssrc_any_outbound;
      srtp_master_key_t master = {key, id, 4}, *masters[1] = {&master};
      if (mki) {
        policy.keys = masters;
        policy.num_master_keys = 1;
      } else {
        policy.key = key;
      }
      srtp_t session;
      if (srtp_create(&session, &policy) != srtp_err_status_ok) return 2;
      printf("%s\n{\"suite\": \"%s\", ", s + mki ? "," : "", suites[s].name);
      hex("key", key, suites[s].key_and_salt);
      printf(", ");
      hex("mki", id, mki ? 4 : 0);
      printf(", \"rtp\": [");
      for (int n = 0; n < 4; n++) {
        unsigned char packet[256];
        int length = rtp(packet, n);
        printf("%s\n  {", n ? "," : "");
        hex("plain", packet, length);
        if (srtp_protect_mki(session, packet, &length, mki, 0) != srtp_err_status_ok) return 3;
        printf(",\n   ");
        hex("sealed", packet, length);
        printf("}");
      }
      printf("], \"rtcp\": [");
      for (int n = 0; n < 2; n++) {
        unsigned char packet[256];
        int length = rtcp(packet, n);
        printf("%s\n  {", n ? "," : "");
        hex("plain", packet, length);
        if (srtp_protect_rtcp_mki(session, packet, &length, mki, 0) != srtp_err_status_ok) return 4;
        printf(",\n   ");
        hex("sealed", packet, length);
        printf("}");
      }
      printf("]}");
      srtp_dealloc(session);
    }
  }
  printf("\n]\n");
  return 0;
}
