import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Leg, LegChannel, MediaCrypto, SrtpSuite } from '@earshot/contracts';
import { Registry } from '@earshot/platform';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Channel } from '../src/leg/channel.ts';
import { lastBlockOf } from '../src/spool/last-block.ts';
import { BlockWriter } from '../src/spool/block-writer.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { Wal } from '../src/spool/wal.ts';
import { parseRtcp } from '../src/rtcp/parse.ts';
import { keysFrom } from '../src/srtp/keys.ts';
import { SrtpReceiver } from '../src/srtp/receiver.ts';
import { MAX_SRTP_OVERHEAD, SrtpSender } from '../src/srtp/sender.ts';
import { MediaMetrics } from '../src/worker/metrics.ts';
import { newCall } from './support/call.ts';
import { quietLog } from './support/null-log.ts';
import { markedPayload, rtpBytes } from './support/rtp.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SIZES: Partial<Record<SrtpSuite, number>> = { AES_CM_128_HMAC_SHA1_80: 30, AEAD_AES_256_GCM: 44 };
const keySet = (suite: SrtpSuite): MediaCrypto['send'] => ({
  suite,
  keys: [{ key: randomBytes(SIZES[suite]!).toString('base64'), mki: null }],
});
const newCrypto = (suite: SrtpSuite): MediaCrypto => ({ receive: keySet(suite), send: keySet(suite) });

/** A channel of a call, made as often as its process dies. */
function newChannel(leg: Leg, over: Partial<LegChannel>, name: string): { channel: Channel; wal: Wal } {
  const health = new DiskHealth(quietLog);
  const wal = new Wal(
    join(folder, `wal-${name}`),
    0,
    1,
    health,
    () => performance.now() * 1000,
    () => Infinity,
  );
  for (const each of [name, `wal-${name}`]) mkdirSync(join(folder, each), { recursive: true });
  const writer = new BlockWriter(join(folder, name), 0, health);
  const channel = new Channel({ ...leg.channels[0]!, ...over }, leg.zero, writer, wal, leg.zero.monoUs);
  return { channel, wal };
}

class Sealed {
  readonly #sender: SrtpSender;
  #n: number;
  constructor(crypto: MediaCrypto, firstSequence: number, rollover = 0) {
    this.#sender = new SrtpSender(keysFrom(crypto.receive)!, 0, rollover);
    this.#n = firstSequence;
  }
  next(): Uint8Array {
    const n = this.#n++;
    const plain = rtpBytes({ sequence: n & 0xffff, timestamp: n * 160, payload: markedPayload(n) });
    const bytes = new Uint8Array(plain.length + MAX_SRTP_OVERHEAD);
    bytes.set(plain);
    return bytes.subarray(0, this.#sender.sealRtp(bytes, plain.length));
  }
}

describe('a protected channel', () => {
  it('leaves a datagram as it came: a replacement may have to open it again', () => {
    const crypto = newCrypto('AES_CM_128_HMAC_SHA1_80');
    const { leg } = newCall(1);
    const { channel, wal } = newChannel(leg, { srtp: crypto }, 'as-it-came');
    const datagram = new Sealed(crypto, 1).next();
    const before = Uint8Array.from(datagram);
    channel.receive(datagram, '127.0.0.1', 4000, leg.zero.monoUs + 20_000);
    expect(channel.counters.received).toBe(1);
    expect(datagram).toEqual(before);
    wal.close();
  });

  for (const suite of ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_256_GCM'] as const) {
    it(`of ${suite} takes what is authentic, once, and nothing else`, async () => {
      const crypto = newCrypto(suite);
      const { leg } = newCall(1);
      const { channel, wal } = newChannel(leg, { srtp: crypto }, `once-${suite}`);
      expect(String(channel)).toMatch(new RegExp(`^Srtp\\(${suite}\\) -> Rtp\\(PCMU`));
      const line = new Sealed(crypto, 65_500);
      const stranger = new Sealed(newCrypto(suite), 65_500);
      for (let n = 0; n < 100; n++) {
        const us = leg.zero.monoUs + (n + 1) * 20_000;
        channel.receive(stranger.next(), '127.0.0.1', 4000, us);
        const good = line.next();
        const again = Uint8Array.from(good);
        const forged = Uint8Array.from(good);
        forged[20]! ^= 1;
        channel.receive(forged, '127.0.0.1', 4000, us);
        channel.receive(good, '127.0.0.1', 4000, us);
        channel.receive(again, '127.0.0.1', 4000, us);
      }
      const plain = rtpBytes({ sequence: 65_600, timestamp: 1, payload: markedPayload(1) });
      channel.receive(plain, '127.0.0.1', 4000, leg.zero.monoUs + 3e6);
      expect(channel.counters.received).toBe(100);
      expect(channel.counters.duplicate).toBe(100);
      expect(channel.counters.rejected.authentication).toBe(201);
      channel.receiveRtcp(Uint8Array.of(1, 2, 3), '127.0.0.1', 4000, leg.zero.monoUs + 3e6);
      const registry = new Registry();
      const metrics = new MediaMetrics(registry, new DiskHealth(quietLog));
      // Told twice, counted once.
      for (let second = 0; second < 2; second++) metrics.channel(channel);
      const counted = await registry.getSingleMetric('earshot_srtp_packets_refused_total')!.get();
      expect(
        Object.fromEntries(counted.values.map(({ labels, value }) => [labels['reason'], value])),
      ).toEqual({
        srtp_authentication: 201,
        srtp_replay: 100,
        srtp_malformed: 1,
      });
      expect(channel.timeline.endTick).toBe(16_000);
      const heard = channel.tape.blockFrom(0)!;
      expect([...heard.payload.subarray(0, 160)]).toEqual([...markedPayload(65_500)]);
      wal.close();
    });
  }

  it('goes on after its process died, over the wrap of the sequence, and its log holds no key and no cipher', async () => {
    const crypto = newCrypto('AES_CM_128_HMAC_SHA1_80');
    const { leg } = newCall(1);
    const line = new Sealed(crypto, 65_400, 7);
    const first = newChannel(leg, { srtp: crypto }, 'dies');
    let n = 0;
    const send = (channel: Channel, count: number): void => {
      for (let i = 0; i < count; i++)
        channel.receive(line.next(), '127.0.0.1', 4000, leg.zero.monoUs + ++n * 20_000);
    };
    send(first.channel, 200);
    first.channel.finish(leg.zero.monoUs + n * 20_000, 0);
    await first.channel.writer.close();
    first.wal.close();
    const logs = readdirSync(join(folder, 'wal-dies')).map((name) =>
      readFileSync(join(folder, 'wal-dies', name)),
    );
    expect(Buffer.concat(logs).includes(Buffer.from(markedPayload(65_450)))).toBe(true);
    const last = lastBlockOf(join(folder, 'dies'), 0)!;
    expect(last.block.srtpRollover).toBe(8);
    const second = newChannel(leg, { srtp: crypto }, 'dies');
    second.channel.restore(last, 4711);
    send(second.channel, 50);
    expect(second.channel.counters.rejected.authentication).toBe(0);
    expect(second.channel.timeline.endTick).toBe(250 * 160);
    second.wal.close();
  });

  it('reports to the sender with a key of its own', () => {
    const crypto = newCrypto('AES_CM_128_HMAC_SHA1_80');
    const { leg } = newCall(1);
    const rtcp = { mux: true, reducedSize: false, remote: { address: '127.0.0.1', port: 4000 } };
    const { channel, wal } = newChannel(leg, { srtp: crypto, rtcp }, 'reports');
    const line = new Sealed(crypto, 10);
    let us = leg.zero.monoUs;
    let report = channel.report(us);
    for (let n = 0; n < 600 && report === null; n++) {
      us += 20_000;
      channel.receive(line.next(), '127.0.0.1', 4000, us);
      report = channel.report(us);
    }
    expect(report).toMatchObject({ address: '127.0.0.1', port: 4000, from: 'rtp' });
    const bytes = Uint8Array.from(report!.bytes);
    expect(parseRtcp(bytes)).not.toMatchObject({
      kind: 'packets',
      packets: [{ reports: [{ ssrc: 0x1234 }] }],
    });
    const length = new SrtpReceiver(keysFrom(crypto.send)!).openRtcp(bytes, us);
    const opened = parseRtcp(bytes.subarray(0, length));
    expect(opened).toMatchObject({
      kind: 'packets',
      packets: [
        { type: 'receiver-report', reports: [{ ssrc: 0x1234, cumulativeLost: 0, fractionLost: 0 }] },
        { type: 'description' },
        {},
      ],
    });
    wal.close();
  });
});

describe('the record of a channel', () => {
  it('has the quality of its stream: less where packets are lost', () => {
    const { leg } = newCall(1);
    const moses = [0, 0.05, 0.2].map((loss) => {
      const { channel, wal } = newChannel(leg, {}, `quality-${loss}`);
      for (let n = 0; n < 500; n++) {
        const bytes = rtpBytes({ sequence: n, timestamp: n * 160, payload: markedPayload(n) });
        if (n % 20 >= loss * 20) channel.receive(bytes, '127.0.0.1', 4000, leg.zero.monoUs + n * 20_000);
      }
      channel.finish(leg.zero.monoUs + 10e6, 0);
      wal.close();
      return channel.totals().quality!.mos;
    });
    expect(moses[0]).toBeGreaterThan(4.3);
    expect(moses[1]).toBeLessThan(moses[0]!);
    expect(moses[2]).toBeLessThan(moses[1]! - 0.3);
  });
});
