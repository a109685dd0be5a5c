import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Channel } from '../src/leg/channel.ts';
import { BlockWriter } from '../src/spool/block-writer.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { lastBlockOf } from '../src/spool/last-block.ts';
import { Wal } from '../src/spool/wal.ts';
import { newCall } from './support/call.ts';
import { quietLog } from './support/null-log.ts';
import { markedPayload, rtpBytes } from './support/rtp.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a channel that was taken over is as good as it was, and not as if it began then', async () => {
  const { leg } = newCall(1);
  const health = new DiskHealth(quietLog);
  for (const name of ['wal', 'call']) mkdirSync(join(folder, name));
  const newChannel = (): { channel: Channel; wal: Wal } => {
    const wal = new Wal(
      join(folder, 'wal'),
      0,
      1,
      health,
      () => performance.now() * 1000,
      () => Infinity,
    );
    const writer = new BlockWriter(join(folder, 'call'), 0, health);
    return { channel: new Channel(leg.channels[0]!, leg.zero, writer, wal, leg.zero.monoUs), wal };
  };
  let n = 0;
  /** Each tenth packet is lost together with the next, and each 25th comes 30 ms late. */
  const send = (channel: Channel, count: number): void => {
    for (let i = 0; i < count; i++) {
      const at = n++;
      if (at % 10 === 4 || at % 10 === 5) continue;
      const us = leg.zero.monoUs + (at + 1) * 20_000 + (at % 25 === 0 ? 30_000 : 0);
      const payload = markedPayload(at);
      channel.receive(rtpBytes({ sequence: at, timestamp: at * 160, payload }), '127.0.0.1', 4000, us);
    }
  };
  const first = newChannel();
  send(first.channel, 1000);
  first.channel.finish(leg.zero.monoUs + n * 20_000, 0);
  const before = first.channel.totals();
  expect(before.levels).toMatchObject({ peakDbov: expect.any(Number) as number });
  await first.channel.writer.close();
  first.wal.close();

  const second = newChannel();
  second.channel.restore(lastBlockOf(join(folder, 'call'), 0)!, 4711);
  const after = second.channel.totals();
  expect(after.packetsLost).toBe(before.packetsLost);
  expect(after.packetsLost).toBe(200);
  expect(after.quality!.lossRatio).toBeCloseTo(before.quality!.lossRatio, 2);
  expect(after.quality!.maxJitterMs).toBeCloseTo(before.quality!.maxJitterMs, 0);
  expect(after.quality!.maxJitterMs).toBeGreaterThan(2);
  // It has to do with how the losses came together, too.
  expect(after.quality!.mos).toBeCloseTo(before.quality!.mos, 1);
  expect(second.channel.rtcp.bursts.burstRatio).toBeCloseTo(first.channel.rtcp.bursts.burstRatio, 1);
  // How loud its beginning was is not in its files.
  expect(after.levels).toBeNull();
  send(second.channel, 100);
  expect(second.channel.totals().quality!.lossRatio).toBeCloseTo(before.quality!.lossRatio, 2);
  second.wal.close();
});
