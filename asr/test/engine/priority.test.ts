import type { ChannelId } from '@earshot/contracts';
import { describe, expect, test } from 'vitest';
import { Engine, type StepReport } from '../../src/engine/engine.ts';
import { describeModel } from '../../src/models/folder.ts';
import { Listener } from '../support/bare-engine.ts';
import { SHIPPED_MODEL, channelNamed, openingOf } from '../support/rig.ts';
import { SlowStepper } from '../support/slow-stepper.ts';

const SIZES = [1, 4, 8, 16];
const model = describeModel(SHIPPED_MODEL);
const { chunkSamples } = model.timing;
const CHUNK_MS = chunkSamples / 8;
/** Something, so that it is not taken for silence. */
const sound = new Uint8Array(2 * chunkSamples).fill(0x33);

interface World {
  readonly engine: Engine;
  readonly stepper: SlowStepper;
  readonly heard: Listener;
  readonly steps: StepReport[];
}

/** @param msOf what a batch takes, virtual milliseconds */
function makeWorld(maxChannels: number, msOf: (size: number) => number, gatherMs = 0): World {
  const stepper = new SlowStepper(model, SIZES, (size) => msOf(size) / 1000);
  const heard = new Listener();
  const steps: StepReport[] = [];
  const engine = new Engine({
    model,
    thread: stepper,
    maxChannels,
    sizes: SIZES,
    gatherMs,
    sink: heard,
    nowMs: () => stepper.nowMs,
    onStep: (report) => steps.push(report),
    onFailure: (error) => {
      throw error;
    },
  });
  return { engine, stepper, heard, steps };
}

describe('an engine that has more to do than it can', () => {
  test('keeps the lag of live channels bounded while those that catch up get on', async () => {
    // A row takes 10 ms: 100 rows a second. 20 live channels ask for 67 of them; 20 others have an hour to catch up with.
    const { engine, stepper, heard } = makeWorld(40, (size) => 10 * size);
    const live = Array.from({ length: 20 }, (_, i) => channelNamed(`live-${i}`));
    const behind = Array.from({ length: 20 }, (_, i) => channelNamed(`behind-${i}`));
    const sent = new Map<ChannelId, number>();
    for (const id of live) engine.open(openingOf(id), heard);
    for (const id of behind) engine.open(openingOf(id, { live: false }), heard);
    let worstLagTicks = 0;
    let worstWaiting = 0;
    const send = (id: ChannelId): void => {
      const tick = sent.get(id) ?? 0;
      engine.audio(id, 1, tick, stepper.nowMs * 1000, sound);
      sent.set(id, tick + chunkSamples);
    };
    const decided = (list: readonly ChannelId[]): number[] =>
      list.map((id) => heard.decidedTick.get(id) ?? 0);
    for (let ms = 0; ms <= 60_000; ms += 15) {
      // One live channel's chunk every 15 ms, so that each has one every 300 ms.
      send(live[(ms / 15) % live.length]!);
      for (const id of behind)
        while ((sent.get(id) ?? 0) + chunkSamples <= heard.creditTick.get(id)!) send(id);
      await stepper.goTo(ms);
      if (ms < 3000) continue;
      for (const id of live)
        worstLagTicks = Math.max(worstLagTicks, sent.get(id)! - (heard.decidedTick.get(id) ?? 0));
      worstWaiting = Math.max(worstWaiting, engine.waiting.live);
    }
    // A chunk that came waits for the batch that runs and for its own, 160 ms each at most; nothing piles up.
    expect(worstLagTicks).toBeLessThanOrEqual(2 * chunkSamples);
    expect(worstWaiting).toBeLessThanOrEqual(2 * SIZES.at(-1)!);
    // What live channels leave, catch-up gets: about a third of the time here.
    const caughtUpSeconds = decided(behind).reduce((sum, tick) => sum + tick, 0) / 8000;
    expect(caughtUpSeconds).toBeGreaterThan(0.2 * 60 * 100 * (CHUNK_MS / 1000));
    // Their queues are bounded by credit.
    for (const id of behind) expect(sent.get(id)! - heard.decidedTick.get(id)!).toBeLessThanOrEqual(3 * 8000);
  });

  test('gives those that catch up a quarter and no more when live channels alone are too many', async () => {
    const { engine, stepper, heard } = makeWorld(80, (size) => 10 * size);
    const live = Array.from({ length: 40 }, (_, i) => channelNamed(`live-${i}`));
    const behind = Array.from({ length: 20 }, (_, i) => channelNamed(`behind-${i}`));
    for (const id of live) engine.open(openingOf(id), heard);
    for (const id of behind) engine.open(openingOf(id, { live: false }), heard);
    const sent = new Map<ChannelId, number>();
    for (let ms = 0; ms <= 20_000; ms += 10) {
      for (const id of [...live, ...behind]) {
        const tick = sent.get(id) ?? 0;
        if (tick + chunkSamples > heard.creditTick.get(id)!) continue;
        // Of now, whenever it is sent: these never become old.
        engine.audio(id, 1, tick, (ms + 100_000) * 1000, sound);
        sent.set(id, tick + chunkSamples);
      }
      await stepper.goTo(ms);
    }
    const total = (list: readonly ChannelId[]): number =>
      list.reduce((sum, id) => sum + heard.decidedTick.get(id)!, 0) / chunkSamples;
    const share = total(behind) / (total(live) + total(behind));
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThanOrEqual(0.26);
    // And live channels are served alike.
    const ticks = live.map((id) => heard.decidedTick.get(id)!);
    expect(Math.max(...ticks) - Math.min(...ticks)).toBeLessThanOrEqual(2 * chunkSamples);
  });

  test('runs no batch of catch-up channels that would make a live chunk wait for more than a quarter of a chunk', async () => {
    // A batch of 4 takes 40 ms, one of 8 would take 80.
    const { engine, stepper, heard, steps } = makeWorld(30, (size) => 10 * size);
    for (let i = 0; i < 20; i++) {
      const id = channelNamed(`behind-${i}`);
      engine.open(openingOf(id, { live: false }), heard);
      engine.audio(id, 1, 0, 0, sound);
    }
    await stepper.goTo(1000);
    expect(steps.map(({ size }) => size)).toEqual([4, 4, 4, 4, 4]);
  });
});

describe('a small batch', () => {
  const chunkOf = ({ engine, heard, stepper }: World, name: string, chunks = 1): void => {
    const id = channelNamed(name);
    engine.open(openingOf(id), heard);
    for (let i = 0; i < chunks; i++) {
      engine.audio(id, 1, i * chunkSamples, stepper.nowMs * 1000, sound);
    }
  };
  /** Longer than the test. */
  const NEVER_MS = 3_600_000;

  test('waits for others to join it, and starts at once when they are enough', async () => {
    const world = makeWorld(40, () => 10, NEVER_MS);
    for (let i = 0; i < 31; i++) chunkOf(world, `early-${i}`);
    await world.stepper.goTo(100);
    expect(world.stepper.running).toBeNull();
    chunkOf(world, 'last');
    await world.stepper.goTo(105);
    expect(world.stepper.running).toMatchObject({ rows: 16, size: 16 });
  });

  test('is not held back longer than it may be', async () => {
    const world = makeWorld(40, () => 10, 20);
    chunkOf(world, 'alone');
    // The engine's own timer goes by the wall clock: give it time, and the engine's clock the same.
    await world.stepper.goTo(30);
    while (world.stepper.running === null) await new Promise((resolve) => setTimeout(resolve, 5));
    await world.stepper.goTo(100);
    expect(world.steps.map(({ rows }) => rows)).toEqual([1]);
    expect(world.steps[0]!.latenciesMs).toEqual([40]);
  });

  test('is not held back when somebody in it is behind', async () => {
    const behind = makeWorld(40, () => 10, NEVER_MS);
    chunkOf(behind, 'behind', 3);
    await behind.stepper.goTo(1);
    expect(behind.stepper.running).toMatchObject({ rows: 1 });

    const catchUp = makeWorld(40, () => 10, NEVER_MS);
    catchUp.engine.open(openingOf(channelNamed('old'), { live: false }), catchUp.heard);
    catchUp.engine.audio(channelNamed('old'), 1, 0, 0, sound);
    await catchUp.stepper.goTo(1);
    expect(catchUp.stepper.running).toMatchObject({ rows: 1 });
  });
});
