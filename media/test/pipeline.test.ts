import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Channel } from '../src/leg/channel.ts';
import { BlockWriter } from '../src/spool/block-writer.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { Wal } from '../src/spool/wal.ts';
import { newCall } from './support/call.ts';
import { quietLog } from './support/null-log.ts';
import { markedPayload, rtpBytes } from './support/rtp.ts';

let folder: string;
let health: DiskHealth;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
  health = new DiskHealth(quietLog);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newChannel(log = folder): { channel: Channel; wal: Wal; zeroUs: number } {
  const wal = new Wal(
    log,
    0,
    1,
    health,
    () => performance.now() * 1000,
    () => Infinity,
  );
  const { leg } = newCall(1);
  const channel = new Channel(
    leg.channels[0]!,
    leg.zero,
    new BlockWriter(folder, 0, health),
    wal,
    leg.zero.monoUs,
  );
  return { channel, wal, zeroUs: leg.zero.monoUs };
}

describe("a channel's pipeline", () => {
  it('prints itself, from the datagram to the recogniser', () => {
    expect(String(newChannel().channel)).toBe(
      'Rtp(PCMU/8000, PCMA/8000) -> Wal -> Jitter(adaptive) -> PCMU -> Timeline -> Tape(20s) -> {Spool, Vad(energy) -> AsrLink}',
    );
  });

  it('survives 200,000 random and mutated packets, and its timeline stays in order', () => {
    // No log: the disk is not what this is about.
    const { channel, wal, zeroUs } = newChannel(join(folder, 'nowhere'));
    let seed = 20_260_101;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    let arrivalUs = zeroUs;
    let sequence = 65_000;
    let timestamp = 4_294_900_000;
    let ssrc = 1;
    let end = 0;
    for (let n = 0; n < 200_000; n++) {
      arrivalUs += random(40_000);
      sequence += random(50) === 0 ? random(70_000) - 30_000 : 1;
      timestamp += random(50) === 0 ? random(2 ** 32) : 160;
      if (random(500) === 0) ssrc = random(2 ** 32);
      const payload = markedPayload(n, random(20) === 0 ? random(1400) : 160);
      let bytes = rtpBytes({
        sequence,
        timestamp,
        ssrc,
        payload,
        payloadType: random(30) === 0 ? random(128) : 0,
      });
      if (random(4) === 0) bytes[random(Math.min(bytes.length, 16))] = random(256);
      if (random(10) === 0) bytes = bytes.subarray(0, random(bytes.length));
      channel.receive(bytes, '127.0.0.1', random(100) === 0 ? 9 : 4000, arrivalUs);
      if (random(8) === 0) channel.advance(arrivalUs, zeroUs);
      expect(channel.timeline.endTick >= end).toBe(true);
      end = channel.timeline.endTick;
    }
    channel.finish(arrivalUs, zeroUs);
    expect(channel.tape.endTick).toBe(channel.timeline.endTick);
    expect(channel.totals().packetsReceived).toBeGreaterThan(10_000);
    wal.close();
  });

  it('lives for 100 days: sequence and timestamps wrap, ticks stay exact, memory does not grow', () => {
    const { channel, wal, zeroUs } = newChannel(join(folder, 'nowhere'));
    const hoursOfSilence = 60;
    let tick = 0;
    let sequence = 0;
    for (let spurt = 0; spurt < 40; spurt++) {
      for (let n = 0; n < 2000; n++) {
        tick += 160;
        // Timestamps from near the top: they wrap in the first spurt, and each 149 hours after that.
        const timestamp = (4_294_900_000 + tick - 160) % 2 ** 32;
        const bytes = rtpBytes({ sequence: sequence++, timestamp, payload: markedPayload(n) });
        channel.receive(bytes, '127.0.0.1', 4000, zeroUs + tick * 125);
        expect(channel.timeline.endTick).toBe(tick);
      }
      tick += hoursOfSilence * 3600 * 8000;
      channel.advance(zeroUs + tick * 125, zeroUs);
      expect(channel.timeline.endTick).toBe(tick - 4000);
    }
    expect(tick / 8000 / 86_400).toBeGreaterThan(100);
    expect(channel.timeline.rebases).toBe(1);
    expect(channel.tape.endTick - channel.tape.firstTick).toBeLessThan((hoursOfSilence + 1) * 3600 * 8000);
    expect(channel.totals()).toMatchObject({ packetsReceived: 80_000, packetsLost: 0, packetsLate: 0 });
    wal.close();
  });

  it('makes little garbage for a packet beyond that of rtp.js', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const { channel, wal, zeroUs } = newChannel();
    const bytes = rtpBytes({ sequence: 0, timestamp: 0, payload: markedPayload(1) });
    const send = (from: number, to: number): void => {
      for (let n = from; n < to; n++) {
        bytes.writeUInt16BE(n & 0xffff, 2);
        bytes.writeUInt32BE((n * 160) >>> 0, 4);
        channel.receive(bytes, '127.0.0.1', 4000, zeroUs + n * 20_000);
      }
    };
    send(0, 20_000);
    gc();
    const before = process.memoryUsage().heapUsed;
    send(20_000, 24_000);
    const perPacket = (process.memoryUsage().heapUsed - before) / 4000;
    // Measured: about 1,010 bytes, 800 of them rtp.js's (a Map and four views a packet). The rest: boxed doubles (arrival
    // times are beyond 31 bits), the view that the log's checksum is taken of, and every 25th packet a block for the disk.
    expect(perPacket).toBeLessThan(1200);
    wal.close();
  });
});
