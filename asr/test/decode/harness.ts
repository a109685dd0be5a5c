import { type ChannelId, segmentIdOf } from '@earshot/contracts';
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  ChannelDecoder,
  type DecoderOptions,
  type FinalSegment,
  alignmentSamples,
} from '../../src/decode/channel-decoder.ts';
import { MAX_SEGMENT_TICKS, type ModelTiming, framesFor } from '../../src/decode/timing.ts';

export const timing: ModelTiming = {
  chunkSamples: 2400,
  frameSamples: 480,
  flushSamples: 3360,
  wordLeadSamples: 960,
  frameDelaySamples: 0,
};
export const pieces = ['<blk>', '▁', 'a', 'b', '▁c', '▁do', 'ed'];
export const channel = 'call:0' as ChannelId;
export const FRAMES = 5;
const FRAME = timing.frameSamples;
const WARM_UP_TICKS = 8000;
/** Silence that the engine feeds before a gap, in frames. */
const FLUSH_FRAMES = framesFor(timing.flushSamples, timing);

/** Audio without a hole, as the best token of each of its frames; the last ones lie in the silence that is fed after it. */
export interface Stretch {
  readonly fromTick: number;
  readonly ids: readonly number[];
}

export const blanks = (count: number): number[] => new Array<number>(count).fill(0);

/** A decoder and what came out of it. */
export class Harness {
  readonly finals: FinalSegment[] = [];
  /** The settled tick after each chunk and gap. */
  readonly settled: number[] = [];
  readonly decoder: ChannelDecoder;
  readonly #log: (ids: readonly number[]) => Float32Array | null;

  constructor(
    options: Partial<DecoderOptions> = {},
    log: (ids: readonly number[]) => Float32Array | null = () => null,
  ) {
    const fromTick = options.fromTick ?? 0;
    this.#log = log;
    this.decoder = new ChannelDecoder({
      channel,
      outputFromTick: fromTick,
      timing,
      pieces,
      blank: 0,
      onFinal: (segment) => this.finals.push(segment),
      ...options,
      fromTick,
    });
  }

  /** Feeds whole chunks; the last is filled up with blanks. @param real how many of the frames are of audio */
  say(ids: readonly number[], logProbability = -0.1, real = Infinity): this {
    for (let i = 0; i < ids.length; i += FRAMES) {
      const chunk = Uint16Array.from({ length: FRAMES }, (_, k) => ids[i + k] ?? 0);
      const samples = Math.max(0, Math.min(FRAMES, real - i)) * FRAME;
      const best = new Float32Array(FRAMES).fill(logProbability);
      this.decoder.frames(samples, chunk, best, 0, FRAMES, this.#log([...chunk]));
      this.settled.push(this.decoder.settledTick);
    }
    return this;
  }

  /** What the engine does at a gap: silence until the last word is out, then the gap. */
  gap(toTick: number, endpoint: 'gap' | 'end' = 'gap'): this {
    this.say(blanks(2 * FRAMES), 0, 0);
    this.decoder.gap(toTick, endpoint);
    this.settled.push(this.decoder.settledTick);
    return this;
  }

  get texts(): string[][] {
    return this.finals.map(({ words }) => words.map(({ text }) => text));
  }
}

/** Plays stretches with gaps between them, then the end. @param request after which chunks somebody asks for finals */
export function play(
  harness: Harness,
  stretches: readonly Stretch[],
  endTick: number,
  request: (chunk: number) => boolean = () => false,
): Harness {
  let chunk = 0;
  for (const [i, { ids }] of stretches.entries()) {
    const audio = ids.length - FLUSH_FRAMES;
    for (let at = 0; at < ids.length; at += FRAMES) {
      harness.say(
        Array.from({ length: FRAMES }, (_, k) => ids[at + k] ?? 0),
        -0.1,
        audio - at,
      );
      if (request(chunk++)) harness.decoder.finalise();
    }
    const next = stretches[i + 1];
    harness.decoder.gap(next?.fromTick ?? endTick, next === undefined ? 'end' : 'gap');
    harness.settled.push(harness.decoder.settledTick);
  }
  return harness;
}

/** Another engine opens the channel at a committed tick: it hears what comes after, and a second of what came before. */
export function replay(
  stretches: readonly Stretch[],
  endTick: number,
  committed: number,
  options: Partial<DecoderOptions> = {},
  log: (ids: readonly number[]) => Float32Array | null = () => null,
): Harness {
  const fromTick = Math.max(0, committed - WARM_UP_TICKS);
  const harness = new Harness({ ...options, fromTick, outputFromTick: committed }, log);
  const rest = stretches.filter(
    ({ fromTick: at, ids }) => at + (ids.length - FLUSH_FRAMES) * FRAME > fromTick,
  );
  const [first] = rest;
  if (first === undefined) {
    harness.decoder.gap(endTick, 'end');
    return harness;
  }
  if (first.fromTick >= fromTick) {
    if (first.fromTick > fromTick) harness.decoder.gap(first.fromTick);
    return play(harness, rest, endTick);
  }
  const zeros = alignmentSamples(fromTick, committed, timing);
  const whole = (fromTick - zeros - first.fromTick) / FRAME;
  // It is on the frames of the first run, unless the committed tick lies behind a gap: there the grid begins anew.
  const skip = Math.max(0, Math.ceil(whole));
  const ids = zeros > 0 ? [0, ...first.ids.slice(skip + 1)] : first.ids.slice(skip);
  return play(harness, [{ fromTick, ids }, ...rest.slice(1)], endTick);
}

/** Words of up to a second with pauses between them, in stretches with gaps between them. */
export function talk(longestPause = 16): fc.Arbitrary<{ stretches: Stretch[]; endTick: number }> {
  const piece = fc.record({ blanks: fc.nat(2), id: fc.constantFrom(2, 3, 6) });
  const word = fc.record({
    pause: fc.oneof({ weight: 4, arbitrary: fc.nat(4) }, fc.nat(longestPause)),
    first: fc.constantFrom(4, 5),
    held: fc.nat(1),
    rest: fc.array(piece, { maxLength: 3 }),
  });
  const stretch = fc.record({
    words: fc.array(word, { maxLength: 70 }),
    after: fc.nat(20),
    gap: fc.integer({ min: 1, max: 60_000 }),
  });
  return fc
    .record({
      stretches: fc.array(stretch, { minLength: 1, maxLength: 3 }),
      lead: fc.nat(30_000),
    })
    .map(({ stretches, lead }) => {
      let tick = lead;
      const out = stretches.map(({ words, after, gap }) => {
        const ids: number[] = [];
        for (const { pause, first, held, rest } of words) {
          ids.push(...blanks(pause), first, ...new Array<number>(held).fill(first));
          // A token that comes twice in a row is one: a blank between makes two of it.
          for (const { blanks: count, id } of rest) ids.push(...blanks(Math.max(count, 1)), id);
          ids.push(0);
        }
        const frames = ids.length + after;
        const stretchOf: Stretch = { fromTick: tick, ids: [...ids, ...blanks(after + FLUSH_FRAMES)] };
        tick += frames * FRAME + gap;
        return stretchOf;
      });
      return { stretches: out, endTick: tick };
    });
}

/** Everything that holds of any sequence of finals of a channel. */
export function expectSound(finals: readonly FinalSegment[], outputFromTick: number): void {
  let settled = outputFromTick;
  for (const { segmentId, fromTick, toTick, words } of finals) {
    expect(segmentId).toBe(segmentIdOf(channel, fromTick));
    expect(fromTick).toBeGreaterThanOrEqual(settled);
    expect(words.length).toBeGreaterThan(0);
    let at = fromTick;
    for (const word of words) {
      expect(word.text).not.toBe('');
      expect(word.startTick).toBeGreaterThanOrEqual(at);
      expect(word.endTick).toBeGreaterThan(word.startTick);
      expect(word.confidence).toBeGreaterThanOrEqual(0);
      expect(word.confidence).toBeLessThanOrEqual(1);
      at = word.endTick;
    }
    expect(toTick).toBeGreaterThanOrEqual(at);
    expect(at - fromTick).toBeLessThanOrEqual(MAX_SEGMENT_TICKS);
    settled = toTick;
  }
}

const SURE = 0.97;
/** All log-probabilities of a chunk in which the best tokens are nearly sure. */
export const sureLogs = (ids: readonly number[]): Float32Array =>
  Float32Array.from(
    ids.flatMap((id) => pieces.map((_, k) => Math.log(k === id ? SURE : (1 - SURE) / (pieces.length - 1)))),
  );

/** What does not depend on how sure the tokens were. */
export const outline = (finals: readonly FinalSegment[]): unknown =>
  finals.map(({ segmentId, toTick, endpoint, words }) => ({
    segmentId,
    toTick,
    endpoint,
    words: words.map(({ text, startTick, endTick }) => ({ text, startTick, endTick })),
  }));
