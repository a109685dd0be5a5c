import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../../src/endpoint.ts';
import { PLAIN, STREAM_LIMITS, StreamTransport, type StreamLimits } from '../../src/transport/stream.ts';
import { quiet, startEndpoint } from '../support/endpoint.ts';
import { SDP, Uac } from '../support/uac.ts';
import { eventually } from '../support/wait.ts';
import { WireClient } from '../support/wire-client.ts';

const received = (uac: Uac): string => Buffer.concat(uac.raw).toString('latin1');

describe('SIP over TCP', () => {
  let endpoint: SipEndpoint;
  let app: WireClient;
  let uac: Uac;
  beforeEach(async () => {
    endpoint = await startEndpoint();
    app = await WireClient.app(endpoint.wirePort, 'invite', 'options');
    uac = await Uac.tcp(endpoint.tcpPort);
  });
  afterEach(async () => {
    uac.close();
    app.close();
    await endpoint.close();
  });

  it('answers a double CRLF with a single one', async () => {
    uac.sendRaw('\r\n\r\n');
    await eventually('pong', () => received(uac) === '\r\n');
    uac.sendRaw('\r\n');
    uac.sendRaw('\r\n');
    await eventually('second pong', () => received(uac) === '\r\n\r\n');
  });

  it('reads a 70 kB INVITE that comes in pieces', async () => {
    const call = uac.call();
    const body = SDP + 'x'.repeat(70_000);
    const bytes = call.bytes('INVITE', 1, call.branch(), [['Content-Type', 'application/sdp']], body);
    for (let at = 0; at < bytes.length; at += 999) uac.sendRaw(bytes.subarray(at, at + 999));
    const invite = await app.notified('INVITE');
    expect(invite.text.endsWith(body)).toBe(true);
    expect(invite.tokens[4]).toBe('tcp');
  });

  it('answers on a new connection when the one of the request is gone', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const call = uac.call();
    const bytes = call.bytes('OPTIONS', 1, call.branch()).toString('latin1');
    uac.sendRaw(bytes.replace(/Via: .*;branch/, `Via: SIP/2.0/TCP 127.0.0.1:${address.port};branch`));
    const request = await app.notified('OPTIONS');
    uac.close();
    await eventually('connection gone', () => endpoint.stats().tcpConnections === 0);
    await app.respond(request, '200 OK');
    await eventually('a new connection', () => sockets.length === 1);
    const [first] = sockets;
    const [chunk] = (await once(first ?? server, 'data')) as [Buffer];
    expect(chunk.toString('latin1')).toMatch(/^SIP\/2.0 200 OK/);
    first?.destroy();
    server.close();
  });

  it('answers a message that has no length, and closes', async () => {
    const call = uac.call();
    uac.sendRaw(
      call
        .bytes('OPTIONS', 1, call.branch())
        .toString('latin1')
        .replace(/Content-Length: \d+\r\n/, ''),
    );
    expect((await uac.response(400, 'OPTIONS')).reason).toBe('Missing Content-Length');
    await eventually('connection closed', () => endpoint.stats().tcpConnections === 0);
  });

  it('sends its BYE on the connection of the caller, whose Contact cannot be dialled', async () => {
    const call = uac.call();
    const bytes = call.bytes('INVITE', 1, call.branch(), [], '').toString('latin1');
    uac.sendRaw(bytes.replace(/Contact: .*\r\n/, 'Contact: <sip:c@192.0.2.1:9;transport=tcp>\r\n'));
    await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
    await uac.response(200, 'INVITE');
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    expect((await uac.request('BYE')).uri).toBe('sip:c@192.0.2.1:9;transport=tcp');
  });

  it('tells the application 503 when a connection cannot be made', async () => {
    const call = uac.call();
    call.invite();
    await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
    await uac.response(200, 'INVITE');
    uac.close();
    await eventually('connection gone', () => endpoint.stats().tcpConnections === 0);
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    expect((await app.notified('SIP/2.0 503')).text).toContain('CSeq: 1 BYE');
    expect(endpoint.stats().liveDialogs).toBe(0);
  });
});

describe('a TCP peer that holds resources', () => {
  const loopback = { host: '127.0.0.1', port: 0 };
  let transport: StreamTransport;
  const uacs: Uac[] = [];
  const open = (limits: Partial<StreamLimits>, receive = (): void => undefined): Promise<StreamTransport> =>
    StreamTransport.open({
      binding: loopback,
      kind: PLAIN,
      receive,
      inUse: () => new Set(),
      log: quiet,
      limits: { ...STREAM_LIMITS, ...limits },
    });
  const dial = async (): Promise<Uac> => {
    const uac = await Uac.tcp(transport.port);
    uacs.push(uac);
    return uac;
  };
  afterEach(async () => {
    for (const uac of uacs.splice(0)) uac.close();
    await transport.close();
  });

  it('is cut off when a message does not end in time, or none begins; a quiet one that spoke is kept', async () => {
    let messages = 0;
    const count = (): void => void messages++;
    transport = await open({ messageMs: 200 }, count);
    const slow = await dial();
    slow.sendRaw('INVITE sip:a SIP/2.0\r\n');
    const silent = await dial();
    const good = await dial();
    good.sendRaw(good.call().bytes('OPTIONS', 1, 'z9hG4bKx'));
    await eventually('the message', () => messages === 1);
    await eventually('both are closed', () => slow.closed && silent.closed);
    expect(good.closed).toBe(false);
    expect(transport.connections).toBe(1);
  });

  it('makes room for another when there are too many: the one idle longest goes', async () => {
    transport = await open({ connections: 2 });
    const first = await dial();
    const second = await dial();
    second.sendRaw(second.call().bytes('OPTIONS', 1, 'z9hG4bKx'));
    await dial();
    await eventually('the first is closed', () => first.closed);
    expect(second.closed).toBe(false);
  });
});
