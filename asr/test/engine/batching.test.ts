import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { capacityOf, planBatch, sizesInTime } from '../../src/engine/batching.ts';
import { LoadMeter } from '../../src/engine/load.ts';

const SIZES = [1, 4, 8, 16, 32, 64];

describe('a batch', () => {
  test('starts whenever anyone waits, takes nobody who does not, and fits its size', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(200), (live, catchUp) => {
        const plan = planBatch(live, catchUp, SIZES);
        if (live + catchUp === 0) {
          expect(plan).toBeNull();
          return;
        }
        const rows = plan!.live + plan!.catchUp;
        expect(rows).toBeGreaterThan(0);
        expect(plan!.live).toBeLessThanOrEqual(live);
        expect(plan!.catchUp).toBeLessThanOrEqual(catchUp);
        expect(SIZES).toContain(plan!.size);
        expect(plan!.size).toBeGreaterThanOrEqual(rows);
        expect(rows / plan!.size).toBeGreaterThanOrEqual(0.75);
      }),
    );
  });

  test('gives catch-up channels a quarter while more live ones wait than it takes, and what these leave otherwise', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 }), (live, catchUp) => {
        const plan = planBatch(live, catchUp, SIZES)!;
        expect(plan.live).toBeGreaterThan(0);
        if (plan.live < live) expect(plan.catchUp).toBeLessThanOrEqual((plan.live + plan.catchUp) / 4);
        else expect(plan.live + plan.catchUp).toBeLessThanOrEqual(64);
      }),
    );
    expect(planBatch(10, 100, SIZES)).toEqual({ live: 10, catchUp: 54, size: 64 });
    expect(planBatch(0, 100, SIZES)).toEqual({ live: 0, catchUp: 64, size: 64 });
    expect(planBatch(100, 100, SIZES)).toEqual({ live: 48, catchUp: 16, size: 64 });
    // With catch-up channels it is no longer than a batch of them alone may be.
    expect(planBatch(10, 100, SIZES, 16)).toEqual({ live: 10, catchUp: 6, size: 16 });
    expect(planBatch(24, 100, SIZES, 16)).toEqual({ live: 24, catchUp: 8, size: 32 });
  });

  test('is padded when nearly full and cut when not', () => {
    expect(planBatch(50, 0, SIZES)).toEqual({ live: 50, catchUp: 0, size: 64 });
    expect(planBatch(33, 0, SIZES)).toEqual({ live: 32, catchUp: 0, size: 32 });
    expect(planBatch(3, 0, SIZES)).toEqual({ live: 3, catchUp: 0, size: 4 });
  });
});

describe('headroom', () => {
  test('is what a row costs in a large batch against the rows that come', () => {
    const load = new LoadMeter(0.001, 0, 64);
    // 500 rows a second in batches of two that take 2 ms each: busy half the time, and half of the capacity.
    for (let ms = 0; ms < 10_000; ms += 4) load.step(ms, 0.003, 2, 2, 0);
    expect(load.headroom(10_000, 64)).toBeCloseTo(0.5, 1);
  });

  test('learns from large batches that rows have become dearer', () => {
    const load = new LoadMeter(0.001, 0, 64);
    for (let ms = 0; ms < 20_000; ms += 64) load.step(ms, 0.064 * 2, 32, 64, 0);
    expect(load.headroom(20_000, 64)).toBeLessThan(0.1);
  });

  test('is gone when more wait than a batch can take and the model is never idle', () => {
    const load = new LoadMeter(0.0001, 0, 64);
    for (let ms = 0; ms < 10_000; ms += 10) load.step(ms, 0.01, 8, 8, 100);
    expect(load.headroom(10_000, 64)).toBeLessThan(0.05);
  });

  test('comes back when the channels are gone', () => {
    const load = new LoadMeter(0.001, 0, 64);
    for (let ms = 0; ms < 5000; ms += 8) load.step(ms, 0.008, 8, 8, 0);
    expect(load.headroom(5000, 64)).toBeLessThan(0.1);
    expect(load.headroom(11_000, 64)).toBe(1);
  });
});

test('a slow model, whose batches are small, follows what its rows cost too', () => {
  const load = new LoadMeter(0.02, 0, 4);
  // At start, beside another engine, a row seemed to take 20 ms; it takes 5.
  for (let i = 1; i <= 200; i++) load.step(i * 100, 0.02, 4, 4, 0);
  expect(load.headroom(20_000, 4)).toBeCloseTo(0.8, 1);
});

describe('the sizes that a model is quick enough for', () => {
  const sizes = [1, 4, 16, 64];
  const seconds = (perRow: number) => new Map(sizes.map((size) => [size, size * perRow]));

  test('are all of them for a small model', () => {
    expect(sizesInTime(sizes, seconds(0.0005), 0.3)).toEqual(sizes);
  });

  test('leave out steps of over half a chunk, so that nobody waits for a chunk behind one', () => {
    expect(sizesInTime(sizes, seconds(0.005), 0.32)).toEqual([1, 4, 16]);
  });

  test('end where a larger batch costs more a row than a smaller one', () => {
    const seconds = new Map([
      [1, 0.02],
      [4, 0.06],
      [16, 0.14],
      [64, 0.15 * 64],
    ]);
    expect(sizesInTime(sizes, seconds, 20)).toEqual([1, 4, 16]);
  });

  test('keep the smallest of a model that cannot keep up at all', () => {
    expect(sizesInTime(sizes, seconds(2), 0.3)).toEqual([1]);
  });
});

describe('the channels that an engine says it carries', () => {
  test('are those of its largest batches', () => {
    expect(
      capacityOf(
        [1, 4],
        new Map([
          [1, 0.01],
          [4, 0.021],
        ]),
        0.3,
      ),
    ).toBe(57);
  });

  test('are at least one, of a model that is slower than speech too: who places channels divides by it', () => {
    expect(capacityOf([1], new Map([[1, 2]]), 0.3)).toBe(1);
    expect(capacityOf([1, 4], new Map(), 0.3)).toBe(1);
  });
});
