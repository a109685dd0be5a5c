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

test('a TLS port in use is named', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  await expect(SipSockets.bind('127.0.0.1', 0, port)).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringContaining(String(port)) as string,
  });
  taken.close();
});
