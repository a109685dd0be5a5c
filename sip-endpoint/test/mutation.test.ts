import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SipEndpoint } from '../src/endpoint.ts';
import { goodRequest, type FuzzCall } from '../src/fuzz/messages.ts';
import { mutate } from '../src/fuzz/mutate.ts';
import { Random } from '../src/fuzz/random.ts';
import { connectApp, startEndpoint, type App } from './support/endpoint.ts';
import { SDP, Uac } from './support/uac.ts';
import { eventually } from './support/wait.ts';

/** The share of the fuzzing that goes through real sockets and an unmodified drachtio-srf; the rest is in fuzz.test.ts. */
let endpoint: SipEndpoint;
let app: App;

beforeEach(async () => {
  endpoint = await startEndpoint();
  app = await connectApp(endpoint, (srf) => {
    srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP }).catch(() => undefined));
    srf.options((_req, res) => void res.send(200));
    srf.info((_req, res) => void res.send(200));
    srf.bye((_req, res) => void res.send(200));
  });
});
afterEach(async () => {
  app.disconnect();
  await endpoint.close();
});

const callOf = (serial: number): FuzzCall => ({
  callId: `real-${serial}@127.0.0.1`,
  fromTag: `from${serial}`,
  toTag: serial % 3 === 0 ? 'there' : undefined,
  seq: 0,
});

async function goodCall(proto: 'udp' | 'tcp'): Promise<void> {
  const uac = await Uac[proto](proto === 'udp' ? endpoint.udpPort : endpoint.tcpPort);
  const call = uac.call();
  const ok = await call.establish();
  expect(ok.body.toString()).toBe(SDP);
  call.send('BYE');
  await uac.response(200, 'BYE');
  uac.close();
}

/** Messages of all kinds that the endpoint has read. */
const seen = (): number => {
  const { requestsByMethod, parseFailuresByCode, responsesReceivedByStatus } = endpoint.stats();
  const tables = [requestsByMethod, parseFailuresByCode, responsesReceivedByStatus];
  return tables.flatMap((table) => Object.values(table)).reduce((sum, count) => sum + count, 0);
};

it('4,000 damaged datagrams leave an endpoint on which a good call succeeds', async () => {
  const random = new Random(20_260_726);
  const sender: UdpSocket = createSocket('udp4');
  sender.bind(0, '127.0.0.1');
  await once(sender, 'listening');
  let sent = 0;
  for (let i = 0; i < 4000; i++) {
    const bytes = Buffer.from(mutate(goodRequest(random, callOf(i), 'UDP'), random), 'latin1');
    if (bytes.length < 16) continue;
    sender.send(bytes, endpoint.udpPort, '127.0.0.1');
    sent++;
    if (i % 100 === 99) await eventually(`all ${sent} are read`, () => seen() === sent);
  }
  sender.close();
  expect(endpoint.stats().internalErrors).toBe(0);
  await goodCall('udp');
}, 60_000);

it('2,000 damaged messages in TCP streams cut anywhere leave an endpoint on which a good call succeeds', async () => {
  const random = new Random(20_261_122);
  let socket: Socket | undefined;
  for (let i = 0; i < 2000; i++) {
    if (socket === undefined || socket.destroyed || !socket.writable) {
      socket = connect({ port: endpoint.tcpPort, host: '127.0.0.1' });
      socket.setNoDelay(true);
      socket.on('error', () => undefined).on('data', () => undefined);
      await once(socket, 'connect');
    }
    const whole = goodRequest(random, callOf(i), 'TCP');
    const bytes = Buffer.from(random.chance(0.3) ? whole : mutate(whole, random), 'latin1');
    const cut = random.below(bytes.length + 1);
    socket.write(bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    if (!socket.destroyed) socket.write(bytes.subarray(cut));
    // A message that was cut swallows the next ones.
    if (random.chance(0.05)) socket.destroy();
  }
  socket?.destroy();
  await eventually('connections are gone', () => endpoint.stats().tcpConnections === 0);
  expect(seen()).toBeGreaterThan(500);
  expect(endpoint.stats().internalErrors).toBe(0);
  await goodCall('tcp');
}, 60_000);
