import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameMap } from '../../src/decode/frame-map.ts';

describe('the map from frames to ticks', () => {
  test('agrees with a list that has the tick of each sample, across gaps and padding', () => {
    const run = fc.record({
      gap: fc.nat(50),
      feeds: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
      padding: fc.nat(15),
    });
    fc.assert(
      fc.property(fc.nat(100), fc.array(run, { minLength: 1, maxLength: 3 }), (first, runs) => {
        const map = new FrameMap();
        const fed: { tick: number; real: boolean }[] = [];
        let tick = first;
        for (const { gap, feeds, padding } of runs) {
          tick += gap;
          map.jump(tick);
          for (const samples of feeds) {
            map.feed(samples, samples);
            for (let i = 0; i < samples; i++) fed.push({ tick: tick++, real: true });
          }
          map.feed(padding, 0);
          for (let i = 0; i < padding; i++) fed.push({ tick, real: false });
        }
        expect(map.fed).toBe(fed.length);
        expect(map.endTick).toBe(tick);
        for (const [stream, sample] of fed.entries()) {
          expect(map.startTick(stream)).toBe(sample.tick);
          expect(map.endTickOf(stream + 1)).toBe(sample.tick + (sample.real ? 1 : 0));
        }
      }),
    );
  });

  test('a frame that ends where a gap begins ends before the gap, one that begins there begins after it', () => {
    const map = new FrameMap();
    map.jump(1000);
    map.feed(480, 480);
    map.jump(9000);
    map.feed(480, 480);
    expect(map.endTickOf(480)).toBe(1480);
    expect(map.startTick(480)).toBe(9000);
  });

  test('frame boundaries are counted from the beginning of the newest run', () => {
    const map = new FrameMap();
    map.jump(100);
    map.feed(4800, 4800);
    expect([99, 100, 579, 580, 600].map((tick) => map.onGrid(tick, 480))).toEqual([99, 100, 100, 580, 580]);
  });
});
