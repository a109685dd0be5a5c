import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw, fromMulaw, mixMulaw } from '../src/audio.ts';

// All 256 bytes of each law as SoX 14.4.2 decodes them to 16 bits.
const bySox = JSON.parse(
  readFileSync(new URL('fixtures/g711-decoded-by-sox.json', import.meta.url), 'utf8'),
) as Record<'pcmu' | 'pcma', number[]>;
const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

const laws = [
  { law: 'pcmu', encode: encodeMulaw, decode: decodeMulaw, loudest: 32_124 },
  { law: 'pcma', encode: encodeAlaw, decode: decodeAlaw, loudest: 32_256 },
] as const;

describe.each(laws)('G.711 $law', ({ law, encode, decode, loudest }) => {
  it('decodes every byte as SoX does', () => {
    expect([...decode(everyByte)]).toEqual(bySox[law]);
  });

  it('encodes every decoded value back to the same value', () => {
    const values = decode(everyByte);
    expect(decode(encode(values))).toEqual(values);
  });

  it('encodes a sample as one of the two steps around it', () => {
    const steps = [...new Set(bySox[law])].sort((a, b) => a - b);
    fc.assert(
      fc.property(fc.integer({ min: -32_768, max: 32_767 }), (sample) => {
        const decoded = decode(encode(Int16Array.of(sample)))[0] ?? NaN;
        if (Math.abs(sample) >= loudest) return Math.abs(decoded) === loudest;
        const above = steps.findIndex((step) => step >= sample);
        return decoded === steps[above] || decoded === steps[above - 1];
      }),
      { numRuns: 2000 },
    );
  });
});

it('turns mu-law into A-law within a step of the original', () => {
  const original = decodeMulaw(everyByte);
  const converted = decodeAlaw(fromMulaw(everyByte, 'pcma'));
  for (const [i, sample] of original.entries()) {
    expect(Math.abs((converted[i] ?? NaN) - sample)).toBeLessThanOrEqual(Math.max(16, Math.abs(sample) / 16));
  }
});

it('mixes two voices by adding them and does not wrap around at full scale', () => {
  const loud = encodeMulaw(Int16Array.of(30_000, -30_000, 1000, 0));
  const mixed = decodeMulaw(mixMulaw(loud, encodeMulaw(Int16Array.of(30_000, -30_000, 500, 700))));
  expect(mixed[0]).toBe(32_124);
  expect(mixed[1]).toBe(-32_124);
  expect(Math.abs((mixed[2] ?? NaN) - 1500)).toBeLessThan(100);
  expect(Math.abs((mixed[3] ?? NaN) - 700)).toBeLessThan(50);
});
