import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { wordDifferences } from '../../src/shadow/compare.ts';
import { type ShadowLine, shadowSummary, writeShadowLine } from '../../src/shadow/report.ts';
import { temporaryFolder } from '../catalogue/web.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const line = (change: Partial<ShadowLine>): ShadowLine => ({
  at: '2026-11-22T12:00:00.000Z',
  callId: 'c',
  model: 'new',
  serving: 'old',
  outcome: 'compared',
  words: 100,
  shadowWords: 98,
  differences: 5,
  audioSeconds: 60,
  maxLagSeconds: 1,
  speed: 80,
  ...change,
});

test('lines become one summary for each pair of models, whatever else lies in the folder', async () => {
  expect(await shadowSummary(folder.path)).toEqual([]);
  await writeShadowLine(folder.path, line({}));
  await writeShadowLine(folder.path, line({ words: 300, differences: 1, maxLagSeconds: 4, speed: 90 }));
  await writeShadowLine(folder.path, line({ outcome: 'skipped', words: 0, differences: 0, speed: 1 }));
  await writeShadowLine(folder.path, line({ outcome: 'failed', words: 0, differences: 0 }));
  await writeShadowLine(folder.path, line({ serving: 'older', at: '2026-11-23T00:00:00.000Z' }));
  // A line that was cut when the shadow was killed.
  await appendFile(join(folder.path, 'shadow', 'new.jsonl'), '{"at":"2026');
  await writeFile(join(folder.path, 'shadow', 'note.txt'), 'x');
  const [later, earlier] = await shadowSummary(folder.path);
  expect(later).toMatchObject({ serving: 'older', calls: 1, differenceRate: 0.05 });
  expect(earlier).toMatchObject({
    calls: 2,
    skipped: 1,
    failed: 1,
    words: 400,
    differences: 6,
    differenceRate: 0.015,
  });
  expect(earlier).toMatchObject({ maxLagSeconds: 4, speed: 90 });
});

test('a model with an odd name has a file in the folder all the same', async () => {
  await mkdir(join(folder.path, 'shadow'));
  await writeShadowLine(folder.path, line({ model: '../../etc/passwd' }));
  expect(await shadowSummary(folder.path)).toMatchObject([{ model: '../../etc/passwd', calls: 1 }]);
});

/** The textbook recursion, for short sequences. */
function slowDifferences(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return a.length + b.length;
  const [x, ...restA] = a;
  const [y, ...restB] = b;
  if (x === y) return slowDifferences(restA, restB);
  return 1 + Math.min(slowDifferences(restA, restB), slowDifferences(restA, b), slowDifferences(a, restB));
}

const words = (maxLength: number): fc.Arbitrary<string[]> =>
  fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength });

test('differences are the Levenshtein distance', () => {
  fc.assert(
    fc.property(words(7), words(7), (a, b) => {
      expect(wordDifferences(a, b)).toBe(slowDifferences(a, b));
    }),
  );
});

test('a narrow band never says fewer than there are, and the same where they are few', () => {
  fc.assert(
    fc.property(words(40), words(40), fc.integer({ min: 1, max: 10 }), (a, b, band) => {
      const exact = wordDifferences(a, b);
      const wide = band + Math.abs(a.length - b.length);
      const bound = wordDifferences(a, b, wide);
      expect(bound).toBeGreaterThanOrEqual(exact);
      if (exact <= band) expect(bound).toBe(exact);
    }),
  );
});
