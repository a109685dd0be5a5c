import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CounterMode, KeystreamCache } from '../../src/srtp/counter-mode.ts';
import { deriveBytes } from '../../src/srtp/derivation.ts';
import { GcmTransform } from '../../src/srtp/gcm-transform.ts';
import { keysFrom } from '../../src/srtp/keys.ts';
import { newLayout } from '../../src/srtp/layout.ts';
import { SrtpReceiver } from '../../src/srtp/receiver.ts';
import { MAX_SRTP_OVERHEAD, SrtpSender } from '../../src/srtp/sender.ts';
import type { SrtpSuite } from '@earshot/contracts';

const fromHex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('test vectors of the RFCs', () => {
  it('RFC 3711 B.2: the AES-CM key stream, up to block ff01', () => {
    const mode = new CounterMode(
      fromHex('2b7e151628aed2a6abf7158809cf4f3c'),
      fromHex('f0f1f2f3f4f5f6f7f8f9fafbfcfd'),
    );
    const stream = new Uint8Array(0xff02 * 16);
    mode.apply(stream, 0, stream.length, 0, 0, new KeystreamCache());
    expect(hex(stream.subarray(0, 48))).toBe(
      'e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0',
    );
    expect(hex(stream.subarray(0xfeff * 16))).toBe(
      'ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44',
    );
  });

  it('RFC 3711 B.3: key derivation with AES-128', () => {
    const key = fromHex('e1f97a0d3e018be0d64fa32c06de4139');
    const salt = fromHex('0ec675ad498afeebb6960b3aabe6');
    expect(hex(deriveBytes(key, salt, 0, 16))).toBe('c61e7a93744f39ee10734afe3ff7a087');
    expect(hex(deriveBytes(key, salt, 2, 14))).toBe('30cbbc08863d8c85d49db34a9ae1');
    expect(hex(deriveBytes(key, salt, 1, 94))).toBe(
      'cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbcee049646c43d9327ad175578ef7227098' +
        '6371c10c9a369ac2f94a8c5fbcdddc256d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2',
    );
  });

  it('RFC 6188 7.2: key derivation with AES-256', () => {
    const key = fromHex('f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6');
    const salt = fromHex('3b04803de51ee7c96423ab5b78d2');
    expect(hex(deriveBytes(key, salt, 0, 32))).toBe(
      '5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4',
    );
    expect(hex(deriveBytes(key, salt, 2, 14))).toBe('fa31791685ca444a9e07c6c64e93');
    expect(hex(deriveBytes(key, salt, 1, 20))).toBe('fd9c32d39ed5fbb5a9dc96b30818454d1313dc05');
  });

  const key256 = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
  const gcmSession = (keyBytes: number) => {
    const keys = {
      key: fromHex(key256.slice(0, keyBytes * 2)),
      salt: fromHex('517569642070726f2071756f'),
      authentication: new Uint8Array(0),
    };
    return { rtp: keys, rtcp: keys };
  };

  it.each([
    [
      16,
      'f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce',
    ],
    [
      32,
      '32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13',
    ],
  ])('RFC 7714 16: an RTP packet with AES-GCM and a key of %i bytes', (keyBytes, body) => {
    const header = '8040f17b8041f8d35501a0b2';
    const bytes = fromHex(header + body);
    const plain = header + '47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573';
    const layout = {
      ...newLayout(),
      bodyAt: 12,
      bodyEnd: bytes.length - 16,
      tagAt: bytes.length - 16,
      tagBytes: 16,
      ssrc: 0x5501a0b2,
      index: 0xf17b,
    };
    const transform = new GcmTransform(gcmSession(keyBytes));
    expect(transform.openRtp(bytes, layout)).toBe(true);
    expect(hex(bytes.subarray(0, layout.bodyEnd))).toBe(plain);
    transform.sealRtp(bytes, layout);
    expect(hex(bytes)).toBe(header + body);
  });

  it.each([
    [
      16,
      true,
      '63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4',
    ],
    [
      32,
      true,
      'd50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4',
    ],
    [
      16,
      false,
      '4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef841dd9683dd78ec92ae58790125f62b3000005d4',
    ],
  ])(
    'RFC 7714 17: an RTCP packet with AES-GCM, a key of %i bytes, encrypted %s',
    (keyBytes, encrypted, rest) => {
      const open = '81c8000d4d617273';
      const bytes = fromHex(open + rest);
      const tagAt = bytes.length - 20;
      const layout = {
        ...newLayout(),
        bodyAt: 8,
        bodyEnd: tagAt,
        tagAt,
        tagBytes: 16,
        indexAt: tagAt + 16,
        ssrc: 0x4d617273,
        index: 0x5d4,
        encrypted,
      };
      const transform = new GcmTransform(gcmSession(keyBytes));
      expect(transform.openRtcp(bytes, layout)).toBe(true);
      expect(hex(bytes.subarray(0, tagAt))).toBe(
        open + '4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef',
      );
      transform.sealRtcp(bytes, layout);
      expect(hex(bytes)).toBe(open + rest);
    },
  );
});

interface LibsrtpVector {
  readonly suite: SrtpSuite;
  readonly key: string;
  readonly mki: string;
  readonly rtp: readonly { readonly plain: string; readonly sealed: string }[];
  readonly rtcp: readonly { readonly plain: string; readonly sealed: string }[];
}

describe('packets that libsrtp 2.5 made (libsrtp-vectors.c)', () => {
  const vectors = JSON.parse(
    readFileSync(new URL('libsrtp-vectors.json', import.meta.url), 'utf8'),
  ) as LibsrtpVector[];
  const keysOf = (vector: LibsrtpVector) =>
    keysFrom({
      suite: vector.suite,
      keys: [
        {
          key: fromHex(vector.key).toString('base64'),
          mki: vector.mki === '' ? null : fromHex(vector.mki).toString('base64'),
        },
      ],
    })!;

  it.each(vectors.map((vector) => [vector.suite, vector.mki || 'none', vector] as const))(
    '%s, identifier %s: are opened over a roll-over of the sequence number, RTCP too',
    (_suite, _mki, vector) => {
      const receiver = new SrtpReceiver(keysOf(vector));
      for (const { plain, sealed } of vector.rtp) {
        const bytes = fromHex(sealed);
        const length = receiver.openRtp(bytes, 0);
        expect(hex(bytes.subarray(0, Math.max(0, length)))).toBe(plain);
      }
      expect(receiver.rolloverOf(0xcafebabe, 1)).toBe(1);
      for (const { plain, sealed } of vector.rtcp) {
        const bytes = fromHex(sealed);
        const length = receiver.openRtcp(bytes, 0);
        expect(hex(bytes.subarray(0, Math.max(0, length)))).toBe(plain);
      }
    },
  );

  it.each(vectors.map((vector) => [vector.suite, vector.mki || 'none', vector] as const))(
    '%s, identifier %s: are what we make of the same plain packets',
    (_suite, _mki, vector) => {
      // libsrtp's first RTCP index is 1.
      const sender = new SrtpSender(keysOf(vector), 1);
      const seal = (plain: string, how: 'sealRtp' | 'sealRtcp') => {
        const bytes = Buffer.alloc(plain.length / 2 + MAX_SRTP_OVERHEAD);
        bytes.set(fromHex(plain));
        return hex(bytes.subarray(0, sender[how](bytes, plain.length / 2)));
      };
      for (const { plain, sealed } of vector.rtp) expect(seal(plain, 'sealRtp')).toBe(sealed);
      for (const { plain, sealed } of vector.rtcp) expect(seal(plain, 'sealRtcp')).toBe(sealed);
    },
  );
});
