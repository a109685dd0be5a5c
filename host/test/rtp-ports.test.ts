import dgram from 'node:dgram';
import { once } from 'node:events';
import type { ChannelId } from '@earshot/contracts';
import { afterEach, expect, test } from 'vitest';
import { type PortPair, RtpPorts } from '../src/rtp-ports.ts';

const channel = 'c:0' as ChannelId;
const FIRST = 31_001; // odd on purpose: the first pair begins at 31002
let nowMs = 0;
const held: PortPair[] = [];
let ports = new RtpPorts('127.0.0.1', FIRST, FIRST + 6, () => nowMs);
afterEach(() => {
  for (const pair of held.splice(0)) ports.giveBack(pair);
  nowMs = 0;
  ports = new RtpPorts('127.0.0.1', FIRST, FIRST + 6, () => nowMs);
});

function take(): PortPair | null {
  const pair = ports.take(channel);
  if (pair !== null) held.push(pair);
  return pair;
}

test('RTP gets an even port, the range is never left, and its end is said', () => {
  const taken = [take(), take(), take()].map((pair) => pair?.rtpPort);
  expect(taken).toEqual([31_002, 31_004, 31_006]);
  expect(take()).toBeNull();
});

test('a freed port rests 30 seconds', () => {
  const [first] = [take(), take(), take()];
  held.splice(held.indexOf(first!), 1);
  ports.giveBack(first!);
  nowMs = 29_999;
  expect(take()).toBeNull();
  nowMs = 30_001;
  expect(take()?.rtpPort).toBe(first?.rtpPort);
});

test('a channel of an earlier run has its own port again, resting or not, or none', () => {
  const first = take()!;
  expect(ports.takeAgain(channel, first.rtpPort)).toBeNull();
  held.splice(held.indexOf(first), 1);
  ports.giveBack(first);
  const again = ports.takeAgain(channel, first.rtpPort)!;
  held.push(again);
  expect(again.rtpPort).toBe(first.rtpPort);
  expect([take()?.rtpPort, take()?.rtpPort, take()]).toEqual([31_004, 31_006, null]);
});

test('a new run begins behind the ports of the last one', () => {
  take();
  const { nextPort } = ports;
  ports = new RtpPorts('127.0.0.1', FIRST, FIRST + 6, () => nowMs);
  ports.goOnFrom(nextPort);
  expect(take()?.rtpPort).toBe(31_004);
  // Of another range.
  ports.goOnFrom(40_000);
  expect(take()?.rtpPort).toBe(31_006);
});

test('a port that another program has is skipped', async () => {
  const other = dgram.createSocket('udp4');
  other.bind(31_003, '127.0.0.1');
  await once(other, 'listening');
  expect(take()?.rtpPort).toBe(31_004);
  other.close();
});
