import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiskSpace, type Space } from '../src/spool/disk-space.ts';
import { DiskWatch } from '../src/spool/disk-watch.ts';
import { newCall } from './support/call.ts';
import { FakeTranscripts } from './support/fakes.ts';
import { quietLog } from './support/null-log.ts';
import { audioTicks, sentBytes, useRoom } from './support/room.ts';
import { until } from './support/until.ts';

describe('room on the disk', () => {
  it('is scarce below the reserve, and enough again a fifth above it', async () => {
    let bavail = 100;
    const space = new DiskSpace(() => Promise.resolve({ blocks: 1000, bavail }), quietLog, 0.05);
    const after = async (free: number): Promise<boolean> => {
      bavail = free;
      await space.look();
      return space.scarce;
    };
    expect(await after(50)).toBe(false);
    expect(await after(49)).toBe(true);
    expect(await after(59)).toBe(true);
    expect(await after(60)).toBe(false);
    expect(await after(50)).toBe(false);
    expect(space.freeShare).toBe(0.05);
  });

  it('is as it was when the disk does not say, and is asked once while it hangs', async () => {
    let asked = 0;
    const answers: ((space: Space | Error) => void)[] = [];
    const space = new DiskSpace(
      () => {
        asked++;
        return new Promise((resolve, reject) =>
          answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer))),
        );
      },
      quietLog,
      0.05,
    );
    const first = space.look();
    await space.look();
    expect(asked).toBe(1);
    answers[0]!({ blocks: 100, bavail: 1 });
    await first;
    const second = space.look();
    answers[1]!(new Error('EIO'));
    await second;
    expect(space.scarce).toBe(true);
    expect(asked).toBe(2);
  });
});

describe('whether audio comes into its files', () => {
  const at = (writtenTick: number, lostTick = 0, lostFromTick = 0) => ({
    writtenTick,
    lostTick,
    lostFromTick,
  });
  const S = 1_000_000;

  it('is told when a block is lost, and when none was lost for 10 s and one was written', () => {
    const watch = new DiskWatch(false);
    expect(watch.changed(at(4000), 0)).toBe(false);
    expect(watch.changed(at(8000, 8000, 4000), S)).toBe(true);
    expect([watch.full, watch.sinceTick]).toEqual([true, 4000]);
    watch.told();
    expect(watch.changed(at(12_000, 8000, 4000), 2 * S)).toBe(false);
    // Another one within that time.
    expect(watch.changed(at(16_000, 16_000, 12_000), 9 * S)).toBe(false);
    expect(watch.sinceTick).toBe(4000);
    expect(watch.changed(at(20_000, 16_000, 12_000), 18 * S)).toBe(false);
    // Nothing was written since.
    expect(watch.changed(at(16_000, 16_000, 12_000), 19 * S)).toBe(false);
    expect(watch.changed(at(20_000, 16_000, 12_000), 20 * S)).toBe(true);
    expect(watch.full).toBe(false);
    watch.told();
    expect(watch.changed(at(24_000, 16_000, 12_000), 21 * S)).toBe(false);
  });

  it('is told again where it may be forgotten: what it was told by a predecessor, and what was ever lost', () => {
    const inherited = new DiskWatch(null);
    expect(inherited.changed(at(4000), 0)).toBe(true);
    inherited.told();
    inherited.tellAgain();
    expect(inherited.changed(at(4000), S)).toBe(true);
    inherited.told();
    expect(inherited.changed(at(8000, 8000, 4000), 2 * S)).toBe(true);
    inherited.told();
    inherited.tellAgain();
    expect(inherited.changed(at(8000, 8000, 4000), 3 * S)).toBe(true);
  });
});

describe('a worker on a full disk', () => {
  const room = useRoom();

  it('transcribes a call from memory, and records the next one when there is room again', async () => {
    const call = newCall(1);
    const wal = join(room.host.dataDir, 'spool', 'wal');
    // Every write to it fails with ENOSPC. It must not be read: it has no end.
    const full = '/dev/full';
    mkdirSync(room.folderOf(call), { recursive: true });
    symlinkSync(full, join(room.folderOf(call), '0-000000.spool'));
    const logs = Array.from({ length: 40 }, (_, n) => join(wal, `0-${String(n + 1).padStart(9, '0')}.wal`));
    for (const path of logs) symlinkSync(full, path);
    const [sender] = await room.open(call);
    sender!.start();
    const opening = await room.ready(call.channels[0]!);
    await until(() => audioTicks(opening) > 16_000, 'two seconds heard');
    expect(await room.host.metric('earshot_spool_write_errors_total')).toBeGreaterThan(1);
    sender!.stop();
    const [totals] = await room.close(call);
    expect(totals).toMatchObject({ packetsReceived: sender!.sent, packetsLost: 0 });
    await until(() => opening.endTick === totals!.endTick, 'the end on the engine');
    expect(audioTicks(opening)).toBe(sender!.sent * 160);
    expect(room.host.output.join('').match(/spool cannot be written/g)).toHaveLength(1);
    for (const path of logs) rmSync(path, { force: true });
    const next = newCall(1);
    const [again] = await room.open(next);
    again!.start();
    await until(() => again!.sent >= 60, 'more than a block');
    again!.stop();
    const [nextTotals] = await room.close(next);
    expect(nextTotals!.packetsReceived).toBe(again!.sent);
    expect(room.spooled(next, 0).bytes).toEqual(sentBytes(again!.sent));
    await until(() => readdirSync(wal).some((name) => statSync(join(wal, name)).isFile()), 'a log again');
    expect(room.engine.faults).toEqual([]);
  }, 60_000);

  it('tells of a call whose audio it does not keep, and tells a transcripts that comes later', async () => {
    const call = newCall(2);
    const [channel] = call.channels;
    mkdirSync(room.folderOf(call), { recursive: true });
    symlinkSync('/dev/full', join(room.folderOf(call), '0-000000.spool'));
    for (const sender of await room.open(call)) sender.start();
    const { disk } = room.transcripts;
    await until(() => disk.length > 0, 'somebody told');
    // Another one in its place knows nothing of it.
    await room.transcripts.die();
    room.transcripts = await FakeTranscripts.start(room.host.runDir, room.transcripts);
    room.engine.transcripts = room.transcripts;
    await until(() => room.transcripts.disk.length > 0, 'somebody told again');
    expect(disk).toEqual([{ channel, state: 'full', tick: expect.any(Number) as number }]);
    expect(room.transcripts.disk).toEqual(disk);
    await room.close(call);
  }, 60_000);

  it('does not record calls that begin while it is nearly full, whatever the gateway says later', async () => {
    const before = newCall(1);
    await room.open(before);
    await room.host.kill();
    room.host.env = { DISK_RESERVE: '100' };
    await room.replaceWorker();
    await room.gateway.ask({ type: 'leg.sync', legs: [before.leg] });
    const call = newCall(1);
    const [sender] = await room.open(call);
    for (let n = 0; n < 60; n++) await sender!.next();
    expect(existsSync(join(room.folderOf(call), 'not-recorded'))).toBe(true);
    expect(await room.host.metric('earshot_disk_records_new_calls')).toBe(0);
    expect(await room.host.metric('earshot_disk_free_ratio')).toBeGreaterThan(0);
    const [channel] = call.channels;
    const low = { channel: channel!, state: 'low', tick: 0 };
    const lows = (): number => room.transcripts.disk.filter(({ state }) => state === 'low').length;
    await until(() => lows() > 0, 'somebody told');
    await room.gateway.ask({ type: 'leg.update', leg: call.leg });
    await room.host.kill();
    await room.replaceWorker();
    await room.gateway.ask({ type: 'leg.sync', legs: [before.leg, call.leg] });
    await until(() => lows() > 1, 'told again');
    expect(room.transcripts.disk.filter((told) => told.channel === channel)).toEqual([
      low,
      low,
      { channel, state: 'writable', tick: expect.any(Number) as number },
    ]);
    const [totals] = await room.close(call);
    expect(totals!.packetsReceived).toBe(60);
    await until(() => room.transcripts.settledTick.get(call.channels[0]!) === totals!.endTick, 'all heard');
    await until(() => !existsSync(room.folderOf(call)), 'the folder gone');
    // What was being recorded is.
    await room.close(before);
    await until(() => !existsSync(join(room.folderOf(before), 'leg-0.json')), 'all settled');
    expect(existsSync(room.folderOf(before))).toBe(true);
    const going = (): string[] =>
      readdirSync(join(room.host.dataDir, 'spool')).filter((name) => name.endsWith('.going'));
    await until(() => going().length === 0, 'what was to be deleted is');
  }, 60_000);
});
