import fc from 'fast-check';
import { RtpPacket as WrittenPacket } from 'rtp.js/packets';
import { describe, expect, it } from 'vitest';
import { SourceLatch } from '../src/rtp/latch.ts';
import { MAX_PAYLOAD_BYTES, newRtpPacket, parseRtp } from '../src/rtp/packet.ts';
import { SequenceTracker } from '../src/rtp/sequence.ts';
import { rtpBytes } from './support/rtp.ts';

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

describe('RTP header', () => {
  it('reads what was written: CSRCs, header extension, padding and payload', () => {
    const fields = fc.record({
      payloadType: fc.integer({ min: 0, max: 63 }),
      sequence: fc.integer({ min: 0, max: 65535 }),
      timestamp: fc.integer({ min: 0, max: 0xffffffff }),
      ssrc: fc.integer({ min: 0, max: 0xffffffff }),
      csrcs: fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 15 }),
      extension: fc.option(fc.uint8Array({ minLength: 1, maxLength: 15 })),
      payload: fc.uint8Array({ maxLength: 400 }),
      padded: fc.boolean(),
    });
    fc.assert(
      fc.property(fields, (f) => {
        const written = new WrittenPacket();
        written.setPayloadType(f.payloadType);
        written.setSequenceNumber(f.sequence);
        written.setTimestamp(f.timestamp);
        written.setSsrc(f.ssrc);
        written.setCsrcs(f.csrcs);
        if (f.extension !== null) {
          written.enableOneByteExtensions();
          written.setExtension(1, view(f.extension));
        }
        written.setPayload(view(f.payload));
        if (f.padded) written.padTo4Bytes();
        const serialized = written.getView();
        const bytes = new Uint8Array(serialized.buffer, serialized.byteOffset, serialized.byteLength);
        const packet = newRtpPacket();
        expect(parseRtp(bytes, packet)).toBeNull();
        expect(packet).toMatchObject({
          payloadType: f.payloadType,
          sequence: f.sequence,
          timestamp: f.timestamp,
          ssrc: f.ssrc,
        });
        expect([...bytes.subarray(packet.start, packet.end)]).toEqual([...f.payload]);
      }),
      { numRuns: 500 },
    );
  });

  it('takes nothing whose lengths contradict each other, and throws on nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, plausible) => {
        if (plausible && bytes.length > 1) {
          bytes[0] = 0x80 | (bytes[0]! & 0x3f);
          bytes[1] = bytes[1]! & 0x3f;
        }
        const packet = newRtpPacket();
        const fault = parseRtp(bytes, packet);
        if (fault !== null) return;
        expect(bytes.length).toBeGreaterThanOrEqual(12);
        expect(bytes[0]! >> 6).toBe(2);
        expect(packet.start).toBeGreaterThanOrEqual(12);
        expect(packet.end).toBeGreaterThanOrEqual(packet.start);
        expect(packet.end).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 5000 },
    );
  });

  it('tells RTCP on the RTP port, and payloads that no telephone sends, from audio', () => {
    const packet = newRtpPacket();
    expect(parseRtp(Buffer.from([0x80, 200, 0, 6, ...new Array<number>(24).fill(0)]), packet)).toBe('rtcp');
    const long = rtpBytes({ sequence: 1, timestamp: 1, payload: new Uint8Array(MAX_PAYLOAD_BYTES + 1) });
    expect(parseRtp(long, packet)).toBe('size');
    expect(parseRtp(long.subarray(0, 11), packet)).toBe('garbage');
  });
});

describe('extended sequence', () => {
  const feed = (tracker: SequenceTracker, sequence: number, ssrc = 1, arrivalUs = 0) => {
    const packet = newRtpPacket();
    packet.ssrc = ssrc;
    packet.sequence = sequence & 0xffff;
    packet.arrivalUs = arrivalUs;
    return { verdict: tracker.accept(packet), extended: packet.extended };
  };

  it('counts on over wraps, with steps back of up to 100 and forward of up to 3000', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65535 }),
        fc.array(fc.integer({ min: -100, max: 3000 }), { minLength: 1, maxLength: 200 }),
        (first, steps) => {
          const tracker = new SequenceTracker();
          expect(feed(tracker, first)).toEqual({ verdict: 'restart', extended: first });
          let max = first;
          for (const step of steps) {
            expect(feed(tracker, max + step)).toEqual({ verdict: 'in-sequence', extended: max + step });
            max = Math.max(max, max + step);
          }
        },
      ),
    );
  });

  it('believes a jump only when the next packet confirms it', () => {
    const tracker = new SequenceTracker();
    feed(tracker, 10);
    expect(feed(tracker, 20_000).verdict).toBe('jump');
    expect(feed(tracker, 11)).toEqual({ verdict: 'in-sequence', extended: 11 });
    expect(feed(tracker, 20_000).verdict).toBe('jump');
    expect(feed(tracker, 20_001)).toEqual({ verdict: 'restart', extended: 20_001 });
    expect(feed(tracker, 20_002).verdict).toBe('in-sequence');
  });

  it('believes another SSRC at its second packet in a row, and stragglers of the old one do not bring it back', () => {
    const tracker = new SequenceTracker();
    feed(tracker, 500, 1, 0);
    expect(feed(tracker, 7, 2, 20_000).verdict).toBe('probation');
    expect(feed(tracker, 8, 2, 40_000)).toEqual({ verdict: 'restart-with-kept', extended: 0x10008 });
    expect(tracker.extend(7)).toBe(0x10007);
    expect(feed(tracker, 501, 1, 50_000).verdict).toBe('stale');
    expect(feed(tracker, 9, 2, 60_000).verdict).toBe('in-sequence');
    expect(feed(tracker, 900, 1, 1_200_000).verdict).toBe('probation');
  });

  it('does not leave its SSRC for strays of another between its own packets', () => {
    const tracker = new SequenceTracker();
    for (let n = 0; n < 50; n++) {
      expect(feed(tracker, n, 1, n * 20_000).verdict).toBe(n === 0 ? 'restart' : 'in-sequence');
      expect(feed(tracker, 900 + n, 2, n * 20_000 + 1).verdict).toBe('probation');
    }
  });
});

describe('source latching', () => {
  it('keeps the first source when none is named', () => {
    const latch = new SourceLatch(null, 0);
    expect(latch.accept('192.0.2.1', 4000, 10)).toBe(true);
    expect(latch.accept('192.0.2.1', 4002, 20)).toBe(false);
    expect(latch.accept('192.0.2.9', 4000, 30)).toBe(false);
    expect(latch.accept('192.0.2.1', 4000, 9e9)).toBe(true);
    expect(latch.accept('192.0.2.9', 4000, 9e9 + 1_999_999)).toBe(false);
  });

  it('waits 500 ms for the named address before it takes another', () => {
    const latch = new SourceLatch({ address: '192.0.2.1', port: 4000 }, 0);
    expect(latch.accept('198.51.100.7', 9, 499_999)).toBe(false);
    expect(latch.accept('198.51.100.7', 9, 500_000)).toBe(true);
    expect(latch.accept('198.51.100.8', 9, 500_001)).toBe(false);
  });

  it('takes any port of the named address, at once and from a source that stood in for it', () => {
    const latch = new SourceLatch({ address: '192.0.2.1', port: 4000 }, 0);
    expect(latch.accept('198.51.100.7', 9, 600_000)).toBe(true);
    expect(latch.accept('192.0.2.1', 5555, 700_000)).toBe(true);
    expect(latch.accept('198.51.100.7', 9, 800_000)).toBe(false);
    // The very port that the offer names is better still.
    expect(latch.accept('192.0.2.1', 4000, 900_000)).toBe(true);
    expect(latch.accept('192.0.2.1', 5555, 950_000)).toBe(false);
  });

  it('is not kept from the named port by a stray that came first', () => {
    const latch = new SourceLatch({ address: '127.0.0.1', port: 4000 }, 0);
    expect(latch.accept('127.0.0.1', 9, 1)).toBe(true);
    expect(latch.accept('127.0.0.1', 4000, 2)).toBe(true);
  });

  it('follows a source that moved without saying so, once the old one is silent for 2 s, but never to a foreign address', () => {
    const latch = new SourceLatch({ address: '192.0.2.1', port: 4000 }, 0);
    latch.accept('192.0.2.1', 4000, 1_000_000);
    expect(latch.accept('192.0.2.1', 6000, 2_999_999)).toBe(false);
    expect(latch.accept('192.0.2.1', 6000, 3_000_000)).toBe(true);
    expect(latch.accept('198.51.100.7', 9, 9_000_000)).toBe(false);
  });

  it('does not go back to the old port for packets that were on their way at a re-INVITE', () => {
    const latch = new SourceLatch({ address: '192.0.2.1', port: 4000 }, 0);
    latch.accept('192.0.2.1', 4000, 1);
    latch.relatch({ address: '192.0.2.1', port: 5000 }, 1_000_000);
    expect(latch.accept('192.0.2.1', 4000, 1_000_001)).toBe(false);
    expect(latch.accept('192.0.2.1', 5000, 1_200_000)).toBe(true);
    expect(latch.accept('192.0.2.1', 4000, 1_200_001)).toBe(false);
  });

  it('forgets its source when it is told of another remote', () => {
    const latch = new SourceLatch(null, 0);
    latch.accept('192.0.2.1', 4000, 0);
    latch.relatch({ address: '192.0.2.2', port: 1 }, 1_000_000);
    expect(latch.accept('192.0.2.1', 4000, 1_000_001)).toBe(false);
    expect(latch.accept('192.0.2.2', 77, 1_000_002)).toBe(true);
  });

  it('does not take 0.0.0.0, an old way to say hold, for a named remote', () => {
    expect(new SourceLatch({ address: '0.0.0.0', port: 9 }, 0).accept('192.0.2.1', 4000, 1)).toBe(true);
  });
});
