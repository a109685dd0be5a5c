import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildReport } from '../../src/rtcp/build.ts';
import { fuzzRtcp } from '../../src/rtcp/fuzz.ts';
import { reportIntervalMs } from '../../src/rtcp/interval.ts';
import { ntpMiddleOf, ntpUs, ntpUsOfWall, ntpWords } from '../../src/rtcp/ntp.ts';
import type { RtcpPacket } from '../../src/rtcp/packets.ts';
import { parseRtcp } from '../../src/rtcp/parse.ts';
import { roundTripUs } from '../../src/rtcp/round-trip.ts';

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
function packetsOf(hex: string): readonly RtcpPacket[] {
  const read = parseRtcp(bytesOf(hex));
  if (read.kind === 'malformed') throw new Error(read.fault);
  return read.packets;
}
const faultOf = (hex: string): string => {
  const read = parseRtcp(bytesOf(hex));
  return read.kind === 'malformed' ? read.fault : 'none';
};

/** Sender report with one block, description with CNAME `a@b` and NAME `Asha`, BYE: as phones send at the end of a call. */
const COMPOUND = `
  81c8000c 11223344 e8d51f03 80000000 00003e80 00000064 00003e80
           55667788 0afffffe 00010010 00000040 1f034000 00018000
  81ca0006 11223344 01036140 62020441 73686100 00000000 00000000
  81cb0001 11223344`;

describe('RTCP packets', () => {
  it('of a compound datagram are read, without the names of people', () => {
    const read = parseRtcp(bytesOf(COMPOUND));
    expect(read).toEqual({
      kind: 'packets',
      compound: true,
      packets: [
        {
          type: 'sender-report',
          ssrc: 0x11223344,
          ntpUs: 0xe8d51f03 * 1e6 + 500_000,
          ntpMiddle: 0x1f038000,
          rtpTimestamp: 16_000,
          packets: 100,
          octets: 16_000,
          reports: [
            {
              ssrc: 0x55667788,
              fractionLost: 10,
              cumulativeLost: -2,
              highest: 0x10010,
              jitter: 64,
              lastSenderReport: 0x1f034000,
              delaySinceLastSenderReport: 0x18000,
            },
          ],
        },
        { type: 'description', names: [{ ssrc: 0x11223344, cname: 'a@b' }] },
        { type: 'bye', ssrcs: [0x11223344] },
      ],
    });
    expect(JSON.stringify(read)).not.toContain('Asha');
  });

  it('of reduced size, and of types that we do not know, are read or passed over', () => {
    expect(parseRtcp(bytesOf('81cb0001 00000001'))).toMatchObject({ compound: false });
    expect(packetsOf('81ce0002 00000001 00000002 80cc0002 00000001 61626364 80d50000')).toEqual([
      { type: 'other', packetType: 206 },
      { type: 'other', packetType: 204 },
      { type: 'other', packetType: 213 },
    ]);
  });

  it('of baresip at the end of a call are read: BYE with a reason, and its name, without a report', () => {
    expect(
      parseRtcp(
        bytesOf(
          '81cb0003 9622a39c 0441646a 6f000000 81ca0006 9622a39c 010f7369 703a6140 3132372e 302e302e 31000000',
        ),
      ),
    ).toEqual({
      kind: 'packets',
      compound: false,
      packets: [
        { type: 'bye', ssrcs: [0x9622a39c] },
        { type: 'description', names: [{ ssrc: 0x9622a39c, cname: 'sip:a@127.0.0.1' }] },
      ],
    });
  });

  it('may be padded, the last of them only', () => {
    expect(packetsOf('80c90001 00000001 a1cb0002 00000001 00000004')).toHaveLength(2);
    expect(faultOf('a0c90002 00000001 00000004 80c90001 00000001')).toBe('rtcp_padding');
    expect(faultOf('a0c90002 00000001 00000000')).toBe('rtcp_padding');
    expect(faultOf('a0c90002 00000001 00000003')).toBe('rtcp_padding');
    expect(faultOf('a0c90002 00000001 0000000c')).toBe('rtcp_padding');
    // All padding and no SSRC left.
    expect(faultOf('a0c90001 00000004')).toBe('rtcp_count');
  });

  it('may have a description of several chunks, and one that lacks its last zero bytes', () => {
    const chunk = (ssrc: string, name: string) =>
      `${ssrc} 01${name.length.toString(16).padStart(2, '0')}${Buffer.from(name).toString('hex')}`;
    expect(packetsOf(`82ca0006 ${chunk('00000001', 'abcd')} 0000 ${chunk('00000002', 'wxyz')} 0000`)).toEqual(
      [
        {
          type: 'description',
          names: [
            { ssrc: 1, cname: 'abcd' },
            { ssrc: 2, cname: 'wxyz' },
          ],
        },
      ],
    );
    expect(packetsOf(`81ca0003 ${chunk('00000001', 'abcdef')}`)).toMatchObject([
      { names: [{ cname: 'abcdef' }] },
    ]);
    expect(packetsOf('81ca0002 00000001 00000000')).toMatchObject([{ names: [] }]);
  });

  it.each([
    ['', 'rtcp_short'],
    ['80c9', 'rtcp_short'],
    ['40c90001 00000001', 'rtcp_version'],
    ['80c90002 00000001', 'rtcp_length'],
    ['80c90001 00000001 80', 'rtcp_length'],
    ['80c90001 00000001 00c90001 00000001', 'rtcp_version'],
    ['80c90000', 'rtcp_count'],
    ['81c90001 00000001', 'rtcp_count'],
    ['80c80001 00000001', 'rtcp_count'],
    ['82cb0001 00000001', 'rtcp_count'],
    ['81ca0002 00000001 01ff6162', 'rtcp_count'],
    ['82ca0002 00000001 00000000', 'rtcp_count'],
    ['80cf0002 00000001 05000002', 'rtcp_count'],
  ])('that are malformed are refused as a whole: %s', (hex, fault) => {
    expect(faultOf(hex)).toBe(fault);
  });

  it('damaged 200,000 times never make it throw or leave their ranges', () => {
    const { packets, taken } = fuzzRtcp(20_261_122, 200_000);
    expect(packets).toBe(200_000);
    expect(taken).toBeGreaterThan(20_000);
    expect(taken).toBeLessThan(180_000);
  }, 120_000);
});

describe('a report of ours', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  const block = fc.record({
    ssrc: word,
    fractionLost: fc.integer({ min: 0, max: 255 }),
    cumulativeLost: fc.integer({ min: -0x800000, max: 0x7fffff }),
    highest: word,
    jitter: word,
    lastSenderReport: word,
    delaySinceLastSenderReport: word,
  });

  it('is read back as it was made, is compound and ends on 32 bits', () => {
    fc.assert(
      fc.property(
        word,
        fc.array(block, { maxLength: 5 }),
        fc.string({ unit: 'grapheme', maxLength: 40 }),
        fc.option(fc.integer({ min: 3.9e15, max: 4.2e15 })),
        fc.boolean(),
        (ssrc, reports, cname, referenceUs, bye) => {
          const bytes = buildReport({
            ssrc,
            reports,
            cname,
            bye,
            ...(referenceUs === null ? {} : { referenceUs }),
          });
          expect(bytes.length % 4).toBe(0);
          const name = new TextDecoder().decode(new TextEncoder().encode(cname));
          expect(parseRtcp(bytes)).toEqual({
            kind: 'packets',
            compound: true,
            packets: [
              { type: 'receiver-report', ssrc, reports },
              { type: 'description', names: [{ ssrc, cname: name }] },
              ...(referenceUs === null ? [] : [{ type: 'extended-report', ssrc, answers: [] }]),
              ...(bye ? [{ type: 'bye', ssrcs: [ssrc] }] : []),
            ],
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is the one of RFC 3550 in bytes: empty, with a name', () => {
    const bytes = buildReport({ ssrc: 0x01020304, reports: [], cname: 'ab' });
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '80c9000101020304' + '81ca00030102030401026162' + '00000000',
    );
  });

  it('keeps losses beyond 24 bits at their limit, and no more than 31 sources', () => {
    const one = {
      ssrc: 1,
      fractionLost: 255,
      cumulativeLost: 1e9,
      highest: 1,
      jitter: 0,
      lastSenderReport: 0,
      delaySinceLastSenderReport: 0,
    };
    const reports = Array.from({ length: 40 }, () => one);
    const read = parseRtcp(buildReport({ ssrc: 1, reports, cname: 'c' }));
    expect(read).toMatchObject({ kind: 'packets' });
    const first = read.kind === 'packets' ? read.packets[0] : undefined;
    expect(first?.type === 'receiver-report' && first.reports.length).toBe(31);
    expect(first?.type === 'receiver-report' && first.reports[0]?.cumulativeLost).toBe(0x7fffff);
  });

  it('comes every 5 s or more on average, the first one earlier, at random', () => {
    const session = { receivers: 1, bandwidthBits: 64_000, meanBytes: 120, first: false };
    const draws = Array.from({ length: 1000 }, (_, i) => reportIntervalMs(session, i / 1000));
    const mean = draws.reduce((sum, ms) => sum + ms, 0) / draws.length;
    expect(mean).toBeCloseTo(5000 / (Math.E - 1.5), -1);
    expect(Math.min(...draws)).toBeCloseTo(2052, 0);
    expect(Math.max(...draws)).toBeLessThan(6157);
    expect(reportIntervalMs({ ...session, first: true }, 0)).toBeCloseTo(1026, 0);
    // A conference of a thousand listeners shares the bandwidth: 400 s.
    expect(reportIntervalMs({ ...session, receivers: 1000 }, 0.5)).toBeCloseTo(400_000 / (Math.E - 1.5), -1);
  });
});

describe('NTP time', () => {
  it('goes to its two words and back, to the microsecond, over 2036', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2 ** 31 * 1e6, max: (2 ** 32 + 2 ** 31) * 1e6 - 1 }), (us) => {
        const { seconds, fraction } = ntpWords(us);
        expect(Math.abs(ntpUs(seconds, fraction) - us)).toBeLessThanOrEqual(1);
        expect(ntpMiddleOf(us)).toBe((seconds % 65_536) * 65_536 + Math.floor(fraction / 65_536));
      }),
    );
    expect(ntpUs(0, 0)).toBe(0);
    // 1 January 2000 is 3,155,673,600 s after 1900.
    expect(ntpUsOfWall(Date.UTC(2000, 0, 1))).toBe(3_155_673_600e6);
  });
});

describe('round trip', () => {
  it('is what is left between sending and arrival without the time that it lay there', () => {
    // The example of RFC 3550 section 6.4.1: LSR 46853.125, DLSR 5.250, arrival 46864.500.
    expect(roundTripUs(0xb710_8000, 0xb705_2000, 0x0005_4000)).toBe(6_125_000);
  });

  it('is right over the wrap of the 16 seconds bits, 0 for clocks that are a little off, and else nothing', () => {
    expect(roundTripUs(0x0000_8000, 0xffff_8000, 0x0000_8000)).toBe(500_000);
    expect(roundTripUs(0x1000_0000, 0x1000_0000, 0x0000_0010)).toBe(0);
    expect(roundTripUs(0x1000_0000, 0, 0)).toBeNull();
    expect(roundTripUs(0x1000_0000, 0x2000_0000, 0)).toBeNull();
  });

  it('is known from an answer to our reference time (RFC 3611)', () => {
    const sentUs = ntpUsOfWall(Date.UTC(2026, 10, 22));
    const middle = ntpMiddleOf(sentUs).toString(16).padStart(8, '0');
    const [packet] = packetsOf(`80cf0005 00000009 05000003 00000001 ${middle} 00008000`);
    if (packet?.type !== 'extended-report') throw new Error('not read');
    expect(packet.answers).toEqual([{ ssrc: 1, lastReference: ntpMiddleOf(sentUs), delay: 0x8000 }]);
    const { lastReference, delay } = packet.answers[0]!;
    const roundTrip = roundTripUs(ntpMiddleOf(sentUs + 620_000), lastReference, delay);
    expect(roundTrip! / 1000).toBeCloseTo(120, 0);
  });
});
