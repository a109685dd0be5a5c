import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipEndpoint } from '../../src/endpoint.ts';
import { quiet, startEndpoint } from '../support/endpoint.ts';
import { SDP, Uac } from '../support/uac.ts';
import { eventually } from '../support/wait.ts';
import { WireClient } from '../support/wire-client.ts';

let endpoint: SipEndpoint;
const open: { close(): void }[] = [];
const keep = <T extends { close(): void }>(thing: T): T => {
  open.push(thing);
  return thing;
};

beforeEach(async () => {
  endpoint = await startEndpoint();
});
afterEach(async () => {
  for (const thing of open.splice(0)) thing.close();
  await endpoint.close();
});

describe('an application connection', () => {
  it('is refused and closed with a wrong secret', async () => {
    const client = keep(await WireClient.connect(endpoint.wirePort));
    expect((await client.command('authenticate|wrong|')).tokens).toEqual(['NO', 'incorrect secret']);
    await client.untilClosed();
  });

  it.each(['route|invite', 'ping', 'sip||', 'bogus|x'])(
    'is refused and closed when it begins with %s',
    async (first) => {
      const client = keep(await WireClient.connect(endpoint.wirePort));
      expect((await client.command(first)).tokens[0]).toBe('NO');
      await client.untilClosed();
      expect(endpoint.stats().applications).toBe(0);
    },
  );

  it('is closed without a word when it sends no frame, or a large one before it has authenticated', async () => {
    for (const bytes of ['GET / HTTP/1.1\r\n', '5000#']) {
      const client = keep(await WireClient.connect(endpoint.wirePort));
      client.sendRaw(Buffer.from(bytes));
      await client.untilClosed();
      expect(client.frames).toEqual([]);
    }
  });

  it('gets host ports and a version that lets drachtio-srf ping', async () => {
    const client = keep(await WireClient.connect(endpoint.wirePort));
    const [ok, hostPorts, version, local] = (await client.command('authenticate|secret|')).tokens;
    expect(ok).toBe('OK');
    const both = `tcp/127.0.0.1:${endpoint.tcpPort},udp/127.0.0.1:${endpoint.udpPort}`;
    expect([hostPorts, local]).toEqual([both, both]);
    expect(version).toMatch(/^v(\d+)\.(\d+)\.(\d+)/);
    expect((await client.command('ping')).tokens).toEqual(['OK', 'pong']);
  });

  it('may route twice and gets each request once; after remove_route it gets none', async () => {
    const client = keep(await WireClient.app(endpoint.wirePort, 'options', 'options'));
    const uac = keep(await Uac.udp(endpoint.udpPort));
    uac.call().send('OPTIONS');
    const request = await client.notified('OPTIONS');
    await client.respond(request, '200 OK');
    await uac.response(200, 'OPTIONS');
    expect(client.count('OPTIONS')).toBe(1);
    expect((await client.command('remove_route|options')).tokens).toEqual(['OK']);
    uac.call().send('OPTIONS');
    await uac.response(503, 'OPTIONS');
  });

  it('shares requests in turn with the others that route the method', async () => {
    const clients = [
      keep(await WireClient.app(endpoint.wirePort, 'options')),
      keep(await WireClient.app(endpoint.wirePort, 'options')),
    ];
    const uac = keep(await Uac.udp(endpoint.udpPort));
    for (let i = 0; i < 6; i++) uac.call().send('OPTIONS');
    await eventually(
      'all six',
      () => clients.reduce((sum, client) => sum + client.count('OPTIONS'), 0) === 6,
    );
    expect(clients.map((client) => client.count('OPTIONS'))).toEqual([3, 3]);
  });

  it('is closed after an unknown verb, and told that proxy is not supported', async () => {
    const client = keep(await WireClient.app(endpoint.wirePort));
    expect((await client.command('proxy|x|||')).tokens[0]).toBe('NOK');
    expect((await client.command('bogus')).tokens).toEqual(['NO', 'Unknown message type']);
    await client.untilClosed();
  });

  it('gets NOK for SIP that is malformed, unknown or not supported, and stays connected', async () => {
    const client = keep(await WireClient.app(endpoint.wirePort));
    const ask = async (rest: string, text: string): Promise<string | undefined> => {
      const { tokens } = await client.command(rest, text);
      expect(tokens[0]).toBe('NOK');
      return tokens[1];
    };
    expect(await ask('sip||', 'nonsense')).toContain('malformed');
    expect(await ask('sip|no-such|', 'SIP/2.0 200 OK\r\n\r\n')).toBe(
      'Response not sent due to unknown transaction',
    );
    expect(await ask('sip||a;from-tag=b', 'BYE sip:placeholder SIP/2.0\r\n\r\n')).toMatch(
      /unable to find dialog/i,
    );
    expect(await ask('sip||', 'INVITE sip:a@b SIP/2.0\r\n\r\n')).toContain('not supported');
    expect(await ask('sip|no-such|', 'CANCEL sip:a@b SIP/2.0\r\n\r\n')).toContain(
      'unable to cancel unknown transaction',
    );
    expect((await client.command('ping')).tokens).toEqual(['OK', 'pong']);
  });

  it('listens on loopback only', async () => {
    const anywhere = { host: '0.0.0.0', port: 0 };
    const udp = { host: '127.0.0.1', port: 0 };
    await expect(SipEndpoint.start({ udp, wire: anywhere, secret: 'x', log: quiet })).rejects.toThrow(
      /loopback/,
    );
  });
});

describe('what travels in frames', () => {
  it('has the tokens of drachtio-server, for an INVITE, its answer, the ACK and a BYE', async () => {
    const client = keep(await WireClient.app(endpoint.wirePort, 'invite'));
    const uac = keep(await Uac.udp(endpoint.udpPort));
    const call = uac.call();
    call.invite();
    const invite = await client.notified('INVITE');
    expect(invite.tokens).toHaveLength(13);
    expect(invite.tokens.slice(1, 7)).toEqual([
      'sip',
      'network',
      String(Buffer.byteLength(invite.text)),
      'udp',
      '127.0.0.1',
      String(uac.port),
    ]);
    expect(invite.tokens[7]).toMatch(/^\d\d:\d\d:\d\d\.\d{6}$/);
    const transactionId = invite.tokens[8];
    expect(invite.tokens.slice(9)).toEqual(['', '127.0.0.1', String(endpoint.udpPort), '']);

    const reply = await client.respond(invite, '200 OK', '', SDP);
    expect(reply.tokens.slice(0, 2)).toEqual(['OK', 'application']);
    expect(reply.tokens.slice(7)).toEqual([transactionId, call.id, '', 'Msg sent:', '']);
    expect(reply.text).toMatch(/\r\nTo: .*;tag=\w+\r\n/);
    expect(reply.text).toContain(`\r\nContact: <sip:127.0.0.1:${endpoint.udpPort}>\r\n`);
    expect(reply.text).toContain('\r\nContent-Type: application/sdp\r\n');

    const ok = await uac.response(200, 'INVITE');
    call.toTag = ok.to.params.get('tag');
    call.ack();
    const ack = await client.notified('ACK');
    expect(ack.tokens.slice(8, 10)).toEqual([transactionId, call.id]);
    expect(ack.tokens[4]).toBe('');
    call.send('BYE');
    const bye = await client.notified('BYE');
    expect(bye.tokens.slice(9)).toEqual([call.id, '']);
    expect(bye.tokens[8]).not.toBe(transactionId);
    const ended = await client.respond(bye, '200 OK');
    expect(ended.tokens.slice(7)).toEqual([bye.tokens[8], '', '', 'Msg sent:', '']);
  });

  it('may be far larger than the 12 kB of the real server, in both directions', async () => {
    const client = keep(await WireClient.app(endpoint.wirePort, 'invite'));
    const uac = keep(await Uac.tcp(endpoint.tcpPort));
    const call = uac.call();
    const large = SDP + 'a=x:'.padEnd(70_000, 'ä') + '\r\n';
    call.invite(large);
    const invite = await client.notified('INVITE');
    expect(invite.text.endsWith(large)).toBe(true);
    await client.respond(invite, '200 OK', '', large);
    const ok = await uac.response(200, 'INVITE');
    expect(ok.body.toString()).toBe(large);
  });

  it('shows a folded, compact, oddly spaced INVITE in a form that drachtio-srf reads', async () => {
    const client = keep(await WireClient.app(endpoint.wirePort, 'invite'));
    const uac = keep(await Uac.udp(endpoint.udpPort));
    uac.sendRaw(
      [
        'INVITE sip:a@127.0.0.1 SIP/2.0',
        `v: SIP/2.0/UDP 127.0.0.1:${uac.port};branch=z9hG4bKfold`,
        `f: J\xc3\xbcrgen M, Esq. <sip:j@127.0.0.1>;tag=1`,
        't:',
        '  <sip:a@127.0.0.1>',
        'i: fold@1',
        'CSeq: 1',
        ' INVITE',
        `m: <sip:j@127.0.0.1:${uac.port}>`,
        'x: 1800',
        'l: 0',
        '',
        '',
      ].join('\r\n'),
    );
    const { text } = await client.notified('INVITE');
    expect(text).toContain('\r\nFrom: "Jürgen M, Esq." <sip:j@127.0.0.1>;tag=1\r\n');
    expect(text).toContain('\r\nTo: <sip:a@127.0.0.1>\r\n');
    expect(text).toContain('\r\nCSeq: 1 INVITE\r\n');
    expect(text).toContain('\r\nSession-Expires: 1800\r\n');
  });
});
