import { expect, test } from 'vitest';
import { StepThread } from '../../src/engine/step-thread.ts';
import { describeModel } from '../../src/models/folder.ts';
import { SHIPPED_MODEL } from '../support/rig.ts';

test('a row goes on from its own state, and one that begins anew from none', async () => {
  const thread = await StepThread.start(describeModel(SHIPPED_MODEL), 8, [1, 4]);
  const { buffers } = thread;
  const chunk = (seed: number): Int16Array =>
    Int16Array.from({ length: 2400 }, (_, i) =>
      Math.round(6000 * Math.sin(i * 0.02 * seed) * Math.sin(i * 0.11)),
    );
  /** Steps rows of the batch: each its channel, chunk and whether it begins. @returns the log-probabilities by row */
  const step = async (
    rows: readonly (readonly [channel: number, chunk: number, fresh: boolean])[],
  ): Promise<string[]> => {
    rows.forEach(([channel, seed, fresh], row) => {
      buffers.channels[row] = channel;
      buffers.fresh[row] = fresh ? 1 : 0;
      buffers.pcm.set(chunk(seed), row * 2400);
    });
    await thread.step(rows.length, rows.length === 1 ? 1 : 4);
    return rows.map((_, row) =>
      [...buffers.best.subarray(row * 5, row * 5 + 5)].map((p) => p.toFixed(3)).join(' '),
    );
  };
  const [firstAlone] = await step([[0, 1, true]]);
  const [secondAlone] = await step([[0, 2, false]]);
  // The same two chunks on channel 5, in other rows of larger batches, among others.
  expect(
    (
      await step([
        [1, 3, true],
        [5, 1, true],
        [2, 4, true],
      ])
    )[1],
  ).toBe(firstAlone);
  expect(
    (
      await step([
        [2, 4, false],
        [1, 3, false],
        [7, 1, true],
        [5, 2, false],
      ])
    )[3],
  ).toBe(secondAlone);
  expect((await step([[5, 1, true]]))[0]).toBe(firstAlone);
  expect(secondAlone).not.toBe((await step([[3, 2, true]]))[0]);
  await thread.close();
});

test('a step that fails makes the thread useless, and says why', async () => {
  const thread = await StepThread.start(describeModel(SHIPPED_MODEL), 4, [1]);
  await expect(thread.step(1, 3)).rejects.toThrow('no batch of 3');
  await expect(thread.step(1, 1)).rejects.toThrow('no batch of 3');
  await thread.close();
});
