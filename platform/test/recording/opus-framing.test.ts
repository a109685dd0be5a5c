import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packetSamples, selfDelimited, streamPacket } from '../../src/recording/opus-framing.ts';

const lengthOf = (size: number): number[] =>
  size < 252 ? [size] : [252 + ((size - 252) & 3), (size - 252 - ((size - 252) & 3)) >> 2];

/** Packets in both framings, put together from RFC 6716, section 3.2 and appendix B. */
const packet = fc
  .record({
    config: fc.nat(31),
    kind: fc.constantFrom(0, 1, 2, 'cbr' as const, 'vbr' as const),
    sizes: fc.array(fc.oneof(fc.nat(20), fc.constantFrom(0, 251, 252, 253, 255, 256, 1275)), {
      minLength: 2,
      maxLength: 4,
    }),
    padding: fc.option(fc.constantFrom(0, 1, 253, 254, 255, 600), { nil: null }),
  })
  .map(({ config, kind, sizes, padding }) => {
    const toc = (config << 3) | (typeof kind === 'number' ? kind : 3);
    const frames =
      kind === 0
        ? [sizes[0]!]
        : kind === 1
          ? [sizes[0]!, sizes[0]!]
          : kind === 2
            ? sizes.slice(0, 2)
            : kind === 'cbr'
              ? sizes.map(() => sizes[0]!)
              : sizes;
    const last = frames.at(-1)!;
    const variable = kind === 2 || kind === 'vbr';
    const before = variable ? frames.slice(0, -1).flatMap(lengthOf) : [];
    const head: number[] = [toc];
    const padded = typeof kind === 'number' ? null : padding;
    if (typeof kind !== 'number') {
      head.push((kind === 'vbr' ? 0x80 : 0) | (padded === null ? 0 : 0x40) | frames.length);
      if (padded !== null) head.push(...Array<number>(Math.floor(padded / 254)).fill(255), padded % 254);
    }
    const data = frames.flatMap((size, n) => Array<number>(size).fill(n + 7));
    const tail = [...data, ...Array<number>(padded ?? 0).fill(0)];
    return {
      plain: Buffer.from([...head, ...before, ...tail]),
      delimited: Buffer.from([...head, ...before, ...lengthOf(last), ...tail]),
      frames: frames.length,
      config,
    };
  });

const FRAME_MS = [10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 10, 20]
  .concat([2.5, 5, 10, 20, 2.5, 5, 10, 20])
  .concat([2.5, 5, 10, 20, 2.5, 5, 10, 20]);

const fits = ({ config, frames }: { config: number; frames: number }): boolean =>
  FRAME_MS[config]! * frames <= 120;

test('a packet of any form gets the length that makes it end by itself', () => {
  fc.assert(
    fc.property(packet.filter(fits), ({ plain, delimited, config, frames }) => {
      expect(selfDelimited(plain)).toEqual(delimited);
      expect(packetSamples(plain, 1)).toBe(FRAME_MS[config]! * 48 * frames);
      expect(packetSamples(Buffer.concat([delimited, plain]), 2)).toBe(FRAME_MS[config]! * 48 * frames);
    }),
  );
});

test('of packets that share one, each comes out as it went in', () => {
  fc.assert(
    fc.property(fc.array(packet.filter(fits), { minLength: 1, maxLength: 6 }), (streams) => {
      const last = streams.length - 1;
      const shared = Buffer.concat(
        streams.map(({ plain }, n) => (n === last ? plain : selfDelimited(plain))),
      );
      for (const [n, { plain }] of streams.entries())
        expect(streamPacket(shared, n, streams.length)).toEqual(plain);
    }),
  );
});

test('of any bytes, what is no packet is said to be none, and nothing throws', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(4),
      (bytes, streams, stream) => {
        const samples = packetSamples(Buffer.from(bytes), streams);
        expect(samples === null || (samples >= 120 && samples <= 5760)).toBe(true);
        const own = streamPacket(Buffer.from(bytes), Math.min(stream, streams - 1), streams);
        if (own !== null) expect(packetSamples(own, 1)).not.toBeNull();
      },
    ),
    { numRuns: 2000 },
  );
  expect(() => selfDelimited(Buffer.alloc(0))).toThrow(RangeError);
});
