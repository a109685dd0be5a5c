import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PinFile } from '../../src/catalogue/pins.ts';
import { temporaryFolder } from './web.ts';

const URL_A = 'https://models.example/a.tar.bz2';
const ONE = { sha256: '1'.repeat(64), bytes: 10 };
const TWO = { sha256: '2'.repeat(64), bytes: 20 };
const NOW = new Date('2026-11-22T12:00:00Z');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let pins: PinFile;
beforeEach(async () => {
  folder = await temporaryFolder();
  pins = new PinFile(join(folder.path, 'models', 'pins.json'));
});
afterEach(() => folder.remove());

test('the first download of an address is pinned, and the same again is the same', async () => {
  expect(await pins.check(URL_A, ONE, null, false, NOW)).toBe('pinned');
  expect(await pins.check(URL_A, ONE, null, false, NOW)).toBe('same');
  expect(await pins.of(URL_A)).toEqual({ ...ONE, pinnedAt: NOW.toISOString() });
});

test('other bytes at the same address are refused with both checksums, until they are accepted', async () => {
  await pins.check(URL_A, ONE, null, false, NOW);
  await expect(pins.check(URL_A, TWO, null, false, NOW)).rejects.toMatchObject({
    code: 'MODEL_CHANGED',
    message: expect.stringMatching(/2{64}.*1{64} on 2026-11-22/) as string,
  });
  expect(await pins.check(URL_A, TWO, null, true, NOW)).toBe('pinned');
  await expect(pins.check(URL_A, ONE, null, false, NOW)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
});

test('a checksum that the catalogue publishes holds at the first download', async () => {
  await expect(pins.check(URL_A, TWO, ONE.sha256, false, NOW)).rejects.toMatchObject({
    code: 'MODEL_CHANGED',
  });
  expect(await pins.check(URL_A, ONE, ONE.sha256, false, NOW)).toBe('same');
});

test('addresses do not know of each other', async () => {
  await pins.check(URL_A, ONE, null, false, NOW);
  expect(await pins.check('https://models.example/b.tar.bz2', TWO, null, false, NOW)).toBe('pinned');
});

test('a damaged file of pins lets nothing through', async () => {
  const path = join(folder.path, 'pins.json');
  await writeFile(path, '{"https');
  await expect(new PinFile(path).check(URL_A, ONE, null, true, NOW)).rejects.toMatchObject({
    code: 'MODEL_CHANGED',
  });
});
