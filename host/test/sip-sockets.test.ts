import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { SipSockets } from '../src/sip-sockets.ts';

test('UDP and TCP share a port, TLS has its own, and each is lent under its name', async () => {
  const sockets = await SipSockets.bind('127.0.0.1', 0, 0);
  const ports = new Map(
    sockets.loans().map(({ message }) => (message.type === 'lent' ? [message.kind, message.port] : ['', 0])),
  );
  expect([...ports.keys()]).toEqual(['sip-udp', 'sip-tcp', 'sip-tls', 'drachtio-tcp']);
  expect(ports.get('sip-tcp')).toBe(ports.get('sip-udp'));
  expect(ports.get('sip-tls')).toBe(sockets.tlsPort);
  expect(sockets.tlsPort).not.toBe(sockets.port);
  expect(sockets.address).toBe(`127.0.0.1:${sockets.port} (UDP and TCP, TLS on ${sockets.tlsPort})`);
  sockets.close();
});

test('without TLS nothing is lent for it', async () => {
  const sockets = await SipSockets.bind('127.0.0.1', 0, null);
  expect(sockets.loans()).toHaveLength(3);
  expect(sockets.tlsPort).toBeNull();
  sockets.close();
});

test.each([
  ['SIP_PORT', 0],
  ['SIPS_PORT', 1],
])('a port in use is told by its setting, %s', async (setting, place) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  const [sipPort, tlsPort] = place === 0 ? [port, null] : [0, port];
  await expect(SipSockets.bind('127.0.0.1', sipPort, tlsPort)).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringMatching(`127\\.0\\.0\\.1:${port}: .*\\(${setting}\\)`) as string,
  });
  taken.close();
});

test('an address that this machine lacks is not called a port in use', async () => {
  for (const port of [0, 15_060]) {
    await expect(SipSockets.bind('192.0.2.77', port, null)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/no address 192\.0\.2\.77 \(SIP_BIND/) as string,
    });
  }
});
