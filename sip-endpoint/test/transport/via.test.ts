import { describe, expect, it } from 'vitest';
import { resolveTarget, routeRequest } from '../../src/dialog/routing.ts';
import type { DialogRecord } from '../../src/dialog/record.ts';
import { headerValues, type SipRequest } from '../../src/parse/message.ts';
import { parseMessage } from '../../src/parse/parse.ts';
import { parseVia } from '../../src/parse/via.ts';
import { responseTarget, stampVia, type Flow } from '../../src/transport/flow.ts';
import { localAddressFor, type InterfaceAddress } from '../../src/transport/local-address.ts';

const FLOW: Flow = {
  proto: 'udp',
  remoteAddress: '192.0.2.7',
  remotePort: 40_000,
  localAddress: '192.0.2.9',
  localPort: 5060,
  connection: undefined,
};

function requestWith(via: string): SipRequest {
  const text = `OPTIONS sip:a SIP/2.0\r\nVia: ${via}\r\nVia: SIP/2.0/UDP below\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n`;
  const result = parseMessage(Buffer.from(text));
  if (!result.ok || result.message.kind !== 'request') throw new Error('bad fixture');
  return result.message;
}

const stamped = (via: string): string =>
  headerValues(stampVia(requestWith(via), FLOW).headers, 'via')[0] ?? '';

describe('the topmost Via', () => {
  it.each([
    ['SIP/2.0/UDP 192.0.2.7:5070;branch=x', 'SIP/2.0/UDP 192.0.2.7:5070;branch=x'],
    ['SIP/2.0/UDP 10.0.0.1:5070;branch=x', 'SIP/2.0/UDP 10.0.0.1:5070;branch=x;received=192.0.2.7'],
    ['SIP/2.0/UDP pc.example;branch=x', 'SIP/2.0/UDP pc.example;branch=x;received=192.0.2.7'],
    [
      'SIP/2.0/UDP 192.0.2.7:5070;rport;branch=x',
      'SIP/2.0/UDP 192.0.2.7:5070;rport=40000;branch=x;received=192.0.2.7',
    ],
    [
      'SIP/2.0/UDP 10.0.0.1;rport=1;received=203.0.113.5;branch=x',
      'SIP/2.0/UDP 10.0.0.1;rport=40000;branch=x;received=192.0.2.7',
    ],
  ])('%s becomes %s (RFC 3261 section 18.2.1, RFC 3581)', (before, after) => {
    expect(stamped(before)).toBe(after);
  });

  it('only is stamped, and the others are left', () => {
    const values = headerValues(stampVia(requestWith('SIP/2.0/UDP x;rport'), FLOW).headers, 'via');
    expect(values[1]).toBe('SIP/2.0/UDP below');
  });

  it('decides where answers go: rport over UDP, else the port of sent-by, always to the source', () => {
    const port = (text: string, flow = FLOW): number => {
      const via = parseVia(text);
      if (via === undefined) throw new Error('bad fixture');
      const target = responseTarget(via, flow);
      expect(target.host).toBe('192.0.2.7');
      return target.port;
    };
    expect(port('SIP/2.0/UDP h:5070;rport=40000')).toBe(40_000);
    expect(port('SIP/2.0/UDP h:5070;maddr=203.0.113.5')).toBe(5070);
    expect(port('SIP/2.0/UDP h')).toBe(5060);
    expect(port('SIP/2.0/TCP h:5070;rport=40000', { ...FLOW, proto: 'tcp' })).toBe(5070);
  });
});

describe('a request in a dialog', () => {
  const record = (routeSet: string[]): DialogRecord => ({
    id: 'c;from-tag=r',
    callId: 'c',
    role: 'uas',
    localTag: 'l',
    remoteTag: 'r',
    localParty: '<sip:a@b>;tag=l',
    remoteParty: '<sip:c@d>;tag=r',
    localSeq: 0,
    remoteSeq: 1,
    remoteTarget: 'sip:c@192.0.2.7:5070?Subject=x',
    routeSet,
    proto: 'udp',
    peerAddress: '192.0.2.7',
    peerPort: 40_000,
    localAddress: '192.0.2.9',
    localPort: 5060,
  });

  it('goes to the remote target, without the headers of its URI, when there is no route', () => {
    expect(routeRequest(record([]))).toEqual({
      uri: 'sip:c@192.0.2.7:5070',
      routes: [],
      nextUri: 'sip:c@192.0.2.7:5070',
    });
  });

  it('goes to a strict router with the remote target last in Route', () => {
    expect(routeRequest(record(['<sip:s@1>', '<sip:t;lr>']))).toEqual({
      uri: 'sip:s@1',
      routes: [
        ['Route', '<sip:t;lr>'],
        ['Route', '<sip:c@192.0.2.7:5070>'],
      ],
      nextUri: 'sip:s@1',
    });
  });

  it('keeps the transport of the dialog unless the URI names one that we have', () => {
    const open = { proto: 'tcp' as const, open: true, send: () => undefined };
    expect(resolveTarget('sip:a@h', 'tcp', open)).toEqual({
      proto: 'tcp',
      host: 'h',
      port: 5060,
      connection: open,
    });
    expect(resolveTarget('sip:a@h:1;transport=UDP', 'tcp', open)).toMatchObject({
      proto: 'udp',
      connection: undefined,
    });
    expect(resolveTarget('sip:a@h', 'tcp', { ...open, open: false })?.connection).toBeUndefined();
    expect(resolveTarget('sips:a@h', 'tcp', open)).toMatchObject({
      proto: 'tls',
      port: 5061,
      connection: undefined,
    });
    expect(resolveTarget('sip:a@h;transport=tls', 'udp', undefined)).toMatchObject({
      proto: 'tls',
      port: 5061,
    });
    expect(resolveTarget('sips:a@h;transport=udp', 'tcp', open)).toBeUndefined();
    expect(resolveTarget('sip:a@h;transport=ws', 'tcp', open)).toBeUndefined();
  });
});

describe('our own address, on a wildcard', () => {
  const interfaces: InterfaceAddress[] = [
    { address: '127.0.0.1', family: 'IPv4', cidr: '127.0.0.1/8', internal: true },
    { address: '10.1.0.5', family: 'IPv4', cidr: '10.1.0.5/16', internal: false },
    { address: '192.0.2.9', family: 'IPv4', cidr: '192.0.2.9/24', internal: false },
  ];
  it('is the one in the network of the peer, loopback for loopback, else the first', () => {
    expect(localAddressFor('0.0.0.0', '192.0.2.200', interfaces)).toBe('192.0.2.9');
    expect(localAddressFor('0.0.0.0', '10.1.200.1', interfaces)).toBe('10.1.0.5');
    expect(localAddressFor('0.0.0.0', '127.0.0.1', interfaces)).toBe('127.0.0.1');
    expect(localAddressFor('0.0.0.0', '203.0.113.1', interfaces)).toBe('10.1.0.5');
    expect(localAddressFor('192.0.2.9', '203.0.113.1', interfaces)).toBe('192.0.2.9');
  });
});
