import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import type { SrtpSuite } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mediaAttributes, valuesOf } from '../src/sdp/attributes.ts';
import { chooseCrypto, cryptoAnswer, negotiateCrypto, ownKeys, readCrypto } from '../src/sdp/crypto.ts';
import { rtcpAnswer, rtcpOf } from '../src/sdp/rtcp.ts';

/** The key of RFC 4568 section 6.1's examples has 16 + 14 bytes. */
const KEY30 = 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';
const key = (bytes: number): string => randomBytes(bytes).toString('base64');
const why = (value: string): string => {
  const read = readCrypto(value);
  return read.kind === 'usable' ? 'usable' : `${read.kind}: ${read.why}`;
};

describe('an a=crypto attribute', () => {
  it('is read with its identifier, whichever form its lifetime has', () => {
    const read = (rest: string) => {
      const result = readCrypto(`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}${rest}`);
      return result.kind === 'usable' ? result.attribute.keys[0]!.mki : result.why;
    };
    expect(read('')).toBe(null);
    expect(read('|2^20')).toBe(null);
    expect(read('|1000')).toBe(null);
    expect(read('|2^20|1:4')).toBe(Buffer.from([0, 0, 0, 1]).toString('base64'));
    expect(read('|258:2')).toBe(Buffer.from([1, 2]).toString('base64'));
    expect(read('|2^31|1:32')).toBe(Buffer.from('1'.padStart(64, '0'), 'hex').toString('base64'));
  });

  it.each<[SrtpSuite, number]>([
    ['AES_CM_128_HMAC_SHA1_80', 30],
    ['AES_CM_128_HMAC_SHA1_32', 30],
    ['AES_256_CM_HMAC_SHA1_80', 46],
    ['AES_256_CM_HMAC_SHA1_32', 46],
    ['AEAD_AES_128_GCM', 28],
    ['AEAD_AES_256_GCM', 44],
  ])('of %s has %i bytes of key and salt, no more and no fewer', (suite, bytes) => {
    const text = key(bytes);
    expect(readCrypto(`7 ${suite} inline:${text}`)).toEqual({
      kind: 'usable',
      attribute: { tag: 7, suite, keys: [{ key: text, mki: null }] },
    });
    expect(why(`7 ${suite} inline:${key(bytes + 1)}`)).toMatch(/malformed: crypto 7: .* not/);
    expect(why(`7 ${suite} inline:${key(bytes - 1)}`)).toMatch(/malformed: crypto 7: .* not/);
  });

  it.each([
    ['', /malformed: the tag/],
    ['1234567890 AES_CM_128_HMAC_SHA1_80 inline:x', /malformed: the tag/],
    ['1', /malformed: .*no suite/],
    ['1 AES_CM_128_HMAC_SHA1_80', /malformed: .*no key/],
    ['1 AES_CM_128_HMAC_SHA1_80 inline:', /malformed: .*not base64/],
    ['1 AES_CM_128_HMAC_SHA1_80 inline:%%%%', /malformed: .*not base64/],
    [`1 AES_CM_128_HMAC_SHA1_80 ${KEY30}`, /malformed: .*no method/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}|2^49`, /malformed: .*lifetime/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}|0`, /malformed: .*lifetime/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}|2^20|256:1`, /malformed: .*identifier/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}|2^20|1:129`, /malformed: .*identifier/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}|2^20|1:1|3`, /malformed: .*too many parts/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30};inline:${KEY30}`, /malformed: .*several keys/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}|1:1;inline:${KEY30}|1:1`, /malformed: .*repeated/],
    [`1 AES_CM_128_HMAC_SHA1_80 url:https://keys.example.test/1`, /unsupported: key method url/],
    [`1 F8_128_HMAC_SHA1_80 inline:${KEY30}`, /unsupported: suite F8_128_HMAC_SHA1_80/],
    [`1 toString inline:${KEY30}`, /unsupported: suite toString/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30} UNENCRYPTED_SRTP`, /unsupported: .*UNENCRYPTED_SRTP/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30} UNENCRYPTED_SRTCP`, /unsupported/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30} WSH=128 UNAUTHENTICATED_SRTP`, /unsupported/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30} KDR=1`, /unsupported: session parameter KDR/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30} FEC_ORDER=FEC_SRTP`, /unsupported/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30} X_NEW=1`, /unsupported: session parameter X_NEW/],
    [`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30} -X_NEW=1 WSH=256`, /usable/],
  ])('%s is judged as RFC 4568 has it', (value, says) => {
    expect(why(value)).toMatch(says);
  });

  it('is chosen by the offerer’s order, past what we do not do', () => {
    const choice = chooseCrypto([
      `1 F8_128_HMAC_SHA1_80 inline:${KEY30}`,
      `2 AES_CM_128_HMAC_SHA1_32 inline:${KEY30} KDR=2`,
      `3 AES_CM_128_HMAC_SHA1_32 inline:${KEY30}`,
      `4 AEAD_AES_256_GCM inline:${key(44)}`,
    ]);
    expect(choice).toMatchObject({
      kind: 'chosen',
      attribute: { tag: 3, suite: 'AES_CM_128_HMAC_SHA1_32' },
    });
    expect(chooseCrypto([`1 F8_128_HMAC_SHA1_80 inline:${KEY30}`, '2'])).toEqual({
      kind: 'none',
      why: 'suite F8_128_HMAC_SHA1_80 is not supported; crypto 2 has no suite',
    });
    expect(chooseCrypto([])).toEqual({ kind: 'none', why: 'no a=crypto' });
    const sameTag = `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}`;
    expect(chooseCrypto([`1 F8_128_HMAC_SHA1_80 inline:${KEY30}`, sameTag]).kind).toBe('none');
  });

  it('is answered with its tag and suite and a key of our own, which stays while the suite does', () => {
    const offered = (line: string) => {
      const choice = chooseCrypto([line]);
      if (choice.kind !== 'chosen') throw new Error(choice.why);
      return choice.attribute;
    };
    const first = offered(`5 AEAD_AES_128_GCM inline:${key(28)}|2^31|1:4`);
    const media = negotiateCrypto(first, null, randomBytes);
    const answer = cryptoAnswer(first, media.send);
    const read = offered(answer);
    expect(read).toMatchObject({ tag: 5, suite: 'AEAD_AES_128_GCM', keys: media.send.keys });
    expect(media.send.keys[0]!.key).not.toBe(first.keys[0]!.key);
    const rekeyed = negotiateCrypto(offered(`5 AEAD_AES_128_GCM inline:${key(28)}`), media, randomBytes);
    expect(rekeyed.send).toBe(media.send);
    expect(rekeyed.receive.keys).not.toEqual(media.receive.keys);
    const other = negotiateCrypto(offered(`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY30}`), media, randomBytes);
    expect(other.send).toMatchObject({ suite: 'AES_CM_128_HMAC_SHA1_80' });
    expect(readCrypto(`1 ${other.send.suite} inline:${other.send.keys[0]!.key}`).kind).toBe('usable');
    expect(ownKeys('AES_256_CM_HMAC_SHA1_80', randomBytes).keys[0]!.key).not.toBe(
      ownKeys('AES_256_CM_HMAC_SHA1_80', randomBytes).keys[0]!.key,
    );
  });

  it('leaves no key in what is said of it', () => {
    const secret = key(30);
    const lines = [
      `1 AES_CM_128_HMAC_SHA1_80 inline:${secret}|x`,
      `2 AES_CM_128_HMAC_SHA1_80 inline:${secret} NEW=${secret}`,
      `3 AES_CM_128_HMAC_SHA1_80 inline:${secret}=${secret}`,
      `4 AES_CM_128_HMAC_SHA1_80 other:${secret}`,
    ];
    expect(inspect(chooseCrypto(lines))).not.toContain(secret);
  });

  it('of any text is read without a throw, and what is usable can be answered', () => {
    const parts = fc.oneof(
      fc.constantFrom('1', 'AES_CM_128_HMAC_SHA1_80', `inline:${KEY30}`, '|2^20', '|1:4', ';', ' ', ':', '|'),
      fc.constantFrom('KDR=0', '-X', 'UNENCRYPTED_SRTP', '\t', 'AEAD_AES_256_GCM', '__proto__', '2^', '='),
      fc.string({ maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 12 }), (pieces) => {
        const read = readCrypto(pieces.join(''));
        if (read.kind !== 'usable') return;
        const answer = cryptoAnswer(read.attribute, ownKeys(read.attribute.suite, randomBytes));
        expect(readCrypto(answer).kind).toBe('usable');
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('attributes of an m-line', () => {
  const sdp = [
    'v=0',
    'a=rtcp-mux',
    'm=audio 4000 RTP/SAVP 0',
    'a=crypto:1 A inline:x KDR=1 UNENCRYPTED_SRTP',
    'a=rtcp:4003 IN IP4 192.0.2.7 ',
    'a=rtcp-rsize',
    'm=audio 5000 RTP/AVP 0',
    'a=rtcp-mux',
    'm=audio 6000 RTP/AVP 0',
    'a=rtcp:99999',
  ].join('\r\n');

  it('are its own and whole', () => {
    const media = mediaAttributes(sdp);
    expect(media).toHaveLength(3);
    expect(valuesOf(media[0]!, 'crypto')).toEqual(['1 A inline:x KDR=1 UNENCRYPTED_SRTP']);
    expect(valuesOf(media[0]!, 'rtcp-mux')).toEqual([]);
  });

  it('say where RTCP is, and what of it is answered', () => {
    const [first, second, third] = mediaAttributes(sdp).map((attributes, i) =>
      rtcpOf(attributes, 4000 + i * 1000),
    );
    expect(first).toEqual({
      mux: false,
      reducedSize: true,
      port: 4003,
      address: '192.0.2.7',
    });
    expect(second).toMatchObject({ mux: true, reducedSize: false, port: 5001, address: null });
    expect(third).toMatchObject({ port: 6001, address: null });
    expect(rtcpAnswer(first!)).toEqual(['rtcp-rsize']);
    expect(rtcpAnswer(second!)).toEqual(['rtcp-mux']);
    expect(rtcpOf(['rtcp-mux-only'], 8)).toMatchObject({ mux: true });
    expect(rtcpOf(['rtcp:7001 IN IP6 2001:db8::1'], 8).address).toBe('2001:db8::1');
    expect(rtcpOf(['rtcp:7001 IN IP4 evil.example.test'], 8)).toMatchObject({ port: 9, address: null });
  });
});
