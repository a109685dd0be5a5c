import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_TICKS,
  type ChannelId,
  encodeBlock,
  type SpoolBlock,
  TICKS_PER_FILE,
  ULAW_TO_LINEAR,
} from '@earshot/contracts';
import { readConfig } from '@earshot/platform';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseBlocks } from '../src/spool/block-reader.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { lastBlockOf } from '../src/spool/last-block.ts';
import { Tape } from '../src/spool/tape.ts';
import { tapeBlockOf } from '../src/spool/tape-block.ts';
import { Wal, type WalChannel } from '../src/spool/wal.ts';
import { WalCursor } from '../src/spool/wal-record.ts';
import { readWal, type WalRecord } from './support/wal.ts';
import { workerVad } from '../src/stages/vad-stage.ts';
import { rehearse } from '../src/worker/rehearsal.ts';
import { newCall } from './support/call.ts';
import { quietLog } from './support/null-log.ts';
import { sentBytes, useRoom } from './support/room.ts';
import { until } from './support/until.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const blockAt = (startTick: number, over: Partial<SpoolBlock> = {}): SpoolBlock => ({
  encoding: 'PCMU',
  channelIndex: 0,
  startTick,
  ticks: BLOCK_TICKS,
  ssrc: 7,
  extendedSequence: startTick / 160 + 24,
  rtpTimestampAtEnd: startTick + BLOCK_TICKS,
  srtpRollover: 0,
  packetsReceived: 0,
  packetsLost: 0,
  packetsLate: 0,
  vad: 0,
  payload: new Uint8Array(BLOCK_TICKS).fill((startTick / BLOCK_TICKS) % 251),
  ...over,
});

const spool = (...parts: Uint8Array[]): void =>
  writeFileSync(join(folder, '0-000000.spool'), Buffer.concat(parts));

describe('the last block of a channel', () => {
  it('is the one that reading from the start finds, whatever follows it in the file', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: BLOCK_TICKS }), { minLength: 1, maxLength: 30 }),
        fc.uint8Array({ maxLength: 9000 }),
        fc.integer({ min: 0, max: 4063 }),
        (lengths, garbage, torn) => {
          let tick = 0;
          const blocks = lengths.map((ticks) => {
            const block = blockAt(tick, { ticks, payload: new Uint8Array(ticks).fill(tick) });
            tick += ticks;
            return encodeBlock(block);
          });
          spool(...blocks, garbage, encodeBlock(blockAt(tick)).subarray(0, torn));
          const parsed = parseBlocks(readFileSync(join(folder, '0-000000.spool')));
          const last = lastBlockOf(folder, 0)!;
          expect(last.block).toEqual(parsed.blocks.at(-1)!.block);
          expect(last.nextOffset).toBe(parsed.blocks.at(-1)!.nextOffset);
          expect(last.damagedBytes).toBe(garbage.length + torn);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is not one that somebody sent as audio', () => {
    const forged = encodeBlock(blockAt(TICKS_PER_FILE * 9, { ticks: 100, payload: new Uint8Array(100) }));
    const payload = new Uint8Array(BLOCK_TICKS);
    payload.set(forged, 2000);
    spool(encodeBlock(blockAt(0)), encodeBlock(blockAt(4000, { payload })));
    expect(lastBlockOf(folder, 0)!.block.startTick).toBe(4000);
    expect(lastBlockOf(folder, 0)!.damagedBytes).toBe(0);
  });

  it('lies before a damaged stretch that is longer than what is looked at first', () => {
    spool(encodeBlock(blockAt(0)), new Uint8Array(40_000));
    expect(lastBlockOf(folder, 0)).toMatchObject({ block: { startTick: 0 }, damagedBytes: 40_000 });
  });
});

describe('a tape that recalls what was before its checkpoint', () => {
  it('is the tape that was restored with all of it', () => {
    const vads = [0, 0x3, 0, 0, 0x1_0000, 0, 0x40];
    const blocks = vads.map((vad, n) => tapeBlockOf(blockAt(n * BLOCK_TICKS, { vad })));
    const sink = { frame: () => false, block: () => undefined };
    const [one, other] = [new Tape('PCMU', sink), new Tape('PCMU', sink)];
    const endTick = blocks.length * BLOCK_TICKS;
    one.restore(blocks, 4800, endTick);
    other.restore(blocks.slice(-1), endTick, endTick);
    expect(other.firstTick).toBe(endTick);
    other.recall(blocks.slice(0, -1), 4800);
    expect([other.firstTick, other.endTick]).toEqual([one.firstTick, one.endTick]);
    for (let tick = 0; tick < endTick; tick += 80) {
      expect(other.gate.openUntil(tick)).toBe(one.gate.openUntil(tick));
      expect(other.blockFrom(tick)).toEqual(one.blockFrom(tick));
    }
  });

  it('keeps what has been heard meanwhile, and no more than its size', () => {
    const heard: number[] = [];
    const tape = new Tape('PCMU', {
      frame: () => true,
      block: (block) => void heard.push(block.startTick),
    });
    const before = Array.from({ length: 60 }, (_, n) => tapeBlockOf(blockAt(n * BLOCK_TICKS)));
    const endTick = 60 * BLOCK_TICKS;
    tape.restore(before.slice(-1), endTick, endTick);
    const mark = {
      ssrc: 7,
      extended: 1,
      previousExtended: 0,
      timestampAtEnd: 0,
      unitsPerTick: 1,
      arrivalUs: 5,
    };
    tape.audio(endTick, new Uint8Array(BLOCK_TICKS + 480), 0, BLOCK_TICKS + 480, mark);
    tape.recall(before.slice(0, -1), 0);
    expect(tape.heldBlocks).toBe(40);
    expect(tape.firstTick).toBe((62 - 40) * BLOCK_TICKS);
    expect(tape.endTick).toBe(endTick + BLOCK_TICKS + 480);
    // The block that is open is told of all the same.
    expect(tape.gate.openUntil(endTick)).toBe(endTick + BLOCK_TICKS + 480 + 4800);
    tape.close();
    expect(heard).toEqual([endTick, endTick + BLOCK_TICKS]);
  });
});

describe('the log of a dead worker', () => {
  function written(): Buffer {
    const wal = new Wal(
      folder,
      0,
      1,
      new DiskHealth(quietLog),
      () => 1,
      () => 0,
    );
    const channels = ['call:0', 'call:1'].map((id): WalChannel => ({
      id: id as ChannelId,
      file: null,
      number: 0,
    }));
    for (let n = 0; n < 200; n++) {
      const rtp = Buffer.alloc(12 + (n % 160));
      rtp.writeUInt16BE(n, 2);
      rtp.writeUInt32BE(0xdead_0000 + (n % 2), 8);
      wal.packet(channels[n % 2]!, n, n * 160, '192.0.2.1', 5000 + n, rtp);
      if (n % 50 === 49) wal.clock(channels[0]!, n, n * 160);
    }
    wal.close();
    return readFileSync(join(folder, '0-000000001.wal'));
  }

  it('says the same whether its records are gone through or made', () => {
    const bytes = written();
    const records: WalRecord[] = [];
    readWal(bytes, (record) => records.push(record));
    const cursor = new WalCursor(bytes);
    const found: object[] = [];
    while (cursor.next()) {
      const { kind } = cursor;
      if (kind === 'packet') {
        const { us, endTick, address, port, datagram } = cursor;
        found.push({ kind, arrivalUs: us, endTick, address, port, datagram });
        expect(cursor.sequence).toBe(datagram.readUInt16BE(2));
        expect(cursor.ssrc).toBe(datagram.readUInt32BE(8));
      } else if (kind === 'clock') found.push({ kind, nowUs: cursor.us, endTick: cursor.endTick });
    }
    expect(cursor.offset).toBe(bytes.length);
    expect(found).toEqual(records.map(({ channel: _, ...record }) => record));
  });

  it('ends at its first damaged record, and is believed up to there the second time', () => {
    const bytes = written();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = damaged[at]! ^ change;
        const first = new WalCursor(damaged);
        let count = 0;
        while (first.next()) count++;
        expect(first.offset).toBeLessThanOrEqual(at);
        const second = new WalCursor(damaged, first.offset);
        let again = 0;
        while (second.next()) again++;
        expect(again).toBe(count);
        expect(second.offset).toBe(first.offset);
      }),
      { numRuns: 300 },
    );
  });

  it('never throws, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (noise) => {
        const cursor = new WalCursor(Buffer.from(noise));
        while (cursor.next());
        expect(cursor.offset).toBeLessThanOrEqual(noise.length);
      }),
    );
  });
});

describe('a rehearsal', () => {
  it('goes through a takeover and leaves nothing behind', async () => {
    vi.stubEnv('TMPDIR', folder);
    const { frames } = workerVad.count;
    await rehearse(readConfig({}));
    vi.unstubAllEnvs();
    // It did restore and replay: the speech detector was asked.
    expect(workerVad.count.frames).toBeGreaterThan(frames);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a process that stood by', () => {
  const room = useRoom();

  it('takes over with the sockets that it was sent ahead, and loses nothing', async () => {
    const call = newCall(8);
    const senders = await room.open(call);
    for (const sender of senders) sender.start();
    const waiting = room.host.standBy();
    await until(() => room.host.standingBy, 'a process that stands by', 30_000);
    await until(() => senders[0]!.sent >= 60, 'more than a block');
    // One that is lent and given back meanwhile.
    const short = newCall(1);
    await room.open(short);
    await room.close(short);
    await room.host.kill();
    const killedAt = senders[0]!.sent;
    await until(() => senders[0]!.sent >= killedAt + 10, 'packets while nobody reads');
    const hellos = room.gateway.hellos;
    await room.host.become(waiting);
    await until(() => room.gateway.hellos > hellos, 'hello of the replacement');
    expect(room.host.child?.pid).toBe(waiting.pid);
    expect(await room.host.metric('earshot_media_takeover_seconds')).toBeGreaterThan(0.1);
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [call.leg] })).type).toBe('leg.synced');
    await until(() => senders[0]!.sent >= killedAt + 60, 'life goes on');
    for (const sender of senders) sender.stop();
    const totals = await room.close(call);
    for (const [i, sender] of senders.entries()) {
      expect(totals[i]).toMatchObject({ packetsReceived: sender.sent, packetsLost: 0, packetsDuplicate: 0 });
      expect(room.spooled(call, i).bytes).toEqual(sentBytes(sender.sent));
      const opening = await room.ready(call.channels[i]!);
      await until(() => opening.endTick === totals[i]!.endTick, 'the end on the engine');
      expect([...room.heardTicks(call.channels[i]!).values()]).toEqual(
        sentBytes(sender.sent).map((code) => ULAW_TO_LINEAR[code]),
      );
    }
    expect(existsSync(room.folderOf(call))).toBe(true);
    expect(room.engine.faults).toEqual([]);
  }, 60_000);
});
