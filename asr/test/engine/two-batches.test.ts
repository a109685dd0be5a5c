import { expect, test } from 'vitest';
import { Engine, type StepReport } from '../../src/engine/engine.ts';
import { type Stepper, shareBuffers } from '../../src/engine/shared-step.ts';
import { StepThread } from '../../src/engine/step-thread.ts';
import { describeModel } from '../../src/models/folder.ts';
import type { StepBuffers } from '../../src/models/model.ts';
import { Listener } from '../support/bare-engine.ts';
import { SHIPPED_MODEL, channelNamed, openingOf } from '../support/rig.ts';

const model = describeModel(SHIPPED_MODEL);
const { chunkSamples } = model.timing;
const sound = new Uint8Array(2 * chunkSamples).fill(0x33);

/** Batches that end when the test says so, first come first served. */
class HandStepper implements Stepper {
  readonly buffers = shareBuffers(model, 4);
  readonly spare = shareBuffers(model, 4);
  readonly secondsBySize: ReadonlyMap<number, number>;
  readonly running: { readonly rows: number; readonly into: StepBuffers; readonly end: () => void }[] = [];

  constructor(seconds: number) {
    this.secondsBySize = new Map([
      [1, seconds],
      [4, seconds],
    ]);
    for (const { ids } of [this.buffers, this.spare]) ids.fill(model.blank);
  }

  step(rows: number, _size: number, into: StepBuffers): Promise<number> {
    return new Promise((resolve) => this.running.push({ rows, into, end: () => resolve(0.01) }));
  }
}

function world(seconds: number): {
  engine: Engine;
  stepper: HandStepper;
  heard: Listener;
  steps: StepReport[];
} {
  const stepper = new HandStepper(seconds);
  const heard = new Listener();
  const steps: StepReport[] = [];
  const engine = new Engine({
    model,
    thread: stepper,
    maxChannels: 20,
    sizes: [1, 4],
    gatherMs: 0,
    sink: heard,
    nowMs: () => 1000,
    onStep: (report) => steps.push(report),
    onFailure: (error) => {
      throw error;
    },
  });
  return { engine, stepper, heard, steps };
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};
const say = ({ engine, heard }: { engine: Engine; heard: Listener }, name: string): void => {
  const id = channelNamed(name);
  engine.open(openingOf(id), heard);
  engine.audio(id, 1, 0, 1_000_000, sound);
};

test('while a batch runs a full one goes on after it, in other buffers; a small one waits for others', async () => {
  const all = world(0.01);
  const { stepper, steps, heard } = all;
  say(all, 'first');
  await settled();
  expect(stepper.running.map(({ rows }) => rows)).toEqual([1]);
  for (const name of ['a', 'b', 'c']) say(all, name);
  await settled();
  expect(stepper.running).toHaveLength(1);
  for (const name of ['d', 'e', 'f', 'g', 'h']) say(all, name);
  await settled();
  // No third one, though four more wait.
  expect(stepper.running.map(({ rows }) => rows)).toEqual([1, 4]);
  expect(stepper.running[0]!.into).not.toBe(stepper.running[1]!.into);
  stepper.running[0]!.end();
  await settled();
  expect(steps.map(({ rows }) => rows)).toEqual([1]);
  expect(heard.decidedTick.get(channelNamed('first'))).toBe(chunkSamples);
  expect(heard.decidedTick.get(channelNamed('a'))).toBe(0);
  expect(stepper.running.map(({ rows }) => rows)).toEqual([1, 4, 4]);
  expect(stepper.running[2]!.into).toBe(stepper.running[0]!.into);
  stepper.running[1]!.end();
  stepper.running[2]!.end();
  await settled();
  expect(['a', 'b', 'c', 'd', 'h'].map((name) => heard.decidedTick.get(channelNamed(name)))).toEqual(
    Array(5).fill(chunkSamples),
  );
});

test('a model that is slow is given one batch at a time: live audio would wait for both', async () => {
  const all = world(0.05);
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) say(all, name);
  await settled();
  expect(all.stepper.running.map(({ rows }) => rows)).toEqual([4]);
});

test('two batches at once have the results that each has alone', async () => {
  const thread = await StepThread.start(model, 8, [4]);
  const fill = (into: StepBuffers, seed: number): void => {
    for (let row = 0; row < 4; row++) {
      into.channels[row] = seed * 4 + row;
      into.fresh[row] = 1;
      for (let i = 0; i < chunkSamples; i++) {
        into.pcm[row * chunkSamples + i] = Math.round(6000 * Math.sin(i * 0.02 * (seed + row + 1)));
      }
    }
  };
  const { buffers, spare } = thread;
  const results = ({ best }: StepBuffers): number[] => [...best.subarray(0, 4 * model.framesPerChunk)];
  fill(buffers, 0);
  await thread.step(4, 4);
  const first = results(buffers);
  fill(buffers, 1);
  await thread.step(4, 4);
  const second = results(buffers);
  expect(second).not.toEqual(first);
  fill(buffers, 0);
  fill(spare, 1);
  await Promise.all([thread.step(4, 4, buffers), thread.step(4, 4, spare)]);
  expect(results(buffers)).toEqual(first);
  expect(results(spare)).toEqual(second);
  await thread.close();
});
