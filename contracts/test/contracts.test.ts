import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ALAW_TO_LINEAR,
  BLOCK_HEADER_BYTES,
  CALL_ID_PATTERN,
  channelIdOf,
  crc32c,
  decodeBlock,
  encodeBlock,
  linearToAlaw,
  linearToUlaw,
  msOfTick,
  newCallId,
  partsOfChannel,
  type SpoolBlock,
  tickAt,
  ULAW_TO_LINEAR,
} from '../src/index.ts';

describe('ids', () => {
  test('a call id is a UUID version 7 and sorts by time', () => {
    const early = newCallId(1_700_000_000_000, randomBytes(10));
    const late = newCallId(1_700_000_000_001, randomBytes(10));
    expect(early).toMatch(new RegExp(CALL_ID_PATTERN));
    expect(early < late).toBe(true);
    expect(parseInt(early.replaceAll('-', '').slice(0, 12), 16)).toBe(1_700_000_000_000);
  });

  test('a channel id gives its parts back', () => {
    const callId = newCallId(Date.now(), randomBytes(10));
    expect(partsOfChannel(channelIdOf(callId, 11))).toEqual({ callId, index: 11 });
  });
});

describe('ticks', () => {
  test('100 days after call zero a tick is still exact', () => {
    const zero = { wallMs: 0, monoUs: 123_456_789 };
    const days100Us = 100 * 86_400 * 1e6;
    expect(tickAt(zero, zero.monoUs + days100Us)).toBe(100 * 86_400 * 8000);
    expect(msOfTick(100 * 86_400 * 8000 + 8)).toBe(100 * 86_400_000 + 1);
  });
});

describe('G.711', () => {
  // Values of ITU-T G.711 tables 1a to 2b: the ends, zero, and one of the middle.
  test.each([
    [0xff, 0],
    [0x7f, 0],
    [0x80, 32124],
    [0x00, -32124],
    [0xe7, 260],
  ])('mu-law code %i is %i', (code, linear) => expect(ULAW_TO_LINEAR[code]).toBe(linear));

  test.each([
    [0xd5, 8],
    [0x55, -8],
    [0xaa, 32256],
    [0x2a, -32256],
  ])('A-law code %i is %i', (code, linear) => expect(ALAW_TO_LINEAR[code]).toBe(linear));

  test('every code survives decoding and encoding', () => {
    for (let code = 0; code < 256; code++) {
      // Mu-law has two zeros; the encoder makes the positive one.
      if (code !== 0x7f) expect(linearToUlaw(ULAW_TO_LINEAR[code] ?? 0)).toBe(code);
      expect(linearToAlaw(ALAW_TO_LINEAR[code] ?? 0)).toBe(code);
    }
  });

  test('the encoder takes the nearest code of its segment for every sample', () => {
    for (let sample = -32768; sample <= 32767; sample++) {
      const u = Math.abs((ULAW_TO_LINEAR[linearToUlaw(sample)] ?? 0) - sample);
      const a = Math.abs((ALAW_TO_LINEAR[linearToAlaw(sample)] ?? 0) - sample);
      const step = Math.max(16, Math.abs(sample) / 16);
      if (
        u > step + 644 * Number(Math.abs(sample) > 32124) ||
        a > step + 512 * Number(Math.abs(sample) > 32256)
      ) {
        expect.unreachable(`sample ${sample}: off by ${u} (mu-law), ${a} (A-law)`);
      }
    }
  });
});

describe('spool blocks', () => {
  const u32 = fc.nat(0xffffffff);
  const block: fc.Arbitrary<SpoolBlock> = fc.record({
    encoding: fc.constantFrom('PCMU' as const, 'PCMA' as const),
    channelIndex: fc.nat(65535),
    startTick: fc.nat(100 * 86_400 * 8000),
    ticks: fc.nat(4000),
    ssrc: u32,
    extendedSequence: u32,
    rtpTimestampAtEnd: u32,
    srtpRollover: u32,
    packetsReceived: u32,
    packetsLost: u32,
    packetsLate: u32,
    lossBursts: fc.nat(0xffff),
    maxJitterMs: fc.nat(0xffff).map((tenths) => tenths / 10),
    vad: u32,
    payload: fc.uint8Array({ maxLength: 4000 }),
  });

  test('a block reads back as it was written', () => {
    fc.assert(
      fc.property(block, (written) => {
        const read = decodeBlock(encodeBlock(written), 0);
        expect(
          read.kind === 'block' && { ...read.block, payload: Uint8Array.from(read.block.payload) },
        ).toEqual(written);
      }),
    );
  });

  test('any changed byte is noticed, any shortening is a truncation', () => {
    fc.assert(
      fc.property(block, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, where, flip) => {
        const bytes = encodeBlock(written);
        const at = where % bytes.length;
        expect(decodeBlock(bytes.subarray(0, at), 0).kind).toBe('truncated');
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        expect(decodeBlock(bytes, 0).kind).not.toBe('block');
      }),
    );
  });

  test('the checksum is CRC-32C', () => {
    // RFC 3720 appendix B.4: 32 bytes of zeros, 32 bytes of ones.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(BLOCK_HEADER_BYTES).toBe(64);
  });
});
