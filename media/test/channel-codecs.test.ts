import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LegCodec, linearToUlaw, toLinear, type LegChannel } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasOpus, newNativeOpus } from '../src/codec/opus-native.ts';
import { Channel } from '../src/leg/channel.ts';
import { BlockWriter } from '../src/spool/block-writer.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { Wal } from '../src/spool/wal.ts';
import { newCall } from './support/call.ts';
import { quietLog } from './support/null-log.ts';
import { rtpBytes } from './support/rtp.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A channel, and a sender that is always in time. */
class Line {
  readonly channel: Channel;
  readonly #wal: Wal;
  readonly #zeroUs: number;
  readonly #leg: LegChannel;
  ticks = 0;
  #sequence = 100;
  #timestamp = 5000;

  constructor(codecs: readonly LegCodec[]) {
    const health = new DiskHealth(quietLog);
    const wal = new Wal(
      join(folder, 'nowhere'),
      0,
      1,
      health,
      () => performance.now() * 1000,
      () => Infinity,
    );
    const { leg } = newCall(1, {}, { codecs });
    this.#leg = leg.channels[0]!;
    this.#zeroUs = leg.zero.monoUs;
    this.#wal = wal;
    const writer = new BlockWriter(join(folder, leg.callId), 0, health);
    this.channel = new Channel(this.#leg, leg.zero, writer, wal, leg.zero.monoUs);
  }

  nowUs(): number {
    return this.#zeroUs + this.ticks * 125;
  }

  /** @param units RTP timestamp units of the packet */
  send(payloadType: number, payload: Uint8Array, ticks: number, units: number): void {
    this.ticks += ticks;
    const bytes = rtpBytes({ sequence: this.#sequence++, timestamp: this.#timestamp, payload, payloadType });
    this.channel.receive(bytes, '127.0.0.1', 4000, this.nowUs());
    this.#timestamp = (this.#timestamp + units) >>> 0;
  }

  lose(ticks: number, units: number): void {
    this.rest(ticks, units);
    this.#sequence++;
  }

  /** Nothing is sent. */
  rest(ticks: number, units: number): void {
    this.ticks += ticks;
    this.#timestamp += units;
  }

  setCodecs(codecs: readonly LegCodec[]): void {
    this.channel.update({ ...this.#leg, codecs }, this.nowUs());
  }

  /** What the tape has, from tick on. */
  pcm(from: number, to: number): Int16Array {
    const out = new Int16Array(to - from);
    for (let at = from; at < to;) {
      const block = this.channel.tape.blockFrom(at)!;
      const end = Math.min(to, block.startTick + block.ticks);
      toLinear(block.encoding, block.payload, at - block.startTick, end - block.startTick, out, at - from);
      at = end;
    }
    return out;
  }

  close(): void {
    this.channel.close();
    this.#wal.close();
  }
}

const sine = (hz: number, rate: number, samples: number, from = 0): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) =>
    Math.round(12_000 * Math.sin((2 * Math.PI * hz * (from + i)) / rate)),
  );

/** Share of the power that lies at hz; the rest is noise and distortion. */
function purity(pcm: Int16Array, hz: number): number {
  let re = 0;
  let im = 0;
  let power = 0;
  pcm.forEach((sample, i) => {
    re += sample * Math.cos((2 * Math.PI * hz * i) / 8000);
    im += sample * Math.sin((2 * Math.PI * hz * i) / 8000);
    power += sample * sample;
  });
  return (2 * (re * re + im * im)) / pcm.length / power;
}

const bigEndian = (pcm: Int16Array): Buffer => Buffer.from(pcm.buffer.slice(0)).swap16();

describe('a channel', () => {
  it('of L16 in stereo at 16 kHz keeps the mean of both sides, and every tick', () => {
    const line = new Line([{ payloadType: 96, name: 'L16', clockRate: 16_000, audioChannels: 2 }]);
    for (let n = 0; n < 50; n++) {
      const left = sine(1000, 16_000, 320, n * 320);
      const both = new Int16Array(640);
      left.forEach((sample, i) => (both[2 * i] = sample));
      line.send(96, bigEndian(both), 160, 320);
    }
    expect(line.channel.encoding).toBe('L16');
    expect(line.channel.timeline.endTick).toBe(8000);
    const heard = line.pcm(1000, 7000);
    expect(purity(heard, 1000)).toBeGreaterThan(0.999);
    expect(Math.max(...heard)).toBeGreaterThan(5500);
    expect(Math.max(...heard)).toBeLessThan(6200);
    line.close();
  });

  it.skipIf(!hasOpus)('of Opus goes by its 48 kHz timestamps, and conceals by itself what is lost', () => {
    const codec = { payloadType: 111, name: 'opus', clockRate: 48_000, audioChannels: 2 } as const;
    const line = new Line([codec]);
    const encoder = newNativeOpus(16_000, 1);
    for (let n = 0; n < 100; n++) {
      const frame = encoder.encode(Buffer.from(sine(600, 16_000, 320, n * 320).buffer));
      if (n === 60) line.lose(160, 960);
      else line.send(111, frame, 160, 960);
    }
    expect(line.channel.timeline.endTick).toBe(16_000);
    expect(line.channel.timeline.rebases).toBe(1);
    expect(line.channel.lost).toBe(1);
    expect(purity(line.pcm(2000, 9000), 600)).toBeGreaterThan(0.98);
    expect(purity(line.pcm(9600, 9760), 600)).toBeGreaterThan(0.9);
    expect(line.channel.timeline.ledger.tell()!.spans).toContainEqual(['concealed', 160]);
    line.close();
  });

  it('that changes codec by payload type stays on one timeline, in the encoding that it opened with', () => {
    const line = new Line([
      { payloadType: 0, name: 'PCMU' },
      { payloadType: 97, name: 'L16', clockRate: 8000 },
    ]);
    for (let n = 0; n < 50; n++) {
      const pcm = sine(500, 8000, 160, n * 160);
      if (n % 2 === 0) line.send(0, Uint8Array.from(pcm, linearToUlaw), 160, 160);
      else line.send(97, bigEndian(pcm), 160, 160);
    }
    expect(line.channel.encoding).toBe('PCMU');
    expect(line.channel.timeline.endTick).toBe(8000);
    expect(purity(line.pcm(0, 8000), 500)).toBeGreaterThan(0.998);
    line.close();
  });

  it('counts what cannot be decoded, and makes a loss of it', () => {
    const line = new Line([{ payloadType: 97, name: 'L16', clockRate: 8000 }]);
    for (let n = 0; n < 10; n++) {
      const bytes = bigEndian(sine(500, 8000, 160, n * 160));
      line.send(97, n === 5 ? bytes.subarray(0, 161) : bytes, 160, 160);
    }
    expect(line.channel.counters.rejected.undecodable).toBe(1);
    expect(line.channel.timeline.endTick).toBe(1600);
    expect(line.channel.timeline.ledger.tell()!.spans).toEqual([
      ['received', 800],
      ['concealed', 160],
      ['received', 640],
    ]);
    line.close();
  });

  it.skipIf(!hasOpus)(
    'makes a loss of one packet of what cannot be decoded, whatever codec comes next',
    () => {
      const line = new Line([
        { payloadType: 111, name: 'opus', clockRate: 48_000 },
        { payloadType: 0, name: 'PCMU', clockRate: 8000 },
      ]);
      const voice = new Uint8Array(160).fill(0x20);
      for (let n = 0; n < 10; n++) line.send(0, voice, 160, 160);
      // Code 3 without the byte that says how many frames there are (RFC 6716 section 3.2.5).
      line.send(111, Uint8Array.of(3), 160, 160);
      for (let n = 0; n < 39; n++) line.send(0, voice, 160, 160);
      expect(line.channel.counters.rejected.undecodable).toBe(1);
      expect(line.channel.rtcp.bursts.lossRatio).toBeCloseTo(1 / 51, 6);
      expect(line.channel.rtcp.bursts.count).toBe(1);
      line.close();
    },
  );

  it('takes what waits behind a hole as agreed before, when other codecs are agreed on', () => {
    const line = new Line([{ payloadType: 0, name: 'PCMU' }]);
    const voice = new Uint8Array(160).fill(0x20);
    for (let n = 0; n < 10; n++) line.send(0, voice, 160, 160);
    line.lose(160, 160);
    line.send(0, voice, 160, 160);
    line.setCodecs([{ payloadType: 8, name: 'PCMA' }]);
    line.send(8, voice, 160, 160);
    expect(line.channel.timeline.ledger.tell()!.spans).toEqual([
      ['received', 1600],
      ['concealed', 160],
      ['received', 320],
    ]);
    line.close();
  });

  it('keeps a key press and its decoder whole when the same codecs are agreed on again', () => {
    const codecs: LegCodec[] = [
      { payloadType: 9, name: 'G722' },
      { payloadType: 101, name: 'telephone-event' },
    ];
    const [line, undisturbed] = [new Line(codecs), new Line(codecs)];
    const adpcm = Uint8Array.from({ length: 160 }, (_, i) => (i * 37) & 0xff);
    for (const each of [line, undisturbed]) {
      for (let n = 0; n < 10; n++) each.send(9, adpcm, 160, 160);
      for (let n = 1; n <= 6; n++) {
        const event = Uint8Array.of(7, n < 6 ? 10 : 0x80 | 10, (n * 160) >> 8, (n * 160) & 255);
        each.send(101, event, 160, n < 6 ? 0 : 960);
        if (each === line && n === 3) line.setCodecs(codecs.map((codec) => ({ ...codec })));
      }
      for (let n = 0; n < 10; n++) each.send(9, adpcm, 160, 160);
    }
    expect(line.channel.counters.keys).toBe(1);
    const endTick = line.channel.timeline.endTick;
    expect(line.pcm(endTick - 1600, endTick)).toEqual(undisturbed.pcm(endTick - 1600, endTick));
    line.close();
    undisturbed.close();
  });

  it('says how loud it was: its loudest 20 ms, and its speech', () => {
    const line = new Line([{ payloadType: 97, name: 'L16', clockRate: 8000 }]);
    expect(line.channel.totals().levels).toBeNull();
    const quiet = Int16Array.from({ length: 160 }, (_, i) => (i % 2 === 0 ? 2 : -2));
    for (let n = 0; n < 50; n++) line.send(97, bigEndian(quiet), 160, 160);
    // 2 of 32,768.
    const hush = line.channel.totals().levels!;
    expect(hush.peakDbov).toBeCloseTo(20 * Math.log10(2 / 32_768), 3);
    expect(hush.meanDbov).toBeCloseTo(hush.peakDbov, 6);
    expect(hush.speechTicks).toBe(0);
    const square = (level: number): Int16Array =>
      Int16Array.from({ length: 160 }, (_, i) => (i % 20 < 10 ? level : -level));
    line.send(97, bigEndian(square(16_384)), 160, 160);
    line.send(97, bigEndian(square(8192)), 160, 160);
    line.channel.finish(line.nowUs(), 0);
    const { peakDbov, meanDbov, speechTicks } = line.channel.totals().levels!;
    expect(peakDbov).toBeCloseTo(-6.02, 2);
    expect(speechTicks).toBe(320);
    expect(meanDbov).toBeCloseTo(10 * Math.log10((0.5 ** 2 + 0.25 ** 2) / 2), 2);
    line.close();
  });

  it('notes that a key was pressed, once, and not which', () => {
    const line = new Line([
      { payloadType: 0, name: 'PCMU' },
      { payloadType: 101, name: 'telephone-event' },
    ]);
    const voice = new Uint8Array(160).fill(0x20);
    for (let n = 0; n < 5; n++) line.send(0, voice, 160, 160);
    for (let n = 1; n <= 5; n++) {
      const units = n * 160;
      const event = Uint8Array.of(7, n < 3 ? 10 : 0x80 | 10, units >> 8, units & 255);
      line.send(101, event, 160, n < 5 ? 0 : 800);
    }
    for (let n = 0; n < 5; n++) line.send(0, voice, 160, 160);
    const part = line.channel.timeline.ledger.tell()!;
    expect(part.notes).toEqual([{ tick: 800, kind: 'key', value: 480 }]);
    expect(part.spans).toEqual([
      ['received', 800],
      ['dtx', 800],
      ['received', 800],
    ]);
    line.close();
  });

  it('takes keys whose durations are at 8000 in a stream that is stamped faster, and stays on one timeline', () => {
    const line = new Line([
      { payloadType: 97, name: 'L16', clockRate: 16_000 },
      { payloadType: 101, name: 'telephone-event', clockRate: 8000 },
    ]);
    const voice = (n: number): Uint8Array => bigEndian(sine(500, 16_000, 320, n * 320));
    for (let n = 0; n < 5; n++) line.send(97, voice(n), 160, 320);
    for (let n = 1; n <= 5; n++) {
      const units = n * 160;
      const event = Uint8Array.of(7, n < 3 ? 10 : 0x80 | 10, units >> 8, units & 255);
      line.send(101, event, 160, n < 5 ? 0 : 1600);
    }
    expect(line.channel.rtcp.statistics.clockRate).toBe(16_000);
    for (let n = 0; n < 5; n++) line.send(97, voice(n), 160, 320);
    const part = line.channel.timeline.ledger.tell()!;
    expect(part.notes).toEqual([{ tick: 800, kind: 'key', value: 480 }]);
    expect(part.spans).toEqual([
      ['received', 800],
      ['dtx', 800],
      ['received', 800],
    ]);
    expect(line.channel.timeline.rebases).toBe(1);
    line.close();
  });

  it('fills a short pause with the comfort noise that the sender described, at its level', () => {
    const line = new Line([
      { payloadType: 0, name: 'PCMU' },
      { payloadType: 13, name: 'CN' },
    ]);
    const voice = Uint8Array.from(sine(500, 8000, 160), linearToUlaw);
    for (let n = 0; n < 10; n++) line.send(0, voice, 160, 160);
    line.send(13, Uint8Array.of(50), 160, 160);
    for (let n = 0; n < 6; n++) line.rest(160, 160);
    const heard = line.channel.counters;
    line.send(0, voice, 160, 160);
    expect(heard.comfortNoise).toBe(1);
    const noise = line.pcm(1600 + 80, 1600 + 1100);
    const level = 10 * Math.log10(noise.reduce((sum, x) => sum + x * x, 0) / noise.length / 32_767 ** 2);
    expect(level).toBeGreaterThan(-54);
    expect(level).toBeLessThan(-46);
    line.close();
  });

  it('keeps nothing while it is paused, loses nothing by it, and goes on in step', () => {
    const line = new Line([{ payloadType: 0, name: 'PCMU' }]);
    const voice = new Uint8Array(160).fill(0x20);
    const secret = new Uint8Array(160).fill(0x31);
    for (let n = 0; n < 100; n++) line.send(0, voice, 160, 160);
    line.channel.pause(true, line.nowUs());
    for (let n = 0; n < 500; n++) {
      line.send(0, secret, 160, 160);
      line.channel.advance(line.nowUs(), 0);
    }
    expect(line.channel.timeline.endTick).toBe(line.ticks - 4000);
    line.channel.pause(false, line.nowUs());
    for (let n = 0; n < 100; n++) line.send(0, voice, 160, 160);
    expect(line.channel.timeline.endTick).toBe(line.ticks);
    expect(line.channel.lost).toBe(0);
    expect(line.channel.counters.rejected.paused).toBe(500);
    expect(line.channel.timeline.ledger.tell()!.spans).toEqual([
      ['received', 16_000],
      ['paused', 80_000],
      ['received', 16_000],
    ]);
    let block = line.channel.tape.blockFrom(0);
    for (; block !== null; block = line.channel.tape.blockFrom(block.startTick + block.ticks)) {
      expect(block.payload.subarray(0, block.ticks).includes(0x31)).toBe(false);
    }
    line.close();
  });
});
