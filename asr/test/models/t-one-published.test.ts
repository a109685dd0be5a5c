import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { halfToFloat } from '../../src/models/half.ts';
import { tOneFolder } from '../support/generated/models.ts';
import { ModelRun } from '../support/run-model.ts';
import { Random } from '../support/random.ts';

test('every half is the number that the standard says', () => {
  fc.assert(
    fc.property(fc.uint16Array({ minLength: 1, maxLength: 50 }), (bits) => {
      const floats = new Float32Array(bits.length);
      halfToFloat(bits, floats, bits.length);
      const view = new DataView(bits.buffer, bits.byteOffset, bits.byteLength);
      bits.forEach((_, i) => expect(floats[i]).toBe(view.getFloat16(2 * i, true)));
    }),
  );
});

test('the published T-one, which has no model.json and gives halves, is taken as it is', async () => {
  const root = mkdtempSync(join(tmpdir(), 'es-t-one-'));
  try {
    const random = new Random(9);
    const pcm = Int16Array.from({ length: 24_000 }, () => random.normal(3000));
    const [halves, floats] = [join(root, 'halves'), join(root, 'floats')];
    tOneFolder(halves, 31, true);
    tOneFolder(floats, 31);
    const run = await ModelRun.load(halves, 2, [1]);
    expect(run.description).toMatchObject({
      name: 'halves',
      format: 't-one',
      framesPerChunk: 10,
      blank: 34,
      clearAtGap: true,
      timing: { chunkSamples: 2400, frameSamples: 240, frameDelaySamples: 330 * 8 },
    });
    const own = await run.alone(1, pcm);
    expect(own.length).toBeGreaterThan(10);
    expect(own).toEqual(await (await ModelRun.load(floats, 2, [1])).alone(0, pcm));
  } finally {
    rmSync(root, { recursive: true });
  }
});
