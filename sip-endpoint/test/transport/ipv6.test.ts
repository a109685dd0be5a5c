import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../../src/endpoint.ts';
import { headerValue } from '../../src/parse/message.ts';
import { tagOf } from '../../src/parse/uri.ts';
import { localAddressFor, type InterfaceAddress } from '../../src/transport/local-address.ts';
import { startEndpoint } from '../support/endpoint.ts';
import { SDP, Uac } from '../support/uac.ts';
import { WireClient } from '../support/wire-client.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

let endpoint: SipEndpoint;
let app: WireClient;
let uac: Uac;

async function start(host: string): Promise<void> {
  endpoint = await startEndpoint({ udp: { host, port: 0 }, tcp: { host, port: 0 } });
  app = await WireClient.app(endpoint.wirePort, 'invite', 'bye');
}

/** INVITE, 200, ACK, and a BYE from us: all over the addresses that the messages name. */
async function callBothWays(host: string, port: number): Promise<void> {
  const call = uac.call();
  call.viaParams = ';rport';
  call.invite();
  const invite = await app.notified('INVITE');
  expect(invite.tokens.slice(5, 7)).toEqual([host, String(uac.port)]);
  expect(invite.tokens.slice(10, 12)).toEqual([host, String(port)]);
  expect(invite.text).toContain(`rport=${uac.port};received=${host}`);
  await app.respond(invite, '200 OK', '', SDP);
  const ok = await uac.response(200, 'INVITE');
  const shown = host.includes(':') ? `[${host}]` : host;
  expect(headerValue(ok.headers, 'contact')).toContain(`<sip:${shown}:${port}`);
  call.toTag = tagOf(ok.to);
  call.ack();
  await app.notified('ACK');
  await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
  const bye = await uac.request('BYE');
  expect(bye.via).toMatchObject({ host: shown, port });
  uac.reply(bye, 200, 'OK');
  await app.notified('SIP/2.0 200');
}

describe.skipIf(!hasIPv6)('SIP over IPv6 (skipped where there is no ::1)', () => {
  afterEach(async () => {
    uac.close();
    app.close();
    await endpoint.close();
  });

  it.each(['udp', 'tcp'] as const)('carries a call over %s on ::1', async (proto) => {
    await start('::1');
    const port = proto === 'udp' ? endpoint.udpPort : endpoint.tcpPort;
    uac = await Uac[proto](port, '::1');
    await callBothWays('::1', port);
  });

  it.each(['udp', 'tcp'] as const)('a socket on :: carries calls over %s of both families', async (proto) => {
    await start('::');
    const port = proto === 'udp' ? endpoint.udpPort : endpoint.tcpPort;
    uac = await Uac[proto](port, '::1');
    await callBothWays('::1', port);
    uac.close();
    app.close();
    app = await WireClient.app(endpoint.wirePort, 'invite', 'bye');
    uac = await Uac[proto](port, '127.0.0.1');
    await callBothWays('127.0.0.1', port);
  });
});

describe('our own address for an IPv6 peer', () => {
  const interfaces: InterfaceAddress[] = [
    { address: '192.0.2.9', family: 'IPv4', cidr: '192.0.2.9/24', internal: false },
    { address: 'fe80::9', family: 'IPv6', cidr: 'fe80::9/64', internal: false },
    { address: '2001:db8:1::9', family: 'IPv6', cidr: '2001:db8:1::9/64', internal: false },
    { address: '2001:db8:2::9', family: 'IPv6', cidr: '2001:db8:2::9/64', internal: false },
  ];
  it('is one of its network, else a global one, and link-local only for link-local', () => {
    expect(localAddressFor('::', '2001:db8:2::77', interfaces)).toBe('2001:db8:2::9');
    expect(localAddressFor('::', '2001:db8:3::77', interfaces)).toBe('2001:db8:1::9');
    expect(localAddressFor('::', 'fe80::1%eth0', interfaces)).toBe('fe80::9');
    expect(localAddressFor('::', '192.0.2.77', interfaces)).toBe('192.0.2.9');
  });
});
