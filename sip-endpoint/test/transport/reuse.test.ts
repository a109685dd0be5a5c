import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../../src/endpoint.ts';
import { tagOf } from '../../src/parse/uri.ts';
import { PLAIN, STREAM_LIMITS, StreamTransport, type StreamLimits } from '../../src/transport/stream.ts';
import { quiet, startEndpoint } from '../support/endpoint.ts';
import { SDP, Uac, type TestCall } from '../support/uac.ts';
import { eventually } from '../support/wait.ts';
import { WireClient } from '../support/wire-client.ts';

/** A port on which nobody listens: what is sent there can only go over a connection that is open. */
const NOBODY = 9;

describe('a peer that reconnects', () => {
  let endpoint: SipEndpoint;
  let app: WireClient;
  const uacs: Uac[] = [];
  const dial = async (): Promise<Uac> => {
    const uac = await Uac.tcp(endpoint.tcpPort);
    uacs.push(uac);
    return uac;
  };
  const established = async (uac: Uac): Promise<TestCall> => {
    const call = uac.call();
    call.contactPort = NOBODY;
    call.invite();
    await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
    call.toTag = tagOf((await uac.response(200, 'INVITE')).to);
    call.ack();
    await app.notified('ACK');
    return call;
  };
  beforeEach(async () => {
    endpoint = await startEndpoint();
    app = await WireClient.app(endpoint.wirePort, 'invite', 'options', 'info', 'bye');
  });
  afterEach(async () => {
    for (const uac of uacs.splice(0)) uac.close();
    app.close();
    await endpoint.close();
  });

  it('has its requests of the call on the new connection, once it used it for the call', async () => {
    const first = await dial();
    const call = await established(first);
    first.close();
    await eventually('connection gone', () => endpoint.stats().tcpConnections === 0);
    const second = await dial();
    second.sendRaw(call.bytes('INFO', ++call.seq, call.branch()));
    await app.respond(await app.notified('INFO'), '200 OK');
    await second.response(200, 'INFO');
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    second.reply(await second.request('BYE'), 200, 'OK');
    await eventually('dialog ended', () => endpoint.stats().liveDialogs === 0);
  });

  it('has them there too when it asked for it by alias in any request (RFC 5923)', async () => {
    const first = await dial();
    const call = await established(first);
    first.close();
    await eventually('connection gone', () => endpoint.stats().tcpConnections === 0);
    const second = await dial();
    const options = second.call();
    options.viaParams = ';alias';
    const bytes = options.bytes('OPTIONS', 1, options.branch()).toString('latin1');
    second.sendRaw(bytes.replace(/(Via: SIP\/2.0\/TCP 127\.0\.0\.1):\d+/, `$1:${NOBODY}`));
    await app.respond(await app.notified('OPTIONS'), '200 OK');
    await second.response(200, 'OPTIONS');
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    second.reply(await second.request('BYE'), 200, 'OK');
    await eventually('dialog ended', () => endpoint.stats().liveDialogs === 0);
  });
});

describe('a connection that nothing needs', () => {
  let transport: StreamTransport;
  const used = new Set<never>();
  const uacs: Uac[] = [];
  const open = async (limits: Partial<StreamLimits>, inUse = () => used as ReadonlySet<never>) => {
    const options = { ...STREAM_LIMITS, ...limits };
    transport = await StreamTransport.open({
      binding: { host: '127.0.0.1', port: 0 },
      kind: PLAIN,
      receive: (_result, flow) => void (keep && used.add(flow.connection as never)),
      inUse,
      log: quiet,
      limits: options,
    });
  };
  let keep = false;
  const dial = async (): Promise<Uac> => {
    const uac = await Uac.tcp(transport.port);
    uacs.push(uac);
    uac.sendRaw(uac.call().bytes('OPTIONS', 1, 'z9hG4bKx'));
    return uac;
  };
  afterEach(async () => {
    for (const uac of uacs.splice(0)) uac.close();
    used.clear();
    await transport.close();
  });

  it('is closed when it was quiet for long; one that a dialog uses is kept', async () => {
    await open({ idleMs: 150 });
    keep = true;
    const needed = await dial();
    await eventually('it is in use', () => used.size === 1);
    keep = false;
    const idle = await dial();
    await eventually('the idle one is closed', () => idle.closed);
    expect(needed.closed).toBe(false);
  });

  it('is refused when its address has too many already, until one of them ends', async () => {
    await open({ perSource: 2 });
    const first = await dial();
    await dial();
    const third = await dial();
    await eventually('the third is closed', () => third.closed);
    expect(first.closed).toBe(false);
    first.close();
    await eventually('there is room again', () => transport.connections === 1);
    const fourth = await dial();
    await eventually('it is taken', () => transport.connections === 2);
    expect(fourth.closed).toBe(false);
  });
});
