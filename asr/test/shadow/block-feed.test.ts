import { Gate, type SpoolBlock } from '@earshot/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextStep, pcmOf, type Step as LiveStep } from '../../../media/src/asr-link/step.ts';
import type { AudioSource } from '../../../media/src/spool/tape.ts';
import { addSpeech, endOf, tapeBlockOf } from '../../../media/src/spool/tape-block.ts';
import { BlockFeed, type Step } from '../../src/shadow/block-feed.ts';
import { blockAt } from './blocks.ts';

/** Blocks in order with holes between some, and raw speech here and there. */
const blocks = fc
  .array(
    fc.record({
      hole: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 20_000 })),
      ticks: fc.oneof({ weight: 3, arbitrary: fc.constant(4000) }, fc.integer({ min: 1, max: 4000 })),
      vad: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 2 ** 25 - 1 })),
    }),
    { maxLength: 30 },
  )
  .map((shapes) => {
    let tick = 0;
    return shapes.map(({ hole, ticks, vad }) => {
      tick += hole;
      const block = blockAt(tick, ticks, vad);
      tick += ticks;
      return block;
    });
  });

function* drain(feed: BlockFeed, limit = Infinity): Generator<Step> {
  for (let step = feed.next(limit); step !== null; step = feed.next(limit)) yield step;
}

/** A hundred-odd words of tick and sample, the same however the steps are cut. */
const flat = (steps: Iterable<Step>): (number | 'gap')[] => {
  const out: (number | 'gap')[] = [];
  for (const step of steps) {
    if (step.kind === 'audio') expect(step.samples.length).toBe(step.to - step.from);
    for (let tick = step.from; tick < step.to; tick++)
      out.push(step.kind === 'gap' ? 'gap' : step.samples[tick - step.from]!);
  }
  return out;
};

/** The live path (media) over the same blocks, all of them there from the start. */
function* live(all: readonly SpoolBlock[], endTick: number): Generator<Step> {
  const gate = new Gate();
  const tape = all.map(tapeBlockOf);
  for (const block of tape) addSpeech(gate, block);
  const source: AudioSource = {
    firstTick: 0,
    endTick,
    decidedTick: endTick,
    gate,
    blockFrom: (tick) => tape.find((block) => endOf(block) > tick) ?? null,
  };
  const step: LiveStep = { kind: 'gap', to: 0 };
  for (let at = 0; at < endTick; at = step.to) {
    nextStep(source, at, endTick, 8000, true, step);
    const { kind, to } = step;
    if (kind === 'gap') yield { kind, from: at, to };
    else {
      const samples = new Int16Array(to - at);
      pcmOf(source, at, to, samples);
      yield { kind, from: at, to, samples };
    }
  }
}

test('it hands out what the live path sent: the same audio, the same gaps, at the same ticks', () => {
  fc.assert(
    fc.property(blocks, fc.integer({ min: 0, max: 10_000 }), (all, after) => {
      const end = (all.at(-1)?.startTick ?? 0) + (all.at(-1)?.ticks ?? 0) + after;
      const feed = new BlockFeed();
      for (const block of all) feed.push(block);
      feed.end(end);
      expect(flat(drain(feed))).toEqual(flat(live(all, end)));
      expect(feed.done).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test('blocks that come one by one, under any credit, give the same as all at once', () => {
  const credits = fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(blocks, credits, (all, steps) => {
      const end = (all.at(-1)?.startTick ?? 0) + (all.at(-1)?.ticks ?? 0);
      const whole = new BlockFeed();
      for (const block of all) whole.push(block);
      whole.end(end);
      const bit = new BlockFeed();
      const out: Step[] = [];
      let limit = 0;
      for (const [i, block] of all.entries()) {
        bit.push(block);
        limit += steps[i % steps.length]!;
        for (const step of drain(bit, limit)) {
          expect(step.to).toBeLessThanOrEqual(limit);
          out.push(step);
        }
      }
      bit.end(end);
      out.push(...drain(bit));
      expect(flat(out)).toEqual(flat(drain(whole)));
    }),
    { numRuns: 60 },
  );
});

test('a block that came before is left out', () => {
  const feed = new BlockFeed();
  feed.push(blockAt(4000, 4000, 0));
  feed.push(blockAt(0, 4000, 0));
  feed.push(blockAt(4000, 4000, 0));
  expect(feed.heardTick).toBe(8000);
});
