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

function newChannel(log = folder, leg = newCall(1).leg): { channel: Channel; wal: Wal; zeroUs: number } {
  const wal = new Wal(
    log,
    0,
    1,
    health,
    () => performance.now() * 1000,
    () => Infinity,
  );
  const channel = new Channel(
    leg.channels[0]!,
    leg.zero,
    new BlockWriter(folder, 0, health),
    wal,
    leg.zero.monoUs,
  );
  return { channel, wal, zeroUs: leg.zero.monoUs };
}

/** A sender whose clock may be off, and what its channel's ledger says of it. */
class DriftingLine {
  nowUs: number;
  /** Above 0 the sender is fast. */
  partsPerMillion = 0;
  sent = 0;
  passedOver = 0;
  sources = 0;
  /** How far the end of a packet came to lie from its arrival. */
  furthestTicks = 0;
  readonly sums = new Map<string, number>();
  /** By kind: of SSRCs how many, of others the sum of their values. */
  readonly notes = new Map<string, number>();
  readonly #zeroUs: number;
  #ssrc = 1;
  #sequence = 65_000;
  #timestamp = 4_294_900_000;
  readonly #silence = new Uint8Array(160).fill(0xff);

  constructor(zeroUs: number) {
    this.nowUs = zeroUs;
    this.#zeroUs = zeroUs;
  }

  changeSource(seed: number): void {
    this.#ssrc = 1000 + seed;
    this.#sequence = (seed * 7919) % 65_536;
    this.#timestamp = (seed * 2_654_435_761) % 2 ** 32;
    this.sources++;
  }

  /** No packet until then; the RTP clock runs on. */
  wait(untilUs: number): void {
    this.#timestamp += Math.round((untilUs - this.nowUs) / 125);
    this.nowUs = untilUs;
  }

  talk(channel: Channel, packets: number, day: number): void {
    for (let n = 0; n < packets; n++) {
      this.nowUs += 20_000 / (1 + this.partsPerMillion / 1e6);
      // A second of speech, a second of silence: in that a clock can be corrected.
      const payload = n % 100 < 50 ? markedPayload(n + day) : this.#silence;
      const [sequence, timestamp] = [this.#sequence++ & 0xffff, this.#timestamp % 2 ** 32];
      this.#timestamp += 160;
      const before = channel.counters.rejected.paused;
      channel.receive(
        rtpBytes({ sequence, timestamp, payload, ssrc: this.#ssrc }),
        '127.0.0.1',
        4000,
        this.nowUs,
      );
      this.sent++;
      this.passedOver += channel.counters.rejected.paused - before;
      if (n % 5 === 0) channel.advance(this.nowUs, this.#zeroUs);
      if (n % 500 === 499) this.tell(channel);
      // The first packet of a new source waits for the second.
      if (n > 0 && channel.counters.rejected.paused === before) {
        const off = Math.abs(channel.timeline.endTick - (this.nowUs - this.#zeroUs) / 125);
        this.furthestTicks = Math.max(this.furthestTicks, off);
      }
    }
  }

  tell(channel: Channel): void {
    const { ledger } = channel.timeline;
    for (let part = ledger.tell(); part !== null; part = ledger.tell()) {
      for (const [kind, ticks] of part.spans) this.sums.set(kind, (this.sums.get(kind) ?? 0) + ticks);
      for (const { kind, value } of part.notes) {
        this.notes.set(kind, (this.notes.get(kind) ?? 0) + (kind === 'ssrc' ? 1 : value));
      }
      ledger.acknowledged(part.toTick);
    }
    channel.tape.release(channel.timeline.endTick - 80_000);
  }
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
      // An expectation a packet would take most of the test's time.
      if (channel.timeline.endTick < end) throw new Error(`the timeline went back at packet ${n}`);
      end = channel.timeline.endTick;
    }
    channel.finish(arrivalUs, zeroUs);
    expect(channel.tape.endTick).toBe(channel.timeline.endTick);
    expect(channel.totals().packetsReceived).toBeGreaterThan(10_000);
    wal.close();
  }, 120_000);

  it('has what an SBC held up for 3 s where it was said, and nothing of it twice or late', () => {
    const { channel, wal, zeroUs } = newChannel(join(folder, 'nowhere'));
    let sequence = 0;
    const receive = (nowUs: number): void => {
      const timestamp = 160 * sequence;
      const bytes = rtpBytes({ sequence, timestamp, payload: markedPayload(sequence++) });
      channel.receive(bytes, '127.0.0.1', 4000, nowUs);
    };
    for (let turn = 1; turn <= 400; turn++) {
      const nowUs = zeroUs + turn * 20_000;
      const stalled = turn > 100 && turn < 250;
      if (!stalled) while (sequence < turn) receive(nowUs + sequence);
      channel.advance(nowUs, zeroUs);
    }
    expect(channel.timeline.ledger.tell()!.spans).toEqual([
      ['received', 16_000],
      ['absent', 8],
      ['received', 48_000 - 8],
    ]);
    expect(channel.totals()).toMatchObject({ packetsReceived: 400, packetsLost: 0, packetsLate: 0 });
    expect(channel.tape.endTick).toBe(400 * 160);
    wal.close();
  });

  it('calls paused what passed since it was paused, and the silence before that absent', () => {
    const { channel, wal, zeroUs } = newChannel(join(folder, 'nowhere'));
    for (let n = 0; n < 50; n++) {
      const bytes = rtpBytes({ sequence: n, timestamp: 160 * n, payload: markedPayload(n) });
      channel.receive(bytes, '127.0.0.1', 4000, zeroUs + (n + 1) * 20_000);
    }
    channel.advance(zeroUs + 3_000_000, zeroUs);
    channel.pause(true, zeroUs + 3_000_000);
    channel.advance(zeroUs + 9_000_000, zeroUs);
    expect(channel.timeline.ledger.tell()!.spans).toEqual([
      ['received', 8000],
      ['absent', 16_000],
      ['paused', 44_000],
    ]);
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
      expect(channel.timeline.endTick).toBe(tick - 40_000);
    }
    expect(tick / 8000 / 86_400).toBeGreaterThan(100);
    expect(channel.timeline.rebases).toBe(1);
    expect(channel.tape.endTick - channel.tape.firstTick).toBeLessThan((hoursOfSilence + 1) * 3600 * 8000);
    expect(channel.totals()).toMatchObject({ packetsReceived: 80_000, packetsLost: 0, packetsLate: 0 });
    wal.close();
  });

  it('lives for 100 days with holds, pauses, changed sources and clocks that are off: every tick is accounted for', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const { leg } = newCall(1);
    const line = new DriftingLine(leg.zero.monoUs);
    const { channel, wal } = newChannel(join(folder, 'nowhere'), leg);
    const dayUs = 86_400e6;
    let heapAfterTenDays = 0;
    for (let day = 0; day < 101; day++) {
      const startUs = leg.zero.monoUs + day * dayUs;
      // Now and then a source that nobody knows, with numbers of its own.
      if (day % 7 === 3) line.changeSource(day);
      // Twenty minutes with a clock that is fast or slow by 200 parts in a million; a minute on other days.
      line.partsPerMillion = day % 20 === 5 ? 200 : day % 20 === 15 ? -200 : 0;
      line.wait(startUs);
      line.talk(channel, line.partsPerMillion === 0 ? 3000 : 60_000, day);
      if (day % 3 === 0) {
        channel.pause(true, line.nowUs);
        line.talk(channel, 1000, day);
        channel.pause(false, line.nowUs);
        line.talk(channel, 500, day);
      }
      const held = day % 2 === 0;
      if (held) channel.update({ ...leg.channels[0]!, state: 'held' }, line.nowUs);
      line.wait(startUs + dayUs - 1e6);
      channel.advance(line.nowUs, leg.zero.monoUs);
      line.tell(channel);
      if (held) channel.update(leg.channels[0]!, line.nowUs);
      expect(channel.tape.heldBlocks).toBeLessThanOrEqual(41);
      if (day === 10) {
        gc();
        heapAfterTenDays = process.memoryUsage().heapUsed;
      }
    }
    channel.finish(line.nowUs, leg.zero.monoUs);
    line.tell(channel);
    gc();
    expect(process.memoryUsage().heapUsed - heapAfterTenDays).toBeLessThan(2 * 2 ** 20);

    const { sums, notes } = line;
    const total = [...sums.values()].reduce((sum, ticks) => sum + ticks, 0);
    expect(total).toBe(channel.timeline.endTick);
    expect(channel.timeline.endTick / 8000 / 86_400).toBeGreaterThan(100);
    // The last packets of a stretch that is interrupted, and so on, to the tick.
    expect(sums.get('received')! + (notes.get('dropped') ?? 0)).toBe(160 * (line.sent - line.passedOver));
    expect(channel.totals()).toMatchObject({
      packetsReceived: line.sent - line.passedOver,
      packetsLost: 0,
      packetsLate: 0,
    });
    expect(sums.get('lost') ?? 0).toBe(0);
    expect(sums.get('concealed') ?? 0).toBe(0);
    // 34 pauses of 20 s, and 51 holds of nearly a day.
    expect(sums.get('paused')! / 8000).toBeCloseTo(34 * 20, -1);
    expect(sums.get('held')! / 8000 / 86_400).toBeGreaterThan(50);
    expect(sums.get('held')! / 8000 / 86_400).toBeLessThan(51);
    expect(notes.get('ssrc')).toBe(line.sources);
    // Five days of each: 240 ms are to be put in or left out, but for the last 20 ms.
    expect(sums.get('corrected')! / 8).toBeGreaterThan(5 * 200);
    expect(sums.get('corrected')! / 8).toBeLessThan(5 * 260);
    expect(notes.get('dropped')! / 8).toBeGreaterThan(5 * 200);
    expect(notes.get('dropped')! / 8).toBeLessThan(5 * 260);
    // Whatever the sender's clock does, a packet's end lies where it arrived.
    expect(line.furthestTicks).toBeLessThanOrEqual(240);
    wal.close();
  }, 120_000);

  it('makes little garbage for a packet', () => {
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
    // Measured: about 265 bytes. Boxed doubles (arrival times are beyond 31 bits), the view that the log's checksum is taken of,
    // and every 25th packet a block for the disk.
    expect(perPacket).toBeLessThan(345);
    wal.close();
  });
});
