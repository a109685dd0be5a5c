/** A call's spool in real files, and a recogniser that is as fast as the test lets it be. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BLOCK_TICKS,
  type Encoding,
  encodeBlock,
  newCallId,
  spoolFileName,
  TICKS_PER_FILE,
  TICKS_PER_SECOND,
} from '@earshot/contracts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Step } from '../../src/shadow/block-feed.ts';
import { type CallRecogniser, FollowedCall } from '../../src/shadow/followed-call.ts';
import type { ShadowChannelEvents } from '../../src/shadow/recogniser.ts';
import { temporaryFolder } from '../catalogue/web.ts';
import { ALL_SPEECH, blockAt } from './blocks.ts';

const TEN_MINUTES = 600;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let call: FollowedCall;
let steps: Step[] = [];
let ends: number[] = [];
let channel: ShadowChannelEvents | null = null;

const recogniser: CallRecogniser = {
  open: (_id, events) => (channel = events),
  send: (_id, step) => steps.push(step),
  end: (_id, tick) => {
    ends.push(tick);
    channel!.ended();
  },
  close: () => undefined,
};

beforeEach(async () => {
  folder = await temporaryFolder();
  steps = [];
  ends = [];
  channel = null;
  call = new FollowedCall(
    newCallId(1_700_000_000_000, new Uint8Array(10)),
    folder.path,
    recogniser,
    () => true,
  );
});
afterEach(async () => {
  await call.close();
  await folder.remove();
});

async function speak(fromSecond: number, toSecond: number, encoding: Encoding = 'PCMU'): Promise<void> {
  for (let tick = fromSecond * TICKS_PER_SECOND; tick < toSecond * TICKS_PER_SECOND; tick += BLOCK_TICKS) {
    const file = spoolFileName(0, Math.floor(tick / TICKS_PER_FILE) * TICKS_PER_FILE);
    await appendFile(
      join(folder.path, file),
      encodeBlock(blockAt(tick, BLOCK_TICKS, ALL_SPEECH, { encoding })),
    );
  }
}

/** The recogniser is done up to there and takes ten seconds more. */
function recognised(second: number): Promise<void> {
  channel!.credit((second + 10) * TICKS_PER_SECOND, second * TICKS_PER_SECOND);
  return new Promise((resolve) => setImmediate(resolve));
}

const audioSeconds = (): number =>
  steps.reduce((sum, { kind, from, to }) => sum + (kind === 'audio' ? to - from : 0), 0) / TICKS_PER_SECOND;

test.each<Encoding>(['PCMU', 'L16'])(
  '%s that a slow recogniser has no room for stays in the files, and counts as lag',
  async (encoding) => {
    await speak(0, 250, encoding);
    for (let i = 0; i < 20; i++) await call.read();
    await recognised(0);
    expect(call.heardSeconds).toBeGreaterThanOrEqual(120);
    expect(call.heardSeconds).toBeLessThan(180);
    expect(call.lagSeconds).toBeGreaterThan(245);
    expect(call.lagSeconds).toBeLessThan(260);
    expect(call.failure).toBe(null);
  },
);

test('a call is given up when the recogniser is five minutes behind', async () => {
  await speak(0, 290);
  await call.read();
  expect(call.failure).toBe(null);
  await speak(290, 310);
  await call.read();
  expect(call.failure).toBe('slower than the calls');
});

test('a call that was complete long before it was recognised is still heard to its end, in order', async () => {
  await speak(0, 250);
  await call.read();
  call.finish([{ index: 0, endTick: 251 * TICKS_PER_SECOND }]);
  for (let second = 0; second < 250; second += 10) {
    await call.read();
    await recognised(second);
    expect(ends).toEqual([]);
  }
  await recognised(250);
  expect(call.finished).toBe(true);
  expect(ends).toEqual([251 * TICKS_PER_SECOND]);
  expect(audioSeconds()).toBe(250);
  expect(steps.map(({ from }) => from).slice(1)).toEqual(steps.map(({ to }) => to).slice(0, -1));
  expect(call.failure).toBe(null);
});

test('a hold of ten minutes is not lag: there is nothing in it to recognise', async () => {
  await speak(0, 1);
  await call.read();
  await recognised(1);
  await speak(TEN_MINUTES, TEN_MINUTES + 1);
  await call.read();
  expect(call.heardSeconds).toBe(TEN_MINUTES + 1);
  expect(call.maxLagSeconds).toBeLessThan(20);
  expect(call.failure).toBe(null);
});
