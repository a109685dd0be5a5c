import { spawn, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRtcp } from '../../src/rtcp/parse.ts';
import { keysFrom } from '../../src/srtp/keys.ts';
import { SrtpReceiver } from '../../src/srtp/receiver.ts';
import { SrtpSender } from '../../src/srtp/sender.ts';
import type { SrtpSuite } from '@earshot/contracts';
import { rtp, sealed } from './support.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const LIMIT_MS = 20_000;
const key = Buffer.from(Array.from({ length: 30 }, (_, i) => i * 5 + 3)).toString('base64');
const keysOf = (suite: SrtpSuite) => keysFrom({ suite, keys: [{ key, mki: null }] })!;

/** A tone of one second, which ffmpeg sends as PCMU; and the codes that it is. */
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=8000:duration=1', '-c:a', 'pcm_mulaw'];

/** Whether somebody has that UDP port of IPv4, by the kernel's list. */
const isBound = (port: number): boolean =>
  readFileSync('/proc/net/udp', 'latin1').includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} `);

/** An RTP socket and the RTCP socket on the port above it. */
async function bindPair(): Promise<readonly [dgram.Socket, dgram.Socket]> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(first, 'listening');
    const port = first.address().port;
    const second = dgram.createSocket('udp4');
    const bound = await new Promise<boolean>((resolve) => {
      second.once('error', () => resolve(false));
      second.bind(port + 1, '127.0.0.1', () => resolve(true));
    });
    if (bound) return [first, second];
    first.close();
    second.close();
  }
  throw new Error('no two ports in a row are free');
}

describe.skipIf(!hasFfmpeg)('against ffmpeg (Debian: ffmpeg)', () => {
  it.each<SrtpSuite>(['AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32'])(
    'a tone that it sends with %s is opened to the sample, and its sender reports too',
    async (suite) => {
      const plain = spawnSync('ffmpeg', ['-v', 'error', ...tone, '-f', 'mulaw', '-']).stdout;
      const [socket, rtcpSocket] = await bindPair();
      const receiver = new SrtpReceiver(keysOf(suite));
      const audio: Buffer[] = [];
      const reports: Buffer[] = [];
      socket.on('message', (packet) => {
        const length = receiver.openRtp(packet, 0);
        if (length > 0) audio.push(packet.subarray(12, length));
      });
      rtcpSocket.on('message', (packet) => {
        const length = receiver.openRtcp(packet, 0);
        if (length > 0) reports.push(packet.subarray(0, length));
      });
      const { port } = socket.address();
      const ffmpeg = spawn('ffmpeg', [
        ...['-v', 'error', '-re', ...tone, '-f', 'rtp', '-srtp_out_suite', suite, '-srtp_out_params', key],
        `srtp://127.0.0.1:${port}?pkt_size=172`,
      ]);
      const [code] = (await once(ffmpeg, 'exit')) as [number];
      expect(code).toBe(0);
      await expect.poll(() => Buffer.concat(audio).length, { timeout: LIMIT_MS }).toBe(plain.length);
      await expect.poll(() => reports.length, { timeout: LIMIT_MS }).toBeGreaterThan(0);
      socket.close();
      rtcpSocket.close();
      expect(Buffer.concat(audio).equals(plain)).toBe(true);
      expect(parseRtcp(reports[0]!)).toMatchObject({ compound: true, packets: [{ type: 'sender-report' }] });
      expect(receiver.refused).toEqual({
        srtp_malformed: 0,
        srtp_mki: 0,
        srtp_authentication: 0,
        srtp_replay: 0,
      });
    },
    60_000,
  );

  it('what we protect it opens, over a roll-over of the sequence number', async () => {
    const [socket, rtcpSocket] = await bindPair();
    const { port } = socket.address();
    socket.close();
    rtcpSocket.close();
    await Promise.all([once(socket, 'close'), once(rtcpSocket, 'close')]);
    const suite = 'AES_CM_128_HMAC_SHA1_80';
    const sdp = [
      'v=0',
      'o=- 0 0 IN IP4 127.0.0.1',
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${port} RTP/SAVP 0`,
      `a=crypto:1 ${suite} inline:${key}`,
      '',
    ].join('\r\n');
    const ffmpeg = spawn('ffmpeg', [
      ...['-v', 'error', '-protocol_whitelist', 'data,pipe,udp,rtp,srtp', '-f', 'sdp', '-i', 'pipe:0'],
      ...['-f', 'mulaw', '-c:a', 'copy', '-t', '0.8', 'pipe:1'],
    ]);
    ffmpeg.stdin.end(sdp);
    const out: Buffer[] = [];
    ffmpeg.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    // It has to hear the stream before the roll-over: who comes later cannot know of it.
    await expect.poll(() => isBound(port), { timeout: LIMIT_MS }).toBe(true);
    const sender = new SrtpSender(keysOf(suite), 0);
    const first = 65_530;
    const source = dgram.createSocket('udp4');
    let sequence = first;
    const timer = setInterval(() => {
      const payload = Buffer.alloc(160, sequence % 251);
      source.send(sealed(sender, rtp(sequence, 77, payload)), port, '127.0.0.1');
      sequence++;
    }, 20);
    const stop = setTimeout(() => ffmpeg.kill(), LIMIT_MS);
    await once(ffmpeg, 'close');
    clearTimeout(stop);
    clearInterval(timer);
    source.close();
    const heard = Buffer.concat(out);
    expect(heard.length).toBeGreaterThanOrEqual(3200);
    const codes = Array.from({ length: heard.length / 160 }, (_, n) => heard[n * 160]!);
    expect(codes).toEqual(codes.map((_, n) => (codes[0]! + n) % 251));
    expect(heard.every((byte, i) => byte === codes[Math.floor(i / 160)])).toBe(true);
    expect(codes).toContain(65_536 % 251);
  }, 60_000);
});
