import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpusDecoder } from '../../src/codec/opus-decoder.ts';
import { hasOpus, newNativeOpus } from '../../src/codec/opus-native.ts';
import { opusPacketSamples } from '../../src/codec/opus-packet.ts';
import { MALFORMED, TOO_LONG } from '../../src/codec/spec.ts';
import { bytesOf, decibels, randomOf, rms, signalToNoise, sine } from '../support/audio.ts';

const OPUS_SET_DTX = 4016;

/** A voice-like tone: harmonics of 150 Hz. */
const voice = (rate: number, samples: number): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) => {
    let sum = 0;
    for (let k = 1; k <= 20; k++) sum += Math.sin((2 * Math.PI * 150 * k * i) / rate) / k;
    return Math.round(6000 * sum);
  });

/** Packets of so many milliseconds. */
function packetsOf(pcm: Int16Array, rate: number, channels: number, ms: number): Buffer[] {
  const encoder = newNativeOpus(rate, channels);
  const size = (channels * rate * ms) / 1000;
  return Array.from({ length: Math.floor(pcm.length / size) }, (_, n) =>
    encoder.encode(bytesOf(pcm.slice(n * size, (n + 1) * size))),
  );
}

function decoded(packets: readonly Uint8Array[]): Int16Array {
  const decoder = new OpusDecoder(16_000);
  const out = new Int16Array(1920);
  const all = packets.flatMap((packet) => [
    ...out.subarray(0, decoder.decode(packet, 0, packet.length, out)),
  ]);
  decoder.close();
  return Int16Array.from(all);
}

describe('Opus packets', () => {
  it('are told by RFC 6716: durations and frames of its four codes', () => {
    const samples = (...bytes: number[]): number =>
      opusPacketSamples(Uint8Array.from(bytes), 0, bytes.length);
    expect(samples()).toBe(-1);
    expect(samples(0 << 3)).toBe(480); // SILK, narrowband, 10 ms, empty: DTX
    expect(samples(3 << 3, 1, 2)).toBe(2880); // 60 ms
    expect(samples(28 << 3, 1)).toBe(120); // CELT, 2.5 ms
    expect(samples((1 << 3) | 1, 1, 2)).toBe(1920);
    expect(samples((1 << 3) | 1, 1, 2, 3)).toBe(-1); // two equal frames of three bytes
    expect(samples((1 << 3) | 2, 1, 9, 9)).toBe(1920);
    expect(samples((1 << 3) | 2, 4, 9, 9)).toBe(-1); // the first frame longer than the packet
    expect(samples((31 << 3) | 3, 6, 1, 2, 3, 4, 5, 6)).toBe(5760);
    expect(samples((31 << 3) | 3, 7, 1, 2, 3, 4, 5, 6, 7)).toBe(-1); // 140 ms
    expect(samples((31 << 3) | 3, 0)).toBe(-1); // no frame
    expect(samples((31 << 3) | 3, 0x41, 2, 7, 0, 0)).toBe(960); // padding
    expect(samples((31 << 3) | 3, 0x41, 200, 7)).toBe(-1); // more padding than packet
    expect(opusPacketSamples(new Uint8Array(1277), 0, 1277)).toBe(-1); // a frame of 1276 bytes
  });

  it.skipIf(!hasOpus)('are allowed or refused as libopus does, for random bytes', () => {
    const native = newNativeOpus(16_000, 1);
    const header = fc.tuple(fc.nat(255), fc.nat(255));
    const body = fc.uint8Array({ maxLength: 40 });
    let allowed = 0;
    fc.assert(
      fc.property(header, body, fc.nat(42), ([toc, second], rest, cut) => {
        const packet = Buffer.from([toc, second, ...rest]).subarray(0, Math.max(1, cut));
        const samples = opusPacketSamples(packet, 0, packet.length);
        if (samples < 0) {
          expect(() => native.decode(packet)).toThrow();
        } else {
          expect(native.decode(packet).length).toBe((2 * samples) / 3);
          allowed++;
        }
      }),
      { numRuns: 5000, seed: 6716 },
    );
    expect(allowed).toBeGreaterThan(500);
  });
});

describe.skipIf(!hasOpus)('Opus decoder', () => {
  it.each([2.5, 5, 10, 20, 40, 60, 120])('decodes packets of %d ms', (ms) => {
    const said = voice(16_000, 32_000);
    const heard = decoded(packetsOf(said, 16_000, 1, ms));
    expect(heard.length).toBe(Math.floor(32_000 / (16 * ms)) * 16 * ms);
    expect(signalToNoise(said, heard, 400)).toBeGreaterThan(10);
  });

  it.each([8000, 12_000, 16_000, 24_000, 48_000])('decodes what was encoded at %i Hz', (rate) => {
    const heard = decoded(packetsOf(sine(700, rate, rate), rate, 1, 20));
    expect(heard.length).toBe(16_000);
    expect(signalToNoise(sine(700, 16_000, 16_000), heard, 400)).toBeGreaterThan(15);
  });

  it('decodes at 8 kHz where that is asked for, and conceals there', () => {
    const decoder = new OpusDecoder(8000);
    const out = new Int16Array(960);
    const heard = packetsOf(voice(48_000, 48_000), 48_000, 1, 20).flatMap((packet) => [
      ...out.subarray(0, decoder.decode(packet, 0, packet.length, out)),
    ]);
    expect(heard.length).toBe(8000);
    // 20 harmonics of 150 Hz all lie below 4 kHz.
    expect(signalToNoise(voice(8000, 8000), Int16Array.from(heard), 200)).toBeGreaterThan(8);
    expect(decoder.conceal(out, 160)).toBe(true);
    expect(rms(out, 0, 160)).toBeGreaterThan(0.5 * rms(heard));
    decoder.close();
  });

  it('mixes stereo down', () => {
    const left = sine(500, 48_000, 48_000);
    const stereo = Int16Array.from({ length: 96_000 }, (_, i) => (i % 2 === 0 ? left[i >> 1]! : 0));
    const heard = decoded(packetsOf(stereo, 48_000, 2, 20));
    expect(decibels(rms(heard, 8000) / (rms(left) / 2))).toBeCloseTo(0, 0);
  });

  it('decodes the pauses of discontinuous transmission', () => {
    const encoder = newNativeOpus(16_000, 1);
    encoder.applyEncoderCTL(OPUS_SET_DTX, 1);
    const decoder = new OpusDecoder(16_000);
    const out = new Int16Array(320);
    const random = randomOf(3);
    const lengths = Array.from({ length: 200 }, (_, n) => {
      const pcm = n < 20 ? voice(16_000, 320) : Int16Array.from({ length: 320 }, () => 4 * random());
      const packet = encoder.encode(bytesOf(pcm));
      expect(decoder.decode(packet, 0, packet.length, out)).toBe(320);
      return packet.length;
    });
    expect(rms(out)).toBeLessThan(50);
    expect(Math.min(...lengths)).toBeLessThanOrEqual(2);
  });

  it('conceals a loss with libopus’ own concealment, and lets it fade', () => {
    const packets = packetsOf(voice(16_000, 16_000), 16_000, 1, 20);
    const decoder = new OpusDecoder(16_000);
    const out = new Int16Array(320);
    for (const packet of packets) decoder.decode(packet, 0, packet.length, out);
    const before = rms(out);
    const levels = Array.from({ length: 8 }, () => {
      expect(decoder.conceal(out, 320)).toBe(true);
      return rms(out);
    });
    expect(levels[0]!).toBeGreaterThan(0.5 * before);
    expect(levels[0]!).toBeLessThan(1.5 * before);
    expect(levels[7]!).toBeLessThan(0.2 * before);
    for (const packet of packets.slice(0, 10))
      expect(decoder.decode(packet, 0, packet.length, out)).toBe(320);
    expect(rms(out)).toBeGreaterThan(0.7 * before);
  });

  it('conceals any length', () => {
    const decoder = new OpusDecoder(16_000);
    const out = new Int16Array(1920);
    for (const packet of packetsOf(voice(16_000, 3200), 16_000, 1, 20))
      decoder.decode(packet, 0, packet.length, out);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1900 }), (samples) => {
        out.fill(12345);
        expect(decoder.conceal(out, samples)).toBe(true);
        expect(out.subarray(samples).every((sample) => sample === 12345)).toBe(true);
      }),
    );
  });

  it('is silent when it is to conceal before the first packet', () => {
    const out = new Int16Array(320).fill(9);
    expect(new OpusDecoder(16_000).conceal(out, 320)).toBe(true);
    expect(rms(out)).toBe(0);
  });

  it('refuses what is no packet or does not fit, and goes on as if it had not come', () => {
    const packets = packetsOf(voice(16_000, 6400), 16_000, 1, 20);
    const decoder = new OpusDecoder(16_000);
    const out = new Int16Array(1920);
    const heard = packets.flatMap((packet) => {
      expect(decoder.decode(packet, 0, 0, out)).toBe(MALFORMED);
      expect(decoder.decode(Uint8Array.of(0xff, 0), 0, 2, out)).toBe(MALFORMED);
      expect(decoder.decode(new Uint8Array(5000), 0, 5000, out)).toBe(MALFORMED);
      expect(decoder.decode(packet, 0, packet.length, new Int16Array(319))).toBe(TOO_LONG);
      return [...out.subarray(0, decoder.decode(packet, 0, packet.length, out))];
    });
    expect(Int16Array.from(heard)).toEqual(decoded(packets));
  });

  it('forgets the stream at a reset, and when its native memory is used again', () => {
    const packets = packetsOf(voice(16_000, 6400), 16_000, 1, 20);
    const fresh = decoded(packets);
    const decoder = new OpusDecoder(16_000);
    const out = new Int16Array(320);
    const heard = (): Int16Array =>
      Int16Array.from(
        packets.flatMap((packet) => [...out.subarray(0, decoder.decode(packet, 0, packet.length, out))]),
      );
    expect(heard()).toEqual(fresh);
    decoder.reset();
    expect(heard()).toEqual(fresh);
    decoder.close();
    decoder.close();
    expect(decoded(packets)).toEqual(fresh);
    expect(decoder.decode(packets[0]!, 0, packets[0]!.length, out)).toBe(MALFORMED);
  });
});
