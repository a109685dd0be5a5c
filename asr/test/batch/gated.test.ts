import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EnergyJudge, HANGOVER_TICKS, PRE_ROLL_TICKS } from '@earshot/contracts';
import { Gated, type Piece } from '../../src/batch/gated.ts';

function cut(samples: Int16Array, sizes: readonly number[]): Piece[] {
  // The model would not take tones for speech.
  const gated = new Gated(null, new EnergyJudge());
  const pieces: Piece[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at + size >= samples.length) break;
    pieces.push(...gated.push(samples.subarray(at, at + size), false));
    at += size;
  }
  pieces.push(...gated.push(samples.subarray(at), true));
  return pieces;
}
const endOf = (piece: Piece): number => (piece.kind === 'gap' ? piece.to : piece.from + piece.samples.length);

/** Silence with tones in it: [from, to) in ticks. */
function tones(length: number, ...spans: (readonly [number, number])[]): Int16Array {
  const samples = new Int16Array(length);
  for (const [from, to] of spans)
    for (let i = from; i < to; i++) samples[i] = Math.round(4000 * Math.sin(i * 0.5));
  return samples;
}

/** The spans that are sent as audio, neighbours joined. */
function spansOf(pieces: readonly Piece[]): [number, number][] {
  const spans: [number, number][] = [];
  for (const piece of pieces) {
    if (piece.kind === 'gap') continue;
    const last = spans.at(-1);
    if (last?.[1] === piece.from) last[1] = endOf(piece);
    else spans.push([piece.from, endOf(piece)]);
  }
  return spans;
}

test('speech goes with 300 ms before it and 600 ms after it, all else is a gap', () => {
  const samples = tones(80_000, [16_000, 24_000], [48_000, 50_000]);
  expect(spansOf(cut(samples, []))).toEqual([
    [16_000 - PRE_ROLL_TICKS, 24_000 + HANGOVER_TICKS],
    [48_000 - PRE_ROLL_TICKS, 50_080 + HANGOVER_TICKS],
  ]);
});

test('speech from the first sample to the last is one span', () => {
  expect(spansOf(cut(tones(20_000, [0, 20_000]), [700, 700]))).toEqual([[0, 20_000]]);
});

test('with the marks of the live path the gate opens where it did, and what was never heard is a gap', () => {
  const samples = tones(80_000, [10_100, 14_100], [60_000, 64_000]);
  // Blocks that begin between two frames of the recording, speech in the third frame of the first; the second tone has none.
  const gated = new Gated([
    [10_050, 4000, 0b100],
    [14_050, 1000, 0],
    [16_000, 4000, 0],
    [60_000, 4000, 0],
  ]);
  const pieces = [
    ...gated.push(samples.subarray(0, 12_345), false),
    ...gated.push(samples.subarray(12_345), true),
  ];
  expect(spansOf(pieces)).toEqual([[10_050, 15_050]]);
  let at = 0;
  for (const piece of pieces) {
    expect(piece.from).toBe(at);
    at = endOf(piece);
  }
  expect(at).toBe(samples.length);
});

const recordings = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 12_000 }), fc.integer({ min: 1, max: 6000 })), { maxLength: 5 })
  .map((parts) => {
    const spans: [number, number][] = [];
    let at = 0;
    for (const [pause, length] of parts) spans.push([at + pause, (at += pause + length)]);
    return tones(at + 1000, ...spans);
  });

test('pieces follow each other without holes, and audio is what the recording has there', () => {
  fc.assert(
    fc.property(recordings, fc.array(fc.integer({ min: 1, max: 9000 })), (samples, sizes) => {
      let at = 0;
      for (const piece of cut(samples, sizes)) {
        expect(piece.from).toBe(at);
        expect(endOf(piece)).toBeGreaterThan(at);
        if (piece.kind === 'audio')
          expect([...piece.samples]).toEqual([...samples.subarray(at, endOf(piece))]);
        at = endOf(piece);
      }
      expect(at).toBe(samples.length);
    }),
    { numRuns: 30 },
  );
});

test('however a recording is read, the same of it is audio', () => {
  fc.assert(
    fc.property(recordings, fc.array(fc.integer({ min: 1, max: 9000 })), (samples, sizes) => {
      expect(spansOf(cut(samples, sizes))).toEqual(spansOf(cut(samples, [])));
    }),
    { numRuns: 30 },
  );
});
