import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WaveformConcealment } from '../../src/codec/waveform-concealment.ts';
import { canSpeak, decibels, rms, sine, speak } from '../support/audio.ts';
import {
  concealed,
  lossesOf,
  type Method,
  repeated,
  seamExcesses,
  segmentalSnr,
  silenced,
  spectralDistance,
} from '../support/losses.ts';

const SENTENCES = [
  'Good morning, you are speaking with the service desk, how may I help you today?',
  'She sells sea shells on the shore, while the weather was fine and the boats were out fishing.',
];
const VOICES = ['slt', 'kal16', 'awb', 'rms'] as const;
const RATE = 8000;
const PER_MS = 8;
const CONDITIONS = [
  { loss: 0.01, burst: 1 },
  { loss: 0.03, burst: 1 },
  { loss: 0.05, burst: 1 },
  { loss: 0.05, burst: 2.5 },
];

/** Whole packets of 20 ms. */
const speech = (): Int16Array[] =>
  VOICES.flatMap((voice) => SENTENCES.map((text) => speak(voice, text, RATE))).map((pcm) =>
    pcm.subarray(0, pcm.length - (pcm.length % (RATE / 50))),
  );

interface Quality {
  readonly distance: number;
  readonly snr: number;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function qualityOf(method: Method, loss: number, burst: number): Quality {
  const distances: number[] = [];
  const snrs: number[] = [];
  speech().forEach((said, n) => {
    for (const seed of [100 + n, 200 + n]) {
      const lost = lossesOf((50 * said.length) / RATE, loss, burst, seed);
      const heard = method(said, lost);
      const distance = spectralDistance(said, heard, lost);
      const snr = segmentalSnr(said, heard, lost);
      if (Number.isFinite(distance)) distances.push(distance);
      if (Number.isFinite(snr)) snrs.push(snr);
    }
  });
  return { distance: mean(distances), snr: mean(snrs) };
}

describe.skipIf(!canSpeak)('waveform concealment of speech (needs flite)', () => {
  for (const { loss, burst } of CONDITIONS) {
    it(`is nearer to what was said than repetition and silence: ${100 * loss} % lost, ${burst} in a row`, () => {
      const ours = qualityOf(concealed, loss, burst);
      for (const other of [repeated, silenced]) {
        const theirs = qualityOf(other, loss, burst);
        expect(ours.distance).toBeLessThan(theirs.distance);
        expect(ours.snr).toBeGreaterThan(theirs.snr);
      }
    });
  }

  it(`leaves no click at the seams`, () => {
    const excessesOf = (method: Method): number[] =>
      speech().flatMap((said, n) => {
        const lost = lossesOf((50 * said.length) / RATE, 0.08, 1.5, 300 + n);
        return seamExcesses(said, method(said, lost), lost);
      });
    const clicks = (method: Method): number => {
      const excesses = excessesOf(method);
      return excesses.filter((dB) => dB > 3).length / excesses.length;
    };
    expect(excessesOf(concealed).length).toBeGreaterThan(150);
    expect(clicks(concealed)).toBeLessThan(0.01);
    // The same measure finds the clicks of what is not smoothed.
    expect(clicks(silenced)).toBeGreaterThan(0.05);
    expect(clicks(repeated)).toBeGreaterThan(0.05);
  });
});

describe('waveform concealment', () => {
  /** Half a second of a tone is heard, then so much is lost. */
  function afterTone(lostMs: number): { concealment: WaveformConcealment; out: Int16Array } {
    const concealment = new WaveformConcealment();
    const tone = sine(150, RATE, RATE / 2);
    concealment.heard(tone, tone.length);
    const out = new Int16Array(lostMs * PER_MS);
    concealment.conceal(out, out.length);
    return { concealment, out };
  }

  it('goes on with a voice in phase', () => {
    const { out } = afterTone(10);
    const expected = sine(150, RATE, RATE / 2 + out.length).subarray(RATE / 2);
    const error = expected.map((sample, i) => sample - out[i]!);
    expect(decibels(rms(error) / rms(expected))).toBeLessThan(-20);
  });

  it('falls from full level after 10 ms to silence after 60 ms', () => {
    const { out } = afterTone(100);
    const level = (fromMs: number, toMs: number): number => rms(out, fromMs * PER_MS, toMs * PER_MS);
    expect(decibels(level(0, 10) / (8000 / Math.SQRT2))).toBeGreaterThan(-1.5);
    expect(level(20, 30)).toBeLessThan(level(0, 10));
    expect(level(40, 50)).toBeLessThan(level(20, 30));
    expect(level(60, 100)).toBe(0);
    expect(level(50, 60)).toBeGreaterThan(0);
  });

  it('makes the same whether a loss is asked for at once or in pieces', () => {
    const { out } = afterTone(80);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }), (sizes) => {
        const { concealment } = afterTone(0);
        const pieces: number[] = [];
        for (let turn = 0; pieces.length < out.length; turn++) {
          const size = Math.min(sizes[turn % sizes.length]!, out.length - pieces.length);
          const piece = new Int16Array(size);
          concealment.conceal(piece, size);
          pieces.push(...piece);
        }
        expect(pieces).toEqual([...out]);
      }),
      { numRuns: 50 },
    );
  });

  it('changes the first milliseconds after a loss only, and nothing where nothing was lost', () => {
    for (const lostMs of [5, 20, 40, 60, 500]) {
      const { concealment } = afterTone(lostMs);
      const good = sine(400, RATE, 20 * PER_MS);
      const heard = good.slice();
      const changed = concealment.heard(heard, heard.length);
      expect(changed).toBeGreaterThanOrEqual(3 * PER_MS);
      expect(changed).toBeLessThanOrEqual(9 * PER_MS);
      expect(heard.subarray(changed)).toEqual(good.subarray(changed));
      expect(concealment.heard(heard, heard.length)).toBe(0);
    }
  });

  it('cross-fades no more than there is', () => {
    const { concealment } = afterTone(20);
    const little = new Int16Array(100).fill(1000);
    expect(concealment.heard(little, 7)).toBe(7);
    expect(little.subarray(7)).toEqual(new Int16Array(93).fill(1000));
  });

  it('makes silence before anything was heard, and after a reset', () => {
    const { concealment, out } = afterTone(10);
    concealment.reset();
    concealment.conceal(out, out.length);
    expect(out).toEqual(new Int16Array(out.length));
  });

  it('stays within the level of what was heard, whatever that was', () => {
    const values = fc.oneof(
      fc.array(fc.integer({ min: -32768, max: 32767 }), { minLength: 1, maxLength: 900 }),
      fc
        .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 32767 }))
        .map(([half, level]) =>
          Array.from({ length: 900 }, (_, i) => (Math.floor(i / half) % 2 ? level : -level)),
        ),
    );
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 4 }), (pieces) => {
        const concealment = new WaveformConcealment();
        const loudest = Math.max(...pieces.flat().map(Math.abs));
        const out = new Int16Array(30 * PER_MS);
        for (const piece of pieces) {
          const pcm = Int16Array.from(piece);
          concealment.heard(pcm, pcm.length);
          concealment.conceal(out, out.length);
          for (const sample of out)
            expect(Math.abs(sample)).toBeLessThanOrEqual(Math.ceil(1.25 ** 4 * loudest));
        }
      }),
      { numRuns: 60 },
    );
  });
});
