import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Balance, type ChannelView } from '../src/asr-link/balance.ts';
import { chooseEngine, type EngineView } from '../src/asr-link/placement.ts';

const view = (engine: number, changes: Partial<EngineView> = {}): EngineView => ({
  engine,
  up: true,
  room: 1,
  channels: 0,
  capacity: 1000,
  ...changes,
});

describe('the engine for a channel', () => {
  test('is one of those that serve, and those that stand by stay empty', () => {
    const serving = view(1, { room: 0.3, channels: 700 });
    expect(chooseEngine([view(0), serving, view(2)], 1, null)).toBe(1);
    // While none has channels all media workers come to the same one.
    expect(chooseEngine([view(0), view(1), view(2)], 1, null)).toBe(0);
    expect(chooseEngine([view(0, { channels: 5, room: 0.9 }), view(1), view(2)], 2, null)).toBe(1);
    expect(
      chooseEngine(
        [view(0, { channels: 5, room: 0.9 }), view(1, { channels: 3, room: 0.8 }), view(2)],
        2,
        null,
      ),
    ).toBe(0);
  });

  test('is one that stands by when no other is there, or none of them has room', () => {
    const full = view(0, { room: 0.01, channels: 1000 });
    expect(chooseEngine([full, view(1)], 1, null)).toBe(1);
    expect(chooseEngine([view(0, { up: false }), view(1)], 1, null)).toBe(1);
    expect(chooseEngine([view(0, { room: -2 }), view(1, { room: -1 })], 1, null)).toBe(1);
  });

  test('is not the one that gave the channel back, unless it is the only one', () => {
    const gaveBack = view(0, { channels: 900, room: 0.5 });
    expect(chooseEngine([gaveBack, view(1), view(2)], 1, 0)).toBe(1);
    expect(chooseEngine([gaveBack, view(1, { up: false })], 1, 0)).toBe(0);
    expect(chooseEngine([view(0, { up: false })], 1, null)).toBeNull();
  });

  test('is always one that is there', () => {
    const engine = fc.record({
      up: fc.boolean(),
      room: fc.double({ min: -2, max: 1, noNaN: true }),
      channels: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(engine, { maxLength: 6 }), fc.integer({ min: 1, max: 4 }), (list, serving) => {
        const views = list.map((each, at) => view(at, each));
        const chosen = chooseEngine(views, serving, null);
        if (chosen === null) expect(views.some(({ up }) => up)).toBe(false);
        else expect(views[chosen]!.up).toBe(true);
      }),
    );
  });
});

interface Speaker extends ChannelView {
  engine: number;
  lagTicks: number;
  againTicks: number;
  placedUs: number;
  movedUs: number;
}

/** Engines and media workers in virtual time, a second a turn. An engine hears so many channel seconds a second, alike of all. */
class World {
  nowUs = 1_000_000_000;
  readonly balances: Balance[];
  readonly speakers: Speaker[][];
  readonly speeds: number[];
  moves = 0;
  mostMoves = 0;

  /** @param counts channels of each worker on each engine */
  constructor(workers: number, speeds: readonly number[], counts: readonly number[], lagSeconds = 0) {
    this.speeds = [...speeds];
    this.balances = Array.from({ length: workers }, () => new Balance());
    this.speakers = Array.from({ length: workers }, () =>
      counts.flatMap((count, engine) =>
        Array.from({ length: count }, () => ({
          engine,
          lagTicks: lagSeconds * 8000,
          againTicks: 0,
          placedUs: this.nowUs - (lagSeconds > 0 ? 0 : 60_000_000),
          movedUs: -Infinity,
        })),
      ),
    );
  }

  get all(): Speaker[] {
    return this.speakers.flat();
  }

  on(engine: number): Speaker[] {
    return this.all.filter((speaker) => speaker.engine === engine);
  }

  worstLagSeconds(): number {
    return Math.max(0, ...this.all.map(({ lagTicks }) => lagTicks)) / 8000;
  }

  pass(seconds: number): void {
    for (let s = 0; s < seconds; s++) {
      this.nowUs += 1_000_000;
      for (const [engine, speed] of this.speeds.entries()) this.#hear(this.on(engine), speed);
      // Host's table is of the second before, and the same for all.
      const engines = this.speeds.map((_, engine) => view(engine, { channels: this.on(engine).length }));
      const before = this.moves;
      for (const [worker, balance] of this.balances.entries()) {
        const moves = balance.look(engines, this.speakers[worker]!, 1, this.nowUs);
        for (const speaker of moves?.channels ?? []) {
          speaker.engine = moves!.to;
          speaker.lagTicks += 8000 * 6;
          speaker.placedUs = speaker.movedUs = this.nowUs;
          this.moves++;
        }
      }
      this.mostMoves = Math.max(this.mostMoves, this.moves - before);
    }
  }

  #hear(speakers: Speaker[], speed: number): void {
    for (const speaker of speakers) speaker.lagTicks += 8000;
    let ticks = speed * 8000;
    for (let left = speakers.filter(({ lagTicks }) => lagTicks > 0); left.length > 0 && ticks >= 1;) {
      const each = Math.min(ticks / left.length, Math.min(...left.map(({ lagTicks }) => lagTicks)));
      for (const speaker of left) speaker.lagTicks -= each;
      ticks -= each * left.length;
      left = left.filter(({ lagTicks }) => lagTicks > 0.5);
    }
  }
}

describe('what an engine cannot keep up with', () => {
  test.each([1, 3])(
    'goes to one that has room, some a second, until both keep up: %i media workers',
    (workers) => {
      const world = new World(workers, [1000, 1000], [1200 / workers, 0]);
      world.pass(60);
      expect(world.worstLagSeconds()).toBeLessThan(1);
      const [a, b] = [world.on(0).length, world.on(1).length];
      expect(Math.max(a, b)).toBeLessThan(1000);
      // No channel moved more than once, and not all at once.
      expect(world.moves).toBeLessThanOrEqual(700);
      expect(world.mostMoves).toBeLessThanOrEqual(300);
      const moves = world.moves;
      world.pass(300);
      expect(world.moves).toBe(moves);
    },
  );

  test('is brought to an empty engine after a death, long before one alone would be done', () => {
    // 800 channels, each with 9 s to catch up: 36 s for one engine that has 200 channel seconds a second to spare.
    const world = new World(2, [1000, 1000], [400, 0], 9);
    let seconds = 0;
    for (; world.worstLagSeconds() >= 1 && seconds < 60; seconds++) world.pass(1);
    expect(seconds).toBeLessThan(20);
    const alone = new World(2, [1000], [400], 9);
    alone.pass(seconds);
    expect(alone.worstLagSeconds()).toBeGreaterThan(1);
  });

  test('stays where it is when nobody has room', () => {
    const world = new World(2, [1000, 1000], [600, 600]);
    world.pass(120);
    expect(world.worstLagSeconds()).toBeGreaterThan(5);
    expect(world.moves).toBe(0);
  });

  test('stays while nothing lags, however uneven the load', () => {
    const world = new World(1, [1000, 1000], [990, 0]);
    world.pass(60);
    expect(world.moves).toBe(0);
  });

  test('leaves an engine that is slower than it was, as much as it falls behind by', () => {
    const world = new World(2, [1000, 1000], [100, 100]);
    world.pass(20);
    expect(world.moves).toBe(0);
    world.speeds[0] = 50;
    world.pass(90);
    expect(world.worstLagSeconds()).toBeLessThan(1.5);
    expect(world.on(0).length).toBeLessThanOrEqual(50);
    expect(world.on(0).length).toBeGreaterThan(0);
    // It is itself again: nothing comes back without need.
    world.speeds[0] = 1000;
    const { moves } = world;
    world.pass(120);
    expect(world.moves).toBe(moves);
  });

  test('does not go to and fro between two engines that are both too slow', () => {
    const world = new World(2, [1000, 1000], [100, 100]);
    world.speeds[0] = world.speeds[1] = 50;
    world.pass(300);
    // Two hundred in the first half minute at most, and none of them soon again.
    expect(world.moves).toBeLessThan(400);
  });
});
