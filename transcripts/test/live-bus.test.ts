import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CallId, channelIdOf, sockets, type ToLive } from '@earshot/contracts';
import { Connection } from '@earshot/platform';
import { segmentViewOf } from '../src/assemble/segment.ts';
import { LiveBus } from '../src/server/live-bus.ts';
import { until, wordsFrom } from './harness.ts';

const CALL = '01890000-0000-7000-8000-000000000000' as CallId;
let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'eb-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const partialOf = (index: number, rev: number): Extract<ToLive, { type: 'partial' }> => ({
  type: 'partial',
  callId: CALL,
  attempt: 1,
  rev,
  segment: segmentViewOf(channelIdOf(CALL, index), 'agent', 0, wordsFrom(0, 'x'.repeat(1000))),
  arrivalUs: 0,
});

test('a reader that does not keep up gets the newest partial of each channel, not all of them', async () => {
  const received: ToLive[] = [];
  const path = join(folder, sockets.live(0));
  let reader: net.Socket | null = null;
  const server = net.createServer((socket) => {
    reader = socket;
    new Connection<ToLive, never>(socket, {
      message: (message) => void received.push(message),
      close: () => undefined,
    });
    socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  let sent = 0;
  const bus = new LiveBus(path, () => sent++);
  await until('the reader is there', () => reader);
  bus.logged(1);
  const revs = 3000;
  for (let rev = 1; rev <= revs; rev++) {
    for (const index of [0, 1]) bus.partial(channelIdOf(CALL, index), partialOf(index, rev));
    if (rev % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  bus.logged(2);
  expect(sent).toBeLessThan(revs);
  reader!.resume();
  const newest = (index: number) =>
    received.findLast((message) => message.type === 'partial' && message.segment.channel === index);
  await until('the newest of both', () =>
    [0, 1].every((index) => {
      const message = newest(index);
      return message?.type === 'partial' && message.rev === revs;
    }),
  );
  await until('the wake-up', () =>
    received.some((message) => message.type === 'logged' && message.seq === 2),
  );
  for (const index of [0, 1]) {
    const got = received.flatMap((message) =>
      message.type === 'partial' && message.segment.channel === index ? [message.rev] : [],
    );
    expect(got).toEqual(got.toSorted((a, b) => a - b));
    expect(got.length).toBeLessThan(revs);
  }
  bus.close();
  server.close();
});

test('a reader that comes back hears at once how far the log is', async () => {
  const path = join(folder, sockets.live(0));
  const bus = new LiveBus(path, () => undefined);
  bus.logged(41);
  const received: ToLive[] = [];
  const server = net.createServer((socket) => {
    new Connection<ToLive, never>(socket, {
      message: (message) => void received.push(message),
      close: () => undefined,
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await until('the wake-up', () => received.length > 0);
  expect(received).toEqual([{ type: 'logged', seq: 41 }]);
  bus.close();
  server.close();
});
