import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChannelInput } from '../../src/engine/channel-input.ts';

const CHUNK = 8;
const FLUSH = 10;

interface Chunk {
  readonly real: number;
  readonly samples: readonly number[];
}
type Output = Chunk | { readonly kind: 'gap' | 'end'; readonly tick: number };

const makeInput = (fromTick = 0, alignmentSamples = 0, limitSamples = 100_000): ChannelInput =>
  new ChannelInput({ fromTick, chunkSamples: CHUNK, flushSamples: FLUSH, alignmentSamples, limitSamples });

const bytes = (samples: readonly number[]): Uint8Array => {
  const pcm = Int16Array.from(samples);
  return new Uint8Array(pcm.buffer);
};

function drain(input: ChannelInput): Output[] {
  const out: Output[] = [];
  for (;;) {
    const next = input.next();
    if (next.kind === 'idle') return out;
    if (next.kind === 'chunk') {
      const pcm = new Int16Array(CHUNK + 2).fill(99);
      const real = input.fill(pcm, 1);
      expect([pcm[0], pcm[CHUNK + 1]]).toEqual([99, 99]);
      out.push({ real, samples: [...pcm.subarray(1, CHUNK + 1)] });
    } else out.push({ kind: next.kind, tick: next.tick });
  }
}

/** The chunks of one stretch of audio: cut, padded, and zeros until enough silence came after the last sound. */
function chunksOf(samples: readonly number[]): Chunk[] {
  if (samples.length === 0) return [];
  const chunks: Chunk[] = [];
  const sounds = samples.findLastIndex((sample) => sample > 256) + 1;
  let fed = 0;
  while (fed < samples.length || fed - sounds < FLUSH) {
    const real = samples.slice(fed, fed + CHUNK);
    chunks.push({ real: real.length, samples: [...real, ...new Array<number>(CHUNK - real.length).fill(0)] });
    fed += CHUNK;
  }
  return chunks;
}

describe('a channel’s queue', () => {
  test('makes the same chunks of the same audio and gaps however they were cut and whenever it was asked', () => {
    const stretch = fc.record({
      length: fc.nat(60),
      quiet: fc.nat(20),
      gap: fc.integer({ min: 1, max: 40 }),
      cuts: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
      ask: fc.array(fc.boolean(), { minLength: 1 }),
    });
    fc.assert(
      fc.property(fc.array(stretch, { minLength: 1, maxLength: 4 }), fc.nat(1000), (stretches, fromTick) => {
        const input = makeInput(fromTick);
        const got: Output[] = [];
        const expected: Output[] = [];
        let tick = fromTick;
        let value = 1;
        for (const { length, quiet, gap, cuts, ask } of stretches) {
          const samples = Array.from({ length }, (_, i) => (value++ % 200) + (i < length - quiet ? 1000 : 0));
          for (let at = 0, i = 0; at < length; i++) {
            const part = samples.slice(at, at + cuts[i % cuts.length]!);
            input.audio(tick + at, 0, bytes(part));
            at += part.length;
            if (ask[i % ask.length]) got.push(...drain(input));
          }
          tick += length + gap;
          input.gap(tick);
          if (ask[0]) got.push(...drain(input));
          expected.push(...chunksOf(samples));
          expected.push({ kind: 'gap', tick });
        }
        input.end(tick);
        got.push(...drain(input));
        expected.push({ kind: 'end', tick });
        // A gap that another follows at once may be handed out as one.
        const merged = (list: readonly Output[]): Output[] =>
          list.filter((item, i) => {
            const next = list[i + 1];
            return 'samples' in item || next === undefined || 'samples' in next || next.kind !== 'gap';
          });
        expect(merged(got)).toEqual(merged(expected));
      }),
    );
  });

  test('makes no chunk of gaps alone', () => {
    const input = makeInput();
    for (let tick = 10; tick < 1000; tick += 10) input.gap(tick);
    expect(drain(input)).toEqual([{ kind: 'gap', tick: 990 }]);
    input.gap(2000);
    input.end(3000);
    expect(drain(input)).toEqual([
      { kind: 'gap', tick: 2000 },
      { kind: 'end', tick: 3000 },
    ]);
  });

  test('puts the alignment before the first audio, and leaves it out when a gap comes first', () => {
    const audioFirst = makeInput(0, 3);
    audioFirst.audio(0, 0, bytes([1, 2, 3, 4, 5]));
    expect(drain(audioFirst)).toEqual([{ real: 8, samples: [0, 0, 0, 1, 2, 3, 4, 5] }]);
    const gapFirst = makeInput(0, 3);
    gapFirst.gap(100);
    gapFirst.audio(100, 0, bytes([1, 2, 3, 4, 5, 6, 7, 8]));
    expect(drain(gapFirst)).toEqual([
      { kind: 'gap', tick: 100 },
      { real: 8, samples: [1, 2, 3, 4, 5, 6, 7, 8] },
    ]);
  });

  test('takes a hole between messages for a gap, and audio that was there already for nothing', () => {
    const input = makeInput();
    input.audio(0, 0, bytes([1, 2, 3, 4, 5, 6, 7, 1000]));
    input.audio(4, 0, bytes([5, 6, 7, 1000]));
    input.audio(50, 0, bytes([9]));
    expect(drain(input).map((item) => ('kind' in item ? item : item.real))).toEqual([
      8,
      0,
      0,
      { kind: 'gap', tick: 50 },
    ]);
    expect(input.nextTick).toBe(51);
  });

  test('knows when the last audio of a chunk arrived', () => {
    const input = makeInput();
    input.audio(0, 100, bytes([1, 2, 3, 4]));
    input.audio(4, 200, bytes([5, 6, 7, 8]));
    input.audio(8, 300, bytes([9, 9, 9, 9, 9, 9, 9, 9, 9, 9]));
    input.fill(new Int16Array(CHUNK), 0);
    expect(input.arrivalUs).toBe(200);
    input.fill(new Int16Array(CHUNK), 0);
    expect(input.arrivalUs).toBe(300);
  });

  test('refuses what goes far beyond the credit', () => {
    const input = makeInput(0, 0, 20);
    expect(input.audio(0, 0, bytes(new Array<number>(20).fill(1)))).toBe(true);
    expect(input.audio(20, 0, bytes([1]))).toBe(false);
  });
});
