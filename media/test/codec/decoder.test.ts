import { linearToAlaw, linearToUlaw } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canDecode, type DecoderSpec, MALFORMED, newDecoder, TOO_LONG } from '../../src/codec/decoder.ts';
import { hasOpus } from '../../src/codec/opus-native.ts';
import { decibels, ffmpeg, hasFfmpeg, rms, samplesOf, sine } from '../support/audio.ts';
import { fuzzDecoders } from '../support/fuzz-decoders.ts';

const spec = (name: string, clockRate: number, channels = 1): DecoderSpec => ({
  name,
  clockRate,
  channels,
  fmtp: '',
});
const networkOrder = (values: ArrayLike<number>): Uint8Array =>
  Uint8Array.from({ length: 2 * values.length }, (_, i) =>
    i % 2 === 0 ? (values[i >> 1]! >> 8) & 0xff : values[i >> 1]! & 0xff,
  );

describe('decoders', () => {
  it('are there for what an answer may say, and for nothing else', () => {
    const offered: [DecoderSpec, boolean][] = [
      [spec('PCMU', 8000), true],
      [spec('pcma', 8000), true],
      [spec('G722', 8000), true],
      [spec('opus', 48000, 2), hasOpus],
      [spec('L16', 44100, 2), true],
      [spec('L16', 11025), true],
      [spec('G722', 16000), false],
      [spec('PCMU', 16000), false],
      [spec('opus', 16000, 2), false],
      [spec('L16', 12345), false],
      [spec('L16', 16000, 6), false],
      [spec('G729', 8000), false],
      [spec('iLBC', 8000), false],
      [spec('AMR', 8000), false],
      [spec('AMR-WB', 16000), false],
    ];
    for (const [each, can] of offered) {
      expect(canDecode(each), each.name).toBe(can);
      if (can) newDecoder(each, 16_000).close();
      else expect(() => newDecoder(each, 16_000)).toThrow(RangeError);
    }
  });

  it('say at which rates they work', () => {
    const rates = (each: DecoderSpec, rate: 8000 | 16_000 = 16_000): [number, number] => {
      const decoder = newDecoder(each, rate);
      return [decoder.clockRate, decoder.rate];
    };
    expect(rates(spec('PCMU', 8000))).toEqual([8000, 8000]);
    expect(rates(spec('G722', 8000))).toEqual([8000, 16000]);
    expect(rates(spec('L16', 8000))).toEqual([8000, 8000]);
    expect(rates(spec('L16', 44100, 2))).toEqual([44100, 16000]);
    expect(rates(spec('G722', 8000), 8000)).toEqual([8000, 8000]);
    expect(rates(spec('L16', 44100, 2), 8000)).toEqual([44100, 8000]);
    if (!hasOpus) return;
    expect(rates(spec('opus', 48000, 2))).toEqual([48000, 16000]);
    expect(rates(spec('opus', 48000, 2), 8000)).toEqual([48000, 8000]);
  });

  it('survive 200,000 random, mutated and cut packets, and never write behind what they say', () => {
    const result = fuzzDecoders(20_261_122, 200_000);
    expect(result.packets).toBe(200_000);
    expect(result.decoded).toBeGreaterThan(50_000);
    expect(result.malformed).toBeGreaterThan(5000);
    expect(result.tooLong).toBeGreaterThan(100);
  }, 120_000);
});

describe('G.711 decoder', () => {
  it.each(['PCMU', 'PCMA'] as const)('decodes each of the codes of %s to the middle of its step', (law) => {
    const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const out = new Int16Array(256);
    expect(newDecoder(spec(law, 8000), 16_000).decode(codes, 0, 256, out)).toBe(256);
    const encode = law === 'PCMU' ? linearToUlaw : linearToAlaw;
    out.forEach((sample, code) => {
      // Mu-law has two codes for zero.
      if (!(law === 'PCMU' && code === 0x7f)) expect(encode(sample)).toBe(code);
    });
  });

  it.skipIf(!hasFfmpeg).each([
    ['PCMU', 'mulaw'],
    ['PCMA', 'alaw'],
  ] as const)('agrees with ffmpeg on every code of %s (needs ffmpeg)', (law, format) => {
    const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const out = new Int16Array(256);
    newDecoder(spec(law, 8000), 16_000).decode(codes, 0, 256, out);
    expect(out).toEqual(
      samplesOf(ffmpeg(['-f', format, '-ar', '8000', '-i', 'pipe:0', '-f', 's16le'], codes)),
    );
  });

  it('takes a part of a buffer, and refuses what does not fit', () => {
    const decoder = newDecoder(spec('PCMU', 8000), 16_000);
    const out = new Int16Array(4).fill(7);
    expect(decoder.decode(Uint8Array.of(0, 0xff, 0xff, 0), 1, 3, out)).toBe(2);
    expect([...out]).toEqual([0, 0, 7, 7]);
    expect(decoder.decode(new Uint8Array(9), 0, 9, out)).toBe(TOO_LONG);
    expect(decoder.decode(new Uint8Array(9), 4, 4, out)).toBe(0);
    expect([...out]).toEqual([0, 0, 7, 7]);
    expect(decoder.conceal(out, 4)).toBe(false);
  });
});

describe('L16 decoder', () => {
  it('reads network byte order, at 8 and 16 kHz as it is', () => {
    const values = fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 1200 });
    fc.assert(
      fc.property(values, fc.constantFrom(8000, 16000), (samples, rate) => {
        const out = new Int16Array(1200);
        const bytes = networkOrder(samples);
        expect(newDecoder(spec('L16', rate), 16_000).decode(bytes, 0, bytes.length, out)).toBe(
          samples.length,
        );
        expect([...out.subarray(0, samples.length)]).toEqual(samples);
      }),
    );
  });

  it('mixes two channels by halves', () => {
    const out = new Int16Array(4);
    const bytes = networkOrder([1000, 3000, -32768, -32768, 32767, 32767, 32767, -32768]);
    expect(newDecoder(spec('L16', 16000, 2), 16_000).decode(bytes, 0, bytes.length, out)).toBe(4);
    expect([...out]).toEqual([2000, -32768, 32767, -1]);
  });

  it('refuses half samples, and what does not fit', () => {
    const out = new Int16Array(160);
    expect(newDecoder(spec('L16', 8000), 16_000).decode(new Uint8Array(9), 0, 9, out)).toBe(MALFORMED);
    expect(newDecoder(spec('L16', 8000, 2), 16_000).decode(new Uint8Array(10), 0, 10, out)).toBe(MALFORMED);
    expect(newDecoder(spec('L16', 8000), 16_000).decode(new Uint8Array(322), 0, 322, out)).toBe(TOO_LONG);
    expect(newDecoder(spec('L16', 48000), 16_000).decode(new Uint8Array(968), 0, 968, out)).toBe(TOO_LONG);
  });

  it.each([11025, 22050, 24000, 32000, 44100, 48000])(
    'brings a tone of %i Hz over to 16 kHz, packet by packet, without a seam',
    (rate) => {
      const tone = sine(1000, rate, rate, 10000);
      const decoder = newDecoder(spec('L16', rate, 2), 16_000);
      const heard = new Int16Array(16000);
      const out = new Int16Array(1920);
      const perPacket = Math.floor(rate / 50);
      let written = 0;
      for (let at = 0; at < tone.length; at += perPacket) {
        const stereo = [...tone.subarray(at, at + perPacket)].flatMap((sample) => [sample, sample]);
        const bytes = networkOrder(stereo);
        const n = decoder.decode(bytes, 0, bytes.length, out);
        heard.set(out.subarray(0, n), written);
        written += n;
      }
      expect(written).toBe(16000);
      // A sine obeys x[n-1] + x[n+1] = 2 cos(w) x[n]; a seam would not.
      const error = Int16Array.from({ length: 15000 }, (_, i) => {
        const at = 500 + i;
        return heard[at - 1]! + heard[at + 1]! - 2 * Math.cos((2 * Math.PI * 1000) / 16000) * heard[at]!;
      });
      expect(decibels(rms(error) / rms(heard))).toBeLessThan(-60);
    },
  );
});
