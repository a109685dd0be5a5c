import { createCipheriv, createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CounterMode, KeystreamCache } from '../../src/srtp/counter-mode.ts';
import { fuzzSrtp } from '../../src/srtp/fuzz.ts';
import { HmacSha1 } from '../../src/srtp/hmac-sha1.ts';
import { keysFrom } from '../../src/srtp/keys.ts';
import { srtpFault, SrtpReceiver } from '../../src/srtp/receiver.ts';
import { REPLAY_WINDOW, ReplayWindow } from '../../src/srtp/replay-window.ts';
import { estimateRollover } from '../../src/srtp/rollover.ts';
import { SrtpSender } from '../../src/srtp/sender.ts';
import { SRTP_SUITES } from '../../src/srtp/suite.ts';
import { randomKeys, rtp, sealed } from './support.ts';

/** What became of a packet: its plain bytes in hex, or why it was refused. */
function open(receiver: SrtpReceiver, packet: Uint8Array, nowUs = 0): string {
  const bytes = Uint8Array.from(packet);
  const length = receiver.openRtp(bytes, nowUs);
  return length < 0 ? srtpFault(length) : Buffer.from(bytes.subarray(0, length)).toString('hex');
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const SSRC = 0x1234;

describe('primitives', () => {
  it('HMAC-SHA1 is that of node:crypto, for every length and with a roll-over counter', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.option(fc.integer({ min: 0, max: 0xffffffff })),
        (key, message, rollover) => {
          const mac = createHmac('sha1', key).update(message);
          if (rollover !== null) {
            const word = Buffer.alloc(4);
            word.writeUInt32BE(rollover);
            mac.update(word);
          }
          const hmac = new HmacSha1(key);
          hmac.compute(message, message.length, rollover ?? -1);
          const tag = new Uint8Array(20);
          hmac.write(tag, 0, 20);
          expect(hex(tag)).toBe(mac.digest('hex'));
          expect(hmac.matches(tag, 0, 20)).toBe(true);
          tag[19]! ^= 1;
          expect(hmac.matches(tag, 0, 20)).toBe(false);
          expect(hmac.matches(tag, 0, 10)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('counter mode is that of node:crypto, whatever was made ahead for other packets', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(16, 32),
        fc.uint8Array({ minLength: 14, maxLength: 14 }),
        fc.array(
          fc.record({
            index: fc.oneof(fc.integer({ min: 65_530, max: 65_545 }), fc.integer({ min: 0, max: 2 ** 47 })),
            payload: fc.uint8Array({ maxLength: 600 }),
          }),
          { minLength: 1, maxLength: 12 },
        ),
        (keyBytes, salt, packets) => {
          const key = Buffer.alloc(keyBytes, 3);
          const mode = new CounterMode(key, salt);
          const cache = new KeystreamCache();
          for (const { index, payload } of packets) {
            const iv = Buffer.alloc(16);
            iv.writeUInt32BE(SSRC, 4);
            iv.writeUIntBE(index, 8, 6);
            for (let i = 0; i < 14; i++) iv[i]! ^= salt[i]!;
            const expected = createCipheriv(`aes-${keyBytes * 8}-ctr`, key, iv).update(payload);
            const bytes = Uint8Array.from([9, 9, ...payload, 9]);
            mode.apply(bytes, 2, 2 + payload.length, SSRC, index, cache);
            expect(hex(bytes)).toBe(`0909${expected.toString('hex')}09`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('the roll-over counter is the one that brings a packet closest to the highest one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0x8000, max: 2 ** 48 - 0x10000 }),
        fc.integer({ min: -0x7fff, max: 0x7fff }),
        (highest, step) => {
          const index = highest + step;
          expect(estimateRollover(highest, index % 0x10000)).toBe(Math.floor(index / 0x10000));
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('the replay window takes each index once, and none that is too old', () => {
    const steps = fc.array(fc.integer({ min: -200, max: 200 }), { maxLength: 400 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1000, max: 2 ** 48 }), (moves, start) => {
        const window = new ReplayWindow();
        const taken = new Set<number>();
        let highest = -1;
        let at = start;
        for (const move of moves) {
          at = Math.max(0, at + move);
          const fresh = !taken.has(at) && at > highest - REPLAY_WINDOW;
          expect(window.isNew(at)).toBe(fresh);
          if (!fresh) continue;
          window.take(at);
          taken.add(at);
          highest = Math.max(highest, at);
        }
        expect(window.highest).toBe(highest);
      }),
      { numRuns: 300 },
    );
  });
});

describe.each(SRTP_SUITES)('a receiver with %s', (suite) => {
  it('gives back what was sent: reordered, lost and over roll-overs, each packet once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65535 }),
        fc.array(fc.integer({ min: -60, max: 9000 }), { minLength: 1, maxLength: 60 }),
        (first, steps) => {
          const keys = randomKeys(suite);
          const receiver = new SrtpReceiver(keys);
          const taken = new Set<number>();
          let highest = first;
          for (const step of [0, ...steps]) {
            const index = highest + step;
            if (index < 0) continue;
            highest = Math.max(highest, index);
            // Its own sender each: the roll-over counter is ours to say.
            const sender = new SrtpSender(keys, 0, Math.floor(index / 0x10000));
            const result = open(receiver, sealed(sender, rtp(index)));
            expect(result).toBe(taken.has(index) ? 'srtp_replay' : hex(rtp(index)));
            taken.add(index);
          }
          expect(receiver.rolloverOf(SSRC, highest % 0x10000)).toBe(Math.floor(highest / 0x10000));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('refuses what was changed anywhere, leaves it as it was, and counts it', () => {
    const keys = randomKeys(suite);
    const receiver = new SrtpReceiver(keys);
    const packet = sealed(new SrtpSender(keys, 0), rtp(5, SSRC, Buffer.alloc(20, 1)));
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const changed = Uint8Array.from(packet);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const before = hex(changed);
      expect(receiver.openRtp(changed, 0)).toBeLessThan(0);
      expect(hex(changed)).toBe(before);
    }
    expect(receiver.refused.srtp_authentication).toBeGreaterThan(packet.length * 7);
    expect(open(receiver, packet)).toBe(hex(rtp(5, SSRC, Buffer.alloc(20, 1))));
  });

  it('opens and seals RTCP, once each', () => {
    const keys = randomKeys(suite, ['0102']);
    const receiver = new SrtpReceiver(keys);
    const sender = new SrtpSender(keys, 40);
    const report = Buffer.from('80c9000112345678', 'hex');
    const packets = [sealed(sender, report, 'sealRtcp'), sealed(sender, report, 'sealRtcp')];
    for (const packet of packets.toReversed()) {
      const bytes = Uint8Array.from(packet);
      expect(receiver.openRtcp(bytes, 0)).toBe(report.length);
      expect(hex(bytes.subarray(0, report.length))).toBe(hex(report));
      expect(srtpFault(receiver.openRtcp(Uint8Array.from(packet), 0))).toBe('srtp_replay');
    }
    const forged = Uint8Array.from(sealed(sender, report, 'sealRtcp'));
    forged[7]! ^= 1;
    expect(srtpFault(receiver.openRtcp(forged, 0))).toBe('srtp_authentication');
  });
});

describe('roll-over counters', () => {
  const keys = randomKeys();
  /** As a sender that has come that far seals it. */
  const at = (index: number, ssrc = SSRC): Buffer =>
    sealed(new SrtpSender(keys, 0, Math.floor(index / 0x10000)), rtp(index, ssrc));
  const plain = (index: number, ssrc = SSRC): string => hex(rtp(index, ssrc));

  it('are kept for each SSRC while another one speaks', () => {
    const receiver = new SrtpReceiver(keys);
    expect(open(receiver, at(65_535))).toBe(plain(65_535));
    expect(open(receiver, at(65_536))).toBe(plain(65_536));
    expect(open(receiver, at(7, 99))).toBe(plain(7, 99));
    expect(open(receiver, at(8, 99))).toBe(plain(8, 99));
    expect(open(receiver, at(65_537), 3.6e9)).toBe(plain(65_537));
    expect([receiver.rolloverOf(SSRC, 1), receiver.rolloverOf(99, 8)]).toEqual([1, 0]);
  });

  it('go on after hold, also with a peer that begins anew at 0, with the same keys', () => {
    const receiver = new SrtpReceiver(keys);
    for (const index of [65_535, 65_536, 130_000, 140_000]) open(receiver, at(index));
    receiver.setKeys(keys, 1e6);
    expect(open(receiver, at(140_001))).toBe(plain(140_001));
    receiver.setKeys(keys, 2e6);
    expect(open(receiver, at(300))).toBe(plain(300));
    expect(open(receiver, at(301))).toBe(plain(301));
    expect(open(receiver, at(300))).toBe('srtp_replay');
    expect(open(receiver, at(140_002))).toBe('srtp_authentication');
  });

  it('go on when signalling comes between packets that overtook each other, and none of those is taken twice', () => {
    const receiver = new SrtpReceiver(keys);
    for (const index of [70_000, 70_001, 70_003, 70_004]) open(receiver, at(index));
    receiver.setKeys(keys, 1e6);
    expect(open(receiver, at(70_002))).toBe(plain(70_002));
    for (const old of [70_003, 70_001, 70_000]) expect(open(receiver, at(old))).toBe('srtp_replay');
    expect(open(receiver, at(70_005))).toBe(plain(70_005));
  });

  it('do not go back without signalling: forged packets open no way for old ones', () => {
    const receiver = new SrtpReceiver(keys);
    for (const index of [65_535, 65_536, 70_000]) open(receiver, at(index));
    const forged = at(70_001);
    forged[30]! ^= 1;
    for (let n = 0; n < 100; n++) expect(open(receiver, forged)).toBe('srtp_authentication');
    for (const old of [65_535, 40_000, 300]) expect(open(receiver, at(old))).not.toBe(plain(old));
    expect(open(receiver, at(70_002))).toBe(plain(70_002));
  });

  it('are found again after so long a loss that the sequence number cannot tell', () => {
    const receiver = new SrtpReceiver(keys);
    open(receiver, at(10));
    const from = 10 + 3 * 65_536;
    const results = Array.from({ length: 40 }, (_, n) => open(receiver, at(from + n)) === plain(from + n));
    expect(results.indexOf(true)).toBeLessThan(16);
    expect(results.slice(results.indexOf(true)).every(Boolean)).toBe(true);
  });

  it('are found when a stream is first heard in its second day', () => {
    const receiver = new SrtpReceiver(keys);
    const from = 80 * 65_536 + 500;
    const results = Array.from({ length: 120 }, (_, n) => open(receiver, at(from + n)) === plain(from + n));
    expect(results.indexOf(true)).toBeLessThan(100);
    expect(results.slice(results.indexOf(true)).every(Boolean)).toBe(true);
  });

  it.each([
    ['right', 5 * 65_536 + 65_500, 5 * 65_536 + 65_510],
    ['over a wrap since', 5 * 65_536 + 65_500, 6 * 65_536 + 3],
    ['one too low', 4 * 65_536 + 3, 5 * 65_536 + 4],
    ['one too high', 6 * 65_536 + 3, 5 * 65_536 + 4],
    ['0, as nothing was known', 65_000, 65_536 + 65_001],
  ])('of a predecessor are gone on from: %s', (_what, saved, next) => {
    const receiver = new SrtpReceiver(keys);
    receiver.restore(SSRC, Math.floor(saved / 65_536), saved % 65_536);
    expect(open(receiver, at(next))).toBe(plain(next));
    expect(open(receiver, at(next + 1))).toBe(plain(next + 1));
    expect(receiver.refused.srtp_authentication).toBe(0);
  });

  it('follow what a predecessor had logged after its last block, and none of it is taken twice', () => {
    const receiver = new SrtpReceiver(keys);
    receiver.restore(SSRC, 0, 65_534);
    for (const index of [65_535, 65_537, 65_536, 65_538]) receiver.replayed(SSRC, index % 65_536, 0);
    expect(receiver.rolloverOf(SSRC, 2)).toBe(1);
    expect(open(receiver, at(65_539))).toBe(plain(65_539));
    expect(open(receiver, at(65_537))).toBe('srtp_replay');
  });
});

describe('keys', () => {
  it('that are new are taken at once, the old ones hold for 2 s more, and counters go on', () => {
    const [before, after] = [randomKeys(), randomKeys()];
    const receiver = new SrtpReceiver(before);
    const old = new SrtpSender(before, 0);
    for (const index of [65_534, 65_535, 65_536]) open(receiver, sealed(old, rtp(index)));
    receiver.setKeys(after, 1e6);
    const late = sealed(old, rtp(65_537));
    const tooLate = sealed(old, rtp(65_538));
    const now = new SrtpSender(after, 0, 1);
    expect(open(receiver, late, 20e6)).toBe(hex(rtp(65_537)));
    expect(open(receiver, sealed(now, rtp(65_539)), 21e6)).toBe(hex(rtp(65_539)));
    expect(open(receiver, tooLate, 22.9e6)).toBe(hex(rtp(65_538)));
    expect(open(receiver, sealed(old, rtp(65_540)), 23.1e6)).toBe('srtp_authentication');
    expect(open(receiver, sealed(now, rtp(65_541)), 23.2e6)).toBe(hex(rtp(65_541)));
  });

  it('that are new may come with counters that begin anew, also after a packet with the old ones', () => {
    const [before, after] = [randomKeys('AEAD_AES_256_GCM'), randomKeys()];
    const receiver = new SrtpReceiver(before);
    const old = new SrtpSender(before, 0);
    for (const index of [65_535, 65_536, 65_537]) open(receiver, sealed(old, rtp(index)));
    receiver.setKeys(after, 0);
    expect(open(receiver, sealed(old, rtp(65_538)))).toBe(hex(rtp(65_538)));
    const anew = new SrtpSender(after, 0);
    expect(open(receiver, sealed(anew, rtp(3)))).toBe(hex(rtp(3)));
    expect(open(receiver, sealed(anew, rtp(4)))).toBe(hex(rtp(4)));
  });

  it('are told apart by their identifiers, and an unknown identifier is refused', () => {
    const keys = randomKeys('AES_CM_128_HMAC_SHA1_32', ['0001', '0002']);
    const receiver = new SrtpReceiver(keys);
    const [first, second] = keys.map((key) => new SrtpSender([key], 0));
    expect(open(receiver, sealed(first!, rtp(1)))).toBe(hex(rtp(1)));
    expect(open(receiver, sealed(second!, rtp(2)))).toBe(hex(rtp(2)));
    const stranger = new SrtpSender(randomKeys('AES_CM_128_HMAC_SHA1_32', ['0003']), 0);
    expect(open(receiver, sealed(stranger, rtp(3)))).toBe('srtp_mki');
    expect(receiver.refused.srtp_mki).toBe(1);
  });

  it('of wrong sizes, or several without identifiers, are refused', () => {
    const key = (bytes: number) => Buffer.alloc(bytes, 1).toString('base64');
    const suite = 'AEAD_AES_128_GCM';
    expect(keysFrom({ suite, keys: [{ key: key(28), mki: null }] })).toHaveLength(1);
    expect(keysFrom({ suite, keys: [{ key: key(30), mki: null }] })).toBeNull();
    expect(keysFrom({ suite, keys: [] })).toBeNull();
    expect(keysFrom({ suite, keys: [{ key: key(28), mki: '' }] })).toBeNull();
    const twice = { key: key(28), mki: null };
    expect(keysFrom({ suite, keys: [twice, twice] })).toBeNull();
    const named = (mki: string) => ({ key: key(28), mki });
    expect(keysFrom({ suite, keys: [named('AAE='), named('AA==')] })).toBeNull();
  });

  it('print as [SrtpKeys], in whatever holds them', () => {
    const material = Buffer.alloc(30, 0xab);
    const keys = keysFrom({
      suite: 'AES_CM_128_HMAC_SHA1_80',
      keys: [{ key: material.toString('base64'), mki: null }],
    })!;
    const receiver = new SrtpReceiver(keys);
    const shown = [
      String(keys[0]),
      JSON.stringify({ keys, receiver }),
      inspect({ keys, receiver, sender: new SrtpSender(keys, 0) }, { depth: 20, showHidden: true }),
    ].join();
    expect(shown).toContain('[SrtpKeys]');
    expect(shown).not.toMatch(/q6urq6ur|abababab|ab ab ab|171, 171|171,171/);
    expect(String(receiver)).toBe('Srtp(AES_CM_128_HMAC_SHA1_80)');
  });
});

describe('what comes from the network', () => {
  it('is refused as malformed where its lengths contradict each other', () => {
    const keys = randomKeys();
    const receiver = new SrtpReceiver(keys);
    const good = sealed(new SrtpSender(keys, 0), rtp(1, SSRC, new Uint8Array(0)));
    expect(open(receiver, good)).toBe(hex(rtp(1, SSRC, new Uint8Array(0))));
    expect(open(receiver, good.subarray(0, 21))).toBe('srtp_malformed');
    expect(open(receiver, new Uint8Array(0))).toBe('srtp_malformed');
    const contradicting = Uint8Array.from(good);
    contradicting[0] = 0x9f;
    expect(open(receiver, contradicting)).toBe('srtp_malformed');
    expect(srtpFault(receiver.openRtcp(new Uint8Array(21), 0))).toBe('srtp_malformed');
  });

  it('may name any number of SSRCs: only who has the keys is remembered, and of those 32', () => {
    const keys = randomKeys();
    const receiver = new SrtpReceiver(keys);
    for (let ssrc = 1; ssrc <= 40; ssrc++) {
      expect(open(receiver, sealed(new SrtpSender(keys, 0), rtp(65_535, ssrc)), ssrc)).toBe(
        hex(rtp(65_535, ssrc)),
      );
      expect(open(receiver, sealed(new SrtpSender(keys, 0, 1), rtp(65_536, ssrc)), ssrc)).toBe(
        hex(rtp(65_536, ssrc)),
      );
      for (let junk = 0; junk < 50; junk++) open(receiver, rtp(junk, 1e6 + ssrc * 50 + junk));
    }
    expect([8, 9].map((ssrc) => receiver.rolloverOf(ssrc, 0))).toEqual([0, 1]);
    expect(receiver.refused.srtp_authentication).toBe(2000);
  });

  it('damaged 200,000 times is never taken for what was sent, changed when refused, or thrown at', () => {
    const result = fuzzSrtp(20_261_122, 200_000);
    expect(result.packets).toBe(200_000);
    expect(result.taken).toBeGreaterThan(5000);
    expect(result.taken).toBeLessThan(40_000);
  }, 120_000);
});
