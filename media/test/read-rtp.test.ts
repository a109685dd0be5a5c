import fc from 'fast-check';
import { isRtp, RtpPacket as ParsedPacket } from 'rtp.js/packets';
import { describe, expect, it } from 'vitest';
import { newRtpPacket } from '../src/rtp/packet.ts';
import { readRtp, type RtpHeader } from '../src/rtp/read-rtp.ts';

/** What rtp.js reads; null where it throws. */
function byRtpJs(bytes: Uint8Array): Record<string, number> | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (!isRtp(view)) return null;
    const parsed = new ParsedPacket(view);
    const payload = parsed.getPayload();
    const start = payload.byteOffset - bytes.byteOffset;
    return {
      start,
      end: start + payload.byteLength,
      payloadType: parsed.getPayloadType(),
      sequence: parsed.getSequenceNumber(),
      timestamp: parsed.getTimestamp(),
      ssrc: parsed.getSsrc(),
    };
  } catch {
    return null;
  }
}

function byUs(bytes: Uint8Array): Record<string, number> | null {
  const header: RtpHeader = newRtpPacket();
  if (!readRtp(bytes, header)) return null;
  expect(header.bytes).toBe(bytes);
  const { start, end, payloadType, sequence, timestamp, ssrc } = header;
  return { start, end, payloadType, sequence, timestamp, ssrc };
}

/** In the middle of a larger buffer, as datagrams are: nothing may be read of what lies around. */
function inRoom(bytes: Uint8Array, around: number): Uint8Array {
  const room = new Uint8Array(bytes.length + 400).fill(around);
  room.set(bytes, 100);
  return room.subarray(100, 100 + bytes.length);
}

const byte = fc.integer({ min: 0, max: 255 });

/** Elements as RFC 8285 has them, with zeros between, and sometimes one that is longer than there is room for. */
const elements = (twoBytes: boolean): fc.Arbitrary<number[]> =>
  fc
    .array(
      fc.tuple(
        fc.integer({ min: 0, max: 15 }),
        fc.uint8Array({ maxLength: 17 }),
        fc.integer({ max: 3, min: 0 }),
      ),
      { maxLength: 6 },
    )
    .map((list) =>
      list.flatMap(([id, value, zeros]) => [
        ...(twoBytes ? [id, value.length] : [(id << 4) | Math.max(0, Math.min(15, value.length - 1))]),
        ...value,
        ...new Array<number>(zeros).fill(0),
      ]),
    );

const extension = fc.oneof(
  fc.record({ profile: fc.constant([0xbe, 0xde]), body: elements(false) }),
  fc.record({ profile: byte.map((low) => [0x10, low & 0x0f]), body: elements(true) }),
  fc.record({ profile: fc.tuple(byte, byte), body: fc.array(byte, { maxLength: 40 }) }),
);

/** Whole packets, made by hand so that every field can be what no sender writes. */
const packet = fc
  .record({
    first: fc.integer({ min: 0x80, max: 0xbf }),
    second: byte,
    rest: fc.uint8Array({ minLength: 10, maxLength: 10 }),
    csrcs: fc.uint8Array({ minLength: 60, maxLength: 60 }),
    extension,
    payload: fc.uint8Array({ maxLength: 200 }),
    padding: fc.integer({ min: 0, max: 40 }),
  })
  .map((f) => {
    const out = [f.first, f.second, ...f.rest, ...f.csrcs.subarray(0, 4 * (f.first & 0x0f))];
    if ((f.first & 0x10) !== 0) {
      const words = Math.ceil(f.extension.body.length / 4);
      const body = [...f.extension.body, ...new Array<number>(4 * words - f.extension.body.length).fill(0)];
      out.push(...f.extension.profile, words >> 8, words & 0xff, ...body);
    }
    out.push(...f.payload);
    if ((f.first & 0x20) !== 0 && f.padding > 0)
      out.push(...new Array<number>(f.padding - 1).fill(0), f.padding);
    return Uint8Array.from(out);
  });

const mutated = fc
  .record({
    packet,
    flips: fc.array(fc.tuple(fc.nat(300), byte), { minLength: 1, maxLength: 4 }),
    cut: fc.option(fc.nat(300)),
  })
  .map(({ packet: bytes, flips, cut }) => {
    const out = Uint8Array.from(bytes);
    for (const [at, value] of flips) out[at % out.length] = value;
    return cut === null ? out : out.subarray(0, cut % out.length);
  });

/** The version's two bits are right in every other one: else all but a few are refused at once. */
const random = fc
  .tuple(fc.boolean(), fc.uint8Array({ maxLength: 400, size: 'max' }))
  .map(([version, bytes]) => {
    if (version && bytes.length > 0) bytes[0] = 0x80 | (bytes[0]! & 0x3f);
    return bytes;
  });

describe('reading RTP in place', () => {
  for (const [name, datagrams, numRuns] of [
    ['packets', packet, 20_000],
    ['mutated packets', mutated, 40_000],
    ['random bytes', random, 20_000],
  ] as const) {
    it(`says what rtp.js says of ${name}`, () => {
      const seen = { taken: 0, refused: 0 };
      fc.assert(
        fc.property(datagrams, byte, (bytes, around) => {
          const ours = byUs(inRoom(bytes, around));
          expect(ours).toEqual(byRtpJs(bytes));
          seen[ours === null ? 'refused' : 'taken']++;
        }),
        { numRuns, seed: 3550 },
      );
      // Both kinds were among them, or nothing was shown.
      expect(seen.taken).toBeGreaterThan(100);
      expect(seen.refused).toBeGreaterThan(100);
    });
  }

  it('leaves the packet as it was when the bytes are none', () => {
    const header = newRtpPacket();
    expect(readRtp(Uint8Array.from([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xff]), header)).toBe(true);
    const before = { ...header };
    expect(readRtp(Uint8Array.from([0xa0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 8, 0xff]), header)).toBe(false);
    expect({ ...header }).toEqual(before);
  });
});
