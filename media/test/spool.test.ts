import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_TICKS,
  type ChannelId,
  encodeBlock,
  type SpoolBlock,
  TICKS_PER_FILE,
} from '@earshot/contracts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseBlocks, readWindow } from '../src/spool/block-reader.ts';
import { BlockWriter } from '../src/spool/block-writer.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { lastBlockOf } from '../src/spool/last-block.ts';
import { type LegRecord, parseLegRecord, readLegFiles, writeLegFile } from '../src/spool/leg-file.ts';
import { readWal, type WalRecord } from './support/wal.ts';
import { Wal, type WalChannel, walFileName } from '../src/spool/wal.ts';
import { SpoolRoom } from '../src/worker/spool-room.ts';
import { newCall } from './support/call.ts';
import { quietLog } from './support/null-log.ts';
import { until } from './support/until.ts';

let folder: string;
let health: DiskHealth;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
  health = new DiskHealth(quietLog);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const blockAt = (startTick: number, ticks = BLOCK_TICKS, seed = startTick): SpoolBlock => ({
  encoding: 'PCMU',
  channelIndex: 0,
  startTick,
  ticks,
  ssrc: 7,
  extendedSequence: Math.floor(startTick / 160),
  rtpTimestampAtEnd: startTick + ticks,
  srtpRollover: 0,
  packetsReceived: 1,
  packetsLost: 2,
  packetsLate: 3,
  vad: 0x1ffffff,
  payload: Uint8Array.from({ length: ticks }, (_, i) => (i * 31 + seed) & 0xff),
});

const startsOf = (bytes: Buffer): number[] => parseBlocks(bytes).blocks.map(({ block }) => block.startTick);

describe('spool blocks', () => {
  it('a file cut at any byte gives every block that is whole before the cut', () => {
    const blocks = [blockAt(0, 300), blockAt(300, 7), blockAt(1000, 200)].map(encodeBlock);
    const bytes = Buffer.concat(blocks);
    const ends = blocks.map((_, i) => blocks.slice(0, i + 1).reduce((sum, each) => sum + each.length, 0));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const whole = ends.filter((end) => end <= cut).length;
      expect(startsOf(bytes.subarray(0, cut))).toEqual([0, 300, 1000].slice(0, whole));
    }
  });

  it('a file with any one byte damaged gives every other block', () => {
    const bytes = Buffer.concat([blockAt(0, 100), blockAt(100, 100), blockAt(200, 100)].map(encodeBlock));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = damaged[at]! ^ flip;
        const hit = Math.floor(at / (bytes.length / 3));
        expect(startsOf(damaged)).toEqual([0, 100, 200].filter((_, i) => i !== hit));
        expect(parseBlocks(damaged).damaged).toBe(1);
      }),
    );
  });

  it('writes blocks in order into files of ten minutes, and finds the last one again', async () => {
    const writer = new BlockWriter(folder, 0, health);
    const starts = [0, 4000, TICKS_PER_FILE - 4000, TICKS_PER_FILE, TICKS_PER_FILE + 4000];
    for (const start of starts)
      writer.write(start, start + BLOCK_TICKS, start + 5, encodeBlock(blockAt(start)));
    await writer.flushed();
    expect(writer.writtenTick).toBe(TICKS_PER_FILE + 8000);
    expect(writer.coveredUs).toBe(TICKS_PER_FILE + 4005);
    await writer.close();
    expect(readdirSync(folder).sort()).toEqual(['0-000000.spool', '0-000001.spool']);
    const last = lastBlockOf(folder, 0)!;
    expect(last.block.startTick).toBe(TICKS_PER_FILE + 4000);
    expect(last.damagedBytes).toBe(0);
    const recent = last.recent();
    expect(recent.whole).toBe(false);
    expect(recent.blocks.map((block) => block.startTick)).toEqual([TICKS_PER_FILE, TICKS_PER_FILE + 4000]);
    expect(lastBlockOf(folder, 1)).toBeNull();
  });

  it('goes on after the last good block, over the torn one that a dead writer left', async () => {
    const good = [0, 4000].map((start) => encodeBlock(blockAt(start)));
    writeFileSync(
      join(folder, '0-000000.spool'),
      Buffer.concat([...good, encodeBlock(blockAt(8000)).subarray(0, 999)]),
    );
    const last = lastBlockOf(folder, 0)!;
    expect(last.damagedBytes).toBe(999);
    expect(last.recent()).toMatchObject({ whole: true, blocks: [{ startTick: 0 }, { startTick: 4000 }] });
    const writer = new BlockWriter(folder, 0, health);
    writer.restore(last, 8000);
    writer.write(8000, 12_000, 0, encodeBlock(blockAt(8000)));
    await writer.close();
    const parsed = parseBlocks(readFileSync(join(folder, '0-000000.spool')));
    expect(parsed.damaged).toBe(0);
    expect(parsed.blocks.map(({ block }) => block.startTick)).toEqual([0, 4000, 8000]);
  });

  it('counts errors of the disk and goes on; later blocks are written when it works again', async () => {
    const missing = join(folder, 'call');
    const writer = new BlockWriter(missing, 0, health);
    writer.write(0, 4000, 1, encodeBlock(blockAt(0)));
    await writer.flushed();
    expect(health.errors).toBe(1);
    mkdirSync(missing);
    writer.write(4000, 8000, 2, encodeBlock(blockAt(4000)));
    await writer.close();
    expect(lastBlockOf(missing, 0)!.block.startTick).toBe(4000);
    expect(health.errors).toBe(1);
  });

  it('reads any stretch of a long file, window after window, without a hole', async () => {
    const count = 400;
    const writer = new BlockWriter(folder, 0, health);
    for (let n = 0; n < count; n++) {
      if (n % 100 === 0) await writer.flushed();
      writer.write(n * 4000, n * 4000 + 4000, 0, encodeBlock(blockAt(n * 4000, 4000, n)));
    }
    await writer.close();
    for (const from of [0, 1, 5000, 123_456, count * 4000 - 1]) {
      let at = from;
      let windows = 0;
      while (at < count * 4000) {
        const { window, damaged } = await readWindow(folder, 0, at, count * 4000);
        expect(damaged).toBe(0);
        expect(window.endTick).toBeGreaterThan(at);
        for (; at < window.endTick; at += 4000 - (at % 4000)) {
          const block = window.blockFrom(at)!;
          expect(block.startTick).toBe(Math.floor(at / 4000) * 4000);
          expect(block.payload[at % 4000]).toBe(((at % 4000) * 31 + block.startTick / 4000) & 0xff);
        }
        at = window.endTick;
        windows++;
      }
      expect(windows).toBeLessThan(12);
    }
  });
});

describe('write-ahead log', () => {
  const channel = (id: string): WalChannel => ({ id: id as ChannelId, file: null, number: 0 });

  function write(count: number, covered: (id: ChannelId) => number = () => -1): { wal: Wal; sent: Buffer[] } {
    // By this clock no write takes long, which would hand the next ones to the thread pool.
    const wal = new Wal(folder, 0, 1, health, () => 0, covered);
    const [a, b] = [channel('call:0'), channel('call:1')];
    const sent = Array.from({ length: count }, (_, n) => Buffer.from(`datagram ${n} `.repeat(n % 20)));
    sent.forEach((datagram, n) => wal.packet(n % 2 ? a : b, n, n * 160, '192.0.2.1', 5000 + n, datagram));
    wal.clock(a, 99, 4321);
    return { wal, sent };
  }

  const read = (bytes: Buffer): { records: WalRecord[]; whole: boolean } => {
    const records: WalRecord[] = [];
    return { whole: readWal(bytes, (record) => records.push(record)).kind === 'whole', records };
  };

  it('gives back every packet, in order, with its source, arrival and the end of the timeline', () => {
    const { wal, sent } = write(50);
    wal.close();
    const { records, whole } = read(readFileSync(join(folder, '0-000000001.wal')));
    expect(whole).toBe(true);
    expect(records.length).toBe(51);
    sent.forEach((datagram, n) => {
      const channelName = n % 2 ? 'call:0' : 'call:1';
      const expected = {
        kind: 'packet',
        channel: channelName,
        arrivalUs: n,
        endTick: n * 160,
        port: 5000 + n,
      };
      expect(records[n]).toMatchObject(expected);
      const record = records[n]!;
      expect(
        record.kind === 'packet' && record.address === '192.0.2.1' && record.datagram.equals(datagram),
      ).toBe(true);
    });
    expect(records[50]).toEqual({ kind: 'clock', channel: 'call:0', nowUs: 99, endTick: 4321 });
  });

  it('cut at any byte gives a prefix of what was written, and never throws', () => {
    write(6).wal.close();
    const bytes = readFileSync(join(folder, '0-000000001.wal'));
    const all = read(bytes).records;
    let most = 0;
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { records } = read(bytes.subarray(0, cut));
      expect(records).toEqual(all.slice(0, records.length));
      expect(records.length).toBeGreaterThanOrEqual(most);
      most = records.length;
    }
    expect(most).toBe(7);
  });

  it('damaged anywhere gives a prefix of what was written, and never throws', () => {
    write(6).wal.close();
    const bytes = readFileSync(join(folder, '0-000000001.wal'));
    const all = read(bytes).records;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = damaged[at]! ^ flip;
        const { records, whole } = read(damaged);
        expect(whole).toBe(false);
        expect(records).toEqual(all.slice(0, records.length));
      }),
    );
  });

  it('keeps a file until every channel in it is covered, then deletes it', async () => {
    let coveredUs = 40;
    let clockUs = 0;
    const wal = new Wal(
      folder,
      0,
      1,
      health,
      () => clockUs,
      () => coveredUs,
    );
    wal.packet(channel('call:0'), 41, 0, '192.0.2.1', 5, Buffer.from('x'));
    await until(() => existsSync(join(folder, '0-000000001.wal')), 'the first file');
    clockUs = 3e6;
    wal.tend();
    wal.packet(channel('call:0'), 50, 0, '192.0.2.1', 5, Buffer.from('y'));
    wal.tend();
    expect(readdirSync(folder).length).toBe(2);
    coveredUs = 41;
    wal.tend();
    await until(() => !existsSync(join(folder, '0-000000001.wal')), 'the covered file to go');
    expect(readdirSync(folder)).toEqual(['0-000000002.wal']);
    wal.close();
  });

  it('makes one file a second at most while writes fail, and logs again when they do not', () => {
    for (const n of [1, 2, 3]) symlinkSync('/dev/full', join(folder, walFileName(0, n)));
    let clockUs = 0;
    const wal = new Wal(
      folder,
      0,
      1,
      health,
      () => clockUs,
      () => -1,
    );
    const made: number[] = [];
    for (; clockUs < 3_600_000; clockUs += 20_000) {
      wal.packet(channel('call:0'), clockUs, 0, '192.0.2.1', 5, Buffer.alloc(172));
      if (clockUs % 1_000_000 === 500_000) made.push(health.errors);
    }
    wal.close();
    expect(made).toEqual([1, 2, 3, 3]);
    const { records, whole } = read(readFileSync(join(folder, walFileName(0, 4))));
    expect(whole).toBe(true);
    expect(records.length).toBeGreaterThan(10);
  });

  it('goes on without a log when its folder is gone', () => {
    const wal = new Wal(
      join(folder, 'missing'),
      0,
      1,
      health,
      () => 0,
      () => 0,
    );
    wal.packet(channel('call:0'), 1, 0, '192.0.2.1', 5, Buffer.from('x'));
    expect(health.errors).toBe(1);
    wal.close();
  });
});

describe('files read for a replay', () => {
  const call = newCall(1);
  const file = (): string => join(folder, 'spool', call.callId, '0-000000.spool');

  it('are asked for again when they cannot be read at once', async () => {
    // A folder in the file's place: it can be opened and not be read.
    mkdirSync(file(), { recursive: true });
    const reading = new SpoolRoom(folder, 0, health, quietLog, 0.05).windowsFor(call.leg, 0)(0, 8000);
    await until(() => health.readRetries > 0, 'the first try failed');
    rmdirSync(file());
    writeFileSync(file(), encodeBlock(blockAt(0)));
    expect((await reading).blockFrom(0)).toMatchObject({ startTick: 0, ticks: BLOCK_TICKS });
    expect(health.errors).toBe(0);
  });

  it('are a gap, and an error, when they never can be read', async () => {
    mkdirSync(file(), { recursive: true });
    const window = await new SpoolRoom(folder, 0, health, quietLog, 0.05).windowsFor(call.leg, 0)(0, 8000);
    expect(window.blockFrom(0)).toBeNull();
    expect(window.endTick).toBe(8000);
    expect(health.errors).toBe(1);
  });
});

describe('leg files', () => {
  it('are found again by their worker, and damaged ones are passed over', async () => {
    const mine = newCall(2);
    const others = newCall(1);
    await writeLegFile(folder, { version: 1, leg: mine.leg, worker: 3, attempts: {}, closed: null });
    await writeLegFile(folder, { version: 1, leg: others.leg, worker: 4, attempts: {}, closed: null });
    mkdirSync(join(folder, 'broken'));
    writeFileSync(join(folder, 'broken', 'leg-0.json'), '{"version":1,"le');
    const { records, damaged } = readLegFiles(folder, (worker) => worker === 3);
    expect(records.map((record) => record.leg)).toEqual([mine.leg]);
    expect(damaged).toBe(1);
  });

  it('are not looked for where a call was being removed, and what is left of that goes', async () => {
    const gone = newCall(1);
    const record: LegRecord = { version: 1, leg: gone.leg, worker: 3, attempts: {}, closed: null };
    await writeLegFile(join(folder, 'spool'), record);
    renameSync(join(folder, 'spool', gone.callId), join(folder, 'spool', `${gone.callId}.going`));
    expect(readLegFiles(join(folder, 'spool'), () => true)).toEqual({ records: [], damaged: 0 });
    const stays = newCall(1);
    await writeLegFile(join(folder, 'spool'), { ...record, leg: stays.leg });
    await new SpoolRoom(folder, 3, health, quietLog, 0.05).removeGoing();
    expect(readdirSync(join(folder, 'spool'))).toEqual([stays.callId]);
  });

  it('can be read by nobody else, even where an interrupted write of an earlier version left a file', async () => {
    const { leg } = newCall(1);
    const path = join(folder, leg.callId, 'leg-0.json');
    mkdirSync(join(folder, leg.callId));
    writeFileSync(`${path}.new`, 'x'.repeat(100_000), { mode: 0o644 });
    await writeLegFile(folder, { version: 1, leg, worker: 3, attempts: {}, closed: null });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readLegFiles(folder, () => true).records.map((record) => record.leg)).toEqual([leg]);
  });

  it('are never taken for one when they are something else', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseLegRecord(text)).toBeNull();
      }),
    );
  });
});
