/** A shadow over a spool that the test writes, with a call log in a real PostgreSQL. */
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BLOCK_TICKS,
  type CallId,
  encodeBlock,
  linearToUlaw,
  newCallId,
  spoolFileName,
} from '@earshot/contracts';
import { createLog, createPool, createRegistry, migrate, type Pool } from '@earshot/platform';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { stopServers, type TestDatabase, withPostgres } from '../../../host/test/postgres.ts';
import { SHIPPED_FOLDER } from '../../src/catalogue/store.ts';
import type { ShadowLine } from '../../src/shadow/report.ts';
import { Shadow } from '../../src/shadow/shadow.ts';
import { temporaryFolder } from '../catalogue/web.ts';
import { ALL_SPEECH, blockAt } from './blocks.ts';

const log = createLog('test', 'silent');
const LIMIT = { timeout: 60_000, interval: 100 };

let database: TestDatabase;
let pool: Pool;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let shadow: Shadow;
let calls = 0;

beforeAll(async () => {
  database = await withPostgres();
  await migrate(database.url, log);
  pool = createPool(database.url, log, 2);
}, 60_000);
afterAll(async () => {
  await pool.end();
  await database.stop();
  await stopServers();
});
beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder.path, 'spool'), { recursive: true });
});
afterEach(async () => {
  await shadow.stop();
  await folder.remove();
});

const start = async (maxChannels = 4): Promise<void> => {
  shadow = await Shadow.start({
    modelFolder: SHIPPED_FOLDER,
    dataDir: folder.path,
    pool,
    registry: createRegistry('shadow'),
    log,
    onFailure: (error) => {
      throw error;
    },
    maxChannels,
  });
};

const newCall = (): CallId => newCallId(1_700_000_000_000 + ++calls, new Uint8Array(10).fill(calls));
const spoolOf = (callId: CallId): string => join(folder.path, 'spool', callId);

/** Two seconds of something loud on a channel of the call. */
async function speakOn(callId: CallId, index: number): Promise<number> {
  await mkdir(spoolOf(callId), { recursive: true });
  const blocks = 4;
  for (let n = 0; n < blocks; n++) {
    const startTick = n * BLOCK_TICKS;
    const payload = Uint8Array.from({ length: BLOCK_TICKS }, (_, i) =>
      linearToUlaw(Math.round(8000 * Math.sin((startTick + i) / 5) * Math.sin((startTick + i) / 700))),
    );
    const block = encodeBlock(blockAt(startTick, BLOCK_TICKS, ALL_SPEECH, { channelIndex: index, payload }));
    await appendFile(join(spoolOf(callId), spoolFileName(index, startTick)), block);
  }
  return blocks * BLOCK_TICKS;
}

/** The serving model finished with the call and said this on its channels. */
async function complete(callId: CallId, endTick: number, spoken: readonly string[]): Promise<void> {
  await pool.query(
    `insert into calls (id, started_at, ended_at, dialect, sip, external_ids, channels, worker, complete)
     values ($1, now(), now(), 'plain', '{}', '{}', '[]', 0, true)`,
    [callId],
  );
  for (const [index, text] of spoken.entries()) {
    const channel = `${callId}:${index}`;
    await pool.query('insert into channels (channel, call_id, idx, end_tick) values ($1, $2, $3, $4)', [
      channel,
      callId,
      index,
      endTick,
    ]);
    if (text === '') continue;
    await pool.query(
      `insert into segments (id, call_id, channel, idx, from_tick, to_tick, start_tick, end_tick, role, text, spoken, words)
       values ($1, $2, $3, $4, 0, $5, 0, $5, 'agent', $6, $6, '[]')`,
      [`${channel}@0`, callId, channel, index, endTick, text],
    );
  }
}

async function lines(): Promise<ShadowLine[]> {
  const path = join(folder.path, 'shadow', `${shadow.modelName}.jsonl`);
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as ShadowLine]));
}

const ended = (count: number): Promise<void> => expect.poll(lines, LIMIT).toHaveLength(count);

test('a call that is over is compared, though its spool was removed meanwhile', async () => {
  await start();
  const call = newCall();
  const end = await speakOn(call, 0);
  await expect.poll(() => shadow.channelCount, LIMIT).toBe(1);
  await rm(spoolOf(call), { recursive: true });
  await complete(call, end, ['four words were said']);
  await ended(1);
  const [line] = await lines();
  expect(line).toMatchObject({ callId: call, outcome: 'compared', words: 4, audioSeconds: 2 });
  expect(line!.differences).toBeGreaterThanOrEqual(Math.abs(line!.words - line!.shadowWords));
  expect(JSON.stringify(line)).not.toContain('said');
  expect(shadow.channelCount).toBe(0);
});

test('calls from before it began are left alone, and calls beyond its room are counted', async () => {
  const old = newCall();
  await speakOn(old, 0);
  await start(2);
  const heard = newCall();
  const end = await speakOn(heard, 0);
  await speakOn(heard, 1);
  await expect.poll(() => shadow.channelCount, LIMIT).toBe(2);
  const skipped = newCall();
  await speakOn(skipped, 0);
  await ended(1);
  expect(await lines()).toMatchObject([{ callId: skipped, outcome: 'skipped' }]);
  await complete(old, end, ['old']);
  await complete(skipped, end, ['skipped']);
  await complete(heard, end, ['', '']);
  await ended(2);
  expect(await lines()).toMatchObject([
    { callId: skipped },
    { callId: heard, outcome: 'compared', words: 0 },
  ]);
});

test('a call with more channels than there is room for is given up, and its room is free again', async () => {
  await start(2);
  const large = newCall();
  for (const index of [0, 1, 2]) await speakOn(large, index);
  await ended(1);
  expect(await lines()).toMatchObject([{ callId: large, outcome: 'failed' }]);
  expect(shadow.channelCount).toBe(0);
  const next = newCall();
  const end = await speakOn(next, 0);
  await complete(next, end, ['']);
  await ended(2);
  expect((await lines())[1]).toMatchObject({ callId: next, outcome: 'compared' });
});

test('a call whose audio was gone before it was seen is not compared', async () => {
  await start();
  const call = newCall();
  await mkdir(spoolOf(call));
  await writeFile(join(spoolOf(call), 'leg-0.json'), '{}');
  await complete(call, 16_000, ['words']);
  await ended(1);
  expect(await lines()).toMatchObject([{ callId: call, outcome: 'failed', reason: 'its audio was gone' }]);
});
