import dgram from 'node:dgram';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Impairer, type Impairment, lossesOf } from '../src/impairment.ts';
import { buildRtpPacket, buildSenderReport, parseRtpPacket, SAMPLES_PER_PACKET } from '../src/rtp-packet.ts';
import { RtpPacer, RtpStream } from '../src/rtp-sender.ts';

describe('RTP packets', () => {
  it('come back from their bytes, with numbers that wrap around', () => {
    const fields = fc.record({
      payloadType: fc.constantFrom(0, 8),
      marker: fc.boolean(),
      sequence: fc.integer({ min: 0, max: 200_000 }),
      timestamp: fc.integer({ min: 0, max: 2 ** 33 }),
      ssrc: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    });
    fc.assert(
      fc.property(
        fields,
        fc.uint8Array({ minLength: 1, maxLength: 500 }),
        fc.nat(2000),
        (header, audio, offset) => {
          const parsed = parseRtpPacket(buildRtpPacket(header, audio, offset));
          expect(parsed).toMatchObject({
            ...header,
            sequence: header.sequence % 65_536,
            timestamp: header.timestamp % 2 ** 32,
          });
          const looped = Array.from(
            { length: SAMPLES_PER_PACKET },
            (_, i) => audio[(offset + i) % audio.length],
          );
          expect([...(parsed?.payload ?? [])]).toEqual(looped);
        },
      ),
    );
  });

  it('are undefined, and nothing is thrown, for bytes that are too short or of another version', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 11 }), (bytes) => {
        expect(parseRtpPacket(Buffer.from(bytes))).toBeUndefined();
      }),
    );
    expect(parseRtpPacket(Buffer.alloc(172))).toBeUndefined();
  });

  it('have sender reports with NTP time, counts and a CNAME in whole words', () => {
    const report = buildSenderReport({
      ssrc: 7,
      wallMs: Date.UTC(2026, 0, 1) + 500,
      timestamp: 2 ** 32 + 160,
      packets: 3,
      octets: 480,
      cname: 'call-1',
    });
    expect(report.readUInt32BE(4)).toBe(7);
    // Seconds between 1900 and 2026, and a half.
    expect(report.readUInt32BE(8)).toBe(Date.UTC(2026, 0, 1) / 1000 - Date.UTC(1900, 0, 1) / 1000);
    expect(report.readUInt32BE(12)).toBe(2 ** 31);
    expect([16, 20, 24].map((at) => report.readUInt32BE(at))).toEqual([160, 3, 480]);
    expect(report.length % 4).toBe(0);
    expect(28 + 4 + report.readUInt16BE(30) * 4).toBe(report.length);
    expect(report.toString('utf8', 38, 38 + (report[37] ?? 0))).toBe('call-1');
  });
});

describe('an impaired stream', () => {
  function pass(
    count: number,
    rates: { lossRate?: number; duplicateRate?: number; reorderRate?: number },
    seed = 5,
  ) {
    const impairer = new Impairer({ ...rates, seed });
    const sent: number[] = [];
    const send = (packet: Buffer) => sent.push(packet.readUInt16BE(0));
    for (let i = 0; i < count; i += 1) {
      const packet = Buffer.alloc(2);
      packet.writeUInt16BE(i);
      impairer.pass(packet, send);
    }
    impairer.flush(send);
    return { impairer, sent };
  }

  it('loses, doubles and swaps as many packets as it says, and the same ones for a seed', () => {
    const rates = { lossRate: 0.1, duplicateRate: 0.05, reorderRate: 0.05 };
    const { impairer, sent } = pass(2000, rates);
    expect(sent).toEqual(pass(2000, rates).sent);
    expect(sent).not.toEqual(pass(2000, rates, 6).sent);
    expect(new Set(sent).size).toBe(2000 - impairer.lost);
    expect(sent.length).toBe(2000 - impairer.lost + impairer.duplicated);
    expect(sent.filter((sequence, i) => sequence < (sent[i - 1] ?? -1)).length).toBe(impairer.reordered);
    expect(impairer.lost).toBeGreaterThan(100);
    expect(impairer.duplicated).toBeGreaterThan(30);
    expect(impairer.reordered).toBeGreaterThan(30);
  });

  it('loses in runs of the length that it says, at the rate that it says', () => {
    const lost = lossesOf({ lossRate: 0.05, lossBurst: 4, seed: 9 }, 100_000);
    const count = lost.filter(Boolean).length;
    const runs = lost.filter((gone, n) => gone && lost[n - 1] !== true).length;
    expect(count / 100_000).toBeCloseTo(0.05, 2);
    expect(count / runs).toBeGreaterThan(3.6);
    expect(count / runs).toBeLessThan(4.4);
  });

  it('is late by no more than its jitter, and every packet leaves once', () => {
    const impairment: Impairment = { jitterMs: 50, seed: 3 };
    const impairer = new Impairer(impairment);
    const left: { n: number; atMs: number }[] = [];
    for (let atMs = 0; atMs <= 2100; atMs += 1) {
      const send = (packet: Buffer) => left.push({ n: packet.readUInt16BE(0), atMs });
      if (atMs < 2000 && atMs % 20 === 0) {
        const packet = Buffer.alloc(2);
        packet.writeUInt16BE(atMs / 20);
        impairer.pass(packet, send, atMs);
      }
      impairer.release(atMs, send);
    }
    expect(impairer.waiting).toBe(0);
    expect(left.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    for (const { n, atMs } of left) {
      expect(atMs - 20 * n).toBeGreaterThanOrEqual(0);
      expect(atMs - 20 * n).toBeLessThanOrEqual(51);
    }
    // Some overtake others.
    expect(left.map(({ n }) => n)).not.toEqual(left.map((_, n) => n));
  });

  it('leaves the packets at both ends alone when it is told to', () => {
    const lost = lossesOf({ lossRate: 0.5, wholePackets: 10, seed: 4 }, 100);
    expect([...lost.slice(0, 10), ...lost.slice(-10)]).not.toContain(true);
    expect(lost.slice(10, -10)).toContain(true);
  });

  it('is whole and in order when nothing is wrong', () => {
    expect(pass(50, {}).sent).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});

describe('paced streams', () => {
  let receiver: dgram.Socket;
  const streams: RtpStream[] = [];

  beforeEach(async () => {
    receiver = dgram.createSocket({ type: 'udp4', recvBufferSize: 1_048_576 });
    receiver.bind(0, '127.0.0.1');
    await once(receiver, 'listening');
  });

  afterEach(async () => {
    for (const stream of streams.splice(0)) await stream.close();
    receiver.close();
  });

  async function openStream(packets: number, startAtMs: number, audio = new Uint8Array(SAMPLES_PER_PACKET)) {
    const stream = await RtpStream.open('127.0.0.1');
    streams.push(stream);
    await stream.connect({ address: '127.0.0.1', port: receiver.address().port });
    stream.play({ audio, payloadType: 0, packets, startAtMs, cname: 'test' });
    return stream;
  }

  it('send a packet every 20 ms from their start on, by an absolute schedule', async () => {
    const stream = await openStream(1000, 5000);
    const sentAt = (nowMs: number) => {
      stream.advance(nowMs);
      return stream.packetsSent;
    };
    expect([4999, 5000, 5019.9, 5020, 5021, 5059, 5061].map(sentAt)).toEqual([0, 1, 1, 2, 2, 3, 4]);
    // Ticks that are always 3 ms late do not add up.
    for (let tick = 5063; tick <= 15_003; tick += 5) stream.advance(tick);
    expect(stream.packetsSent).toBe(501);
  });

  it('send packets that were made beforehand when those before them are over', async () => {
    const frame = (ms: number) => ({ payloadType: 9, payload: new Uint8Array([ms]), ms, units: 8 * ms });
    const stream = await RtpStream.open('127.0.0.1');
    streams.push(stream);
    await stream.connect({ address: '127.0.0.1', port: receiver.address().port });
    const packets: { timestamp: number; payload: Buffer }[] = [];
    receiver.on('message', (bytes) => packets.push(parseRtpPacket(bytes)!));
    stream.play({ frames: [60, 10, 20, 20].map(frame), startAtMs: 0, cname: 'test' });
    const sentAt = (nowMs: number) => {
      stream.advance(nowMs);
      return stream.packetsSent;
    };
    expect([0, 59, 60, 69, 70, 89, 90].map(sentAt)).toEqual([1, 1, 2, 2, 3, 3, 4]);
    while (packets.length < 4) await once(receiver, 'message');
    const first = packets[0]!.timestamp;
    expect(packets.map(({ timestamp }) => (timestamp - first) >>> 0)).toEqual([0, 480, 560, 720]);
    expect(packets.map(({ payload }) => payload[0])).toEqual([60, 10, 20, 20]);
  });

  it('catch up after a pause of the process a few packets at a time', async () => {
    const stream = await openStream(1000, 0);
    stream.advance(0);
    stream.advance(1000);
    expect(stream.packetsSent).toBe(11);
    for (let tick = 1000; tick < 1020; tick += 1) stream.advance(tick);
    expect(stream.packetsSent).toBe(51);
  });

  it('arrive complete from many streams at once, with their own random numbers', async () => {
    const perSsrc = new Map<number, { sequences: number[]; timestamps: number[]; markers: boolean[] }>();
    receiver.on('message', (bytes) => {
      const packet = parseRtpPacket(bytes);
      if (packet === undefined) return;
      const seen = perSsrc.get(packet.ssrc) ?? { sequences: [], timestamps: [], markers: [] };
      perSsrc.set(packet.ssrc, seen);
      seen.sequences.push(packet.sequence);
      seen.timestamps.push(packet.timestamp);
      seen.markers.push(packet.marker);
    });
    const pacer = new RtpPacer();
    const started = performance.now();
    for (let i = 0; i < 100; i += 1) pacer.add(await openStream(25, started + 100 + (i % 20)));
    await Promise.all(streams.map((stream) => stream.finished));
    while ([...perSsrc.values()].reduce((sum, { sequences }) => sum + sequences.length, 0) < 2500) {
      await once(receiver, 'message');
    }
    expect(performance.now() - started).toBeGreaterThanOrEqual(100 + 24 * 20);
    expect(perSsrc.size).toBe(100);
    for (const { sequences, timestamps, markers } of perSsrc.values()) {
      const [firstSequence = 0] = sequences;
      const [firstTimestamp = 0] = timestamps;
      expect(sequences).toEqual(sequences.map((_, i) => (firstSequence + i) % 65_536));
      expect(timestamps).toEqual(timestamps.map((_, i) => (firstTimestamp + i * 160) % 2 ** 32));
      expect(markers).toEqual(markers.map((_, i) => i === 0));
    }
    expect(new Set([...perSsrc.values()].map(({ sequences }) => sequences[0])).size).toBeGreaterThan(90);
  });
});
