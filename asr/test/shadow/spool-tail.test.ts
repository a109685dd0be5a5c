import { appendFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeBlock, type SpoolBlock, spoolFileName, TICKS_PER_FILE } from '@earshot/contracts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SpoolTail, spoolNameOf } from '../../src/shadow/spool-tail.ts';
import { temporaryFolder } from '../catalogue/web.ts';
import { blockAt } from './blocks.ts';

const FIRST = spoolFileName(0, 0);
const SECOND = spoolFileName(0, TICKS_PER_FILE);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let tail: SpoolTail;
beforeEach(async () => {
  folder = await temporaryFolder();
  tail = new SpoolTail(folder.path);
});
afterEach(async () => {
  await tail.close();
  await folder.remove();
});

const path = (name: string): string => join(folder.path, name);
const ticks = (blocks: readonly SpoolBlock[]): number[] => blocks.map(({ startTick }) => startTick);
const bytes = (...starts: number[]): Buffer =>
  Buffer.concat(starts.map((start) => encodeBlock(blockAt(start, 4000, start & 0xff))));
const found = (name: string): Promise<void> => tail.found(name, spoolNameOf(name)!.number);

test('blocks are read once each as the file grows, a half-written one when it is whole', async () => {
  await writeFile(path(FIRST), bytes(0, 4000));
  await found(FIRST);
  expect(ticks(await tail.read())).toEqual([0, 4000]);
  expect(await tail.read()).toEqual([]);
  const next = bytes(8000);
  await appendFile(path(FIRST), next.subarray(0, 1000));
  expect(await tail.read()).toEqual([]);
  await appendFile(path(FIRST), next.subarray(1000));
  const [block] = await tail.read();
  expect(block).toMatchObject({ startTick: 8000, ticks: 4000, vad: 8000 & 0xff });
  expect(block!.payload).toEqual(blockAt(8000, 4000, 0).payload);
});

test('the next file follows when the one before is read to its end', async () => {
  await writeFile(path(FIRST), bytes(0));
  await writeFile(path(SECOND), bytes(TICKS_PER_FILE));
  await found(FIRST);
  await found(SECOND);
  expect(ticks(await tail.read())).toEqual([0]);
  expect(ticks(await tail.read())).toEqual([TICKS_PER_FILE]);
});

test('files that were removed after a call are read to their end all the same', async () => {
  await writeFile(path(FIRST), bytes(0));
  await found(FIRST);
  expect(ticks(await tail.read())).toEqual([0]);
  await appendFile(path(FIRST), bytes(4000, 8000));
  await rm(path(FIRST));
  expect(ticks(await tail.read())).toEqual([4000, 8000]);
});

test('the half block that a killed writer left is gone over, when its successor cut it off and went on', async () => {
  await writeFile(path(FIRST), Buffer.concat([bytes(0), bytes(4000).subarray(0, 77)]));
  await found(FIRST);
  expect(ticks(await tail.read())).toEqual([0]);
  await truncate(path(FIRST), bytes(0).length);
  await appendFile(path(FIRST), bytes(4000, 8000));
  expect(ticks(await tail.read())).toEqual([4000, 8000]);
  expect(tail.damaged).toBe(0);
});

test('a damaged block is left out and counted, those after it are read', async () => {
  const all = bytes(0, 4000, 8000);
  all[bytes(0).length + 500]! ^= 0xff;
  await writeFile(path(FIRST), all);
  await found(FIRST);
  expect(ticks(await tail.read())).toEqual([0, 8000]);
  expect(tail.damaged).toBe(1);
});

test('a file that is gone before it was opened is no error', async () => {
  await found(FIRST);
  expect(await tail.read()).toEqual([]);
});

test('names of other files are not taken for spool files', () => {
  expect(spoolNameOf('leg-0.json')).toBeNull();
  expect(spoolNameOf('0-000001.spool.tmp')).toBeNull();
  expect(spoolNameOf('12-000345.spool')).toEqual({ index: 12, number: 345 });
});
