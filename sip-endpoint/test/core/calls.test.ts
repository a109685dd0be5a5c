import { createRegistry } from '@earshot/platform';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SipEndpoint, SipEndpointOptions } from '../../src/endpoint.ts';
import { publishStats } from '../../src/metrics.ts';
import { headerValue, headerValues } from '../../src/parse/message.ts';
import { tagOf } from '../../src/parse/uri.ts';
import { quiet, startEndpoint } from '../support/endpoint.ts';
import { FakeTimers } from '../support/fake-timers.ts';
import { SDP, Uac, type TestCall } from '../support/uac.ts';
import { eventually } from '../support/wait.ts';
import { WireClient, type Frame } from '../support/wire-client.ts';

let timers: FakeTimers;
let endpoint: SipEndpoint;
let app: WireClient;
let uac: Uac;

async function start(options: Partial<SipEndpointOptions> = {}): Promise<void> {
  timers = new FakeTimers();
  endpoint = await startEndpoint({ timers, ...options });
  app = await WireClient.app(endpoint.wirePort, 'invite', 'bye', 'options', 'info', 'ack');
  uac = await Uac.udp(endpoint.udpPort);
}

beforeEach(() => start());
afterEach(async () => {
  app.close();
  uac.close();
  await endpoint.close();
});

/** A call answered 200 by the application; the ACK is sent unless the test keeps it back. */
async function answered(call: TestCall, ack = true): Promise<Frame> {
  call.invite();
  const invite = await app.until('INVITE', () =>
    app.frames.find((f) => f.text.startsWith('INVITE') && f.text.includes(call.callId)),
  );
  await app.respond(invite, '200 OK', '', SDP);
  const ok = await uac.response(200, 'INVITE');
  call.toTag = tagOf(ok.to);
  if (ack) {
    call.ack();
    await app.notified('ACK');
  }
  return invite;
}

const statuses = (method: string): number[] =>
  uac.received.flatMap((m) => (m.kind === 'response' && m.cseq.method === method ? [m.status] : []));

/** Sends an OPTIONS and waits for its answer: everything sent before has been handled then. */
async function settled(): Promise<void> {
  const call = uac.call();
  call.send('OPTIONS');
  const request = await app.until('OPTIONS', () => app.frames.find((f) => f.text.includes(call.callId)));
  await app.respond(request, '200 OK');
  await uac.until('its answer', (m): m is typeof m => m.callId === call.callId);
}

describe('a 2xx that is not acknowledged', () => {
  it('is repeated at T1 doubling to T2, until the ACK comes', async () => {
    const call = uac.call();
    await answered(call, false);
    timers.advance(500 + 1000 + 2000 + 4000 + 4000);
    await eventually('five repeats', () => statuses('INVITE').filter((s) => s === 200).length === 6);
    call.ack();
    await app.notified('ACK');
    call.ack();
    await settled();
    expect(app.count('ACK')).toBe(1);
    timers.advance(60_000);
    await settled();
    expect(statuses('INVITE').filter((s) => s === 200)).toHaveLength(6);
    expect(endpoint.stats().liveDialogs).toBe(1);
  });

  it('ends the call after 64*T1 with a BYE, and the application hears of it unasked', async () => {
    const call = uac.call();
    await answered(call, false);
    timers.advance(32_000);
    const bye = await uac.request('BYE');
    expect(headerValue(bye.headers, 'reason')).toContain('ACK timeout');
    expect(tagOf(bye.from)).toBe(call.toTag);
    const told = await app.notified('BYE');
    expect(told.tokens[2]).toBe('application');
    expect(told.tokens.slice(8)).toEqual(['unsolicited', call.id, '']);
    uac.reply(bye, 200, 'OK');
    await eventually('dialog gone', () => endpoint.stats().liveDialogs === 0);
  });
});

describe('a request that nobody takes', () => {
  it('is refused with 503 where no application routes its method, an INVITE with Retry-After', async () => {
    await app.command('remove_route|invite');
    await app.command('remove_route|options');
    uac.call().invite();
    expect(headerValue((await uac.response(503, 'INVITE')).headers, 'retry-after')).toMatch(/^\d+$/);
    uac.call().send('OPTIONS');
    await uac.response(503, 'OPTIONS');
  });

  it('gets 405 and the methods that are taken, when the application takes calls but not this method', async () => {
    uac.call().send('MESSAGE');
    const { headers } = await uac.response(405, 'MESSAGE');
    expect(headerValue(headers, 'allow')).toMatch(/^ACK, BYE, CANCEL, INVITE/);
    expect(headerValue(headers, 'allow')).not.toContain('MESSAGE');
  });

  it('gets 481 for a BYE, UPDATE or CANCEL without dialog, and for an unknown To tag', async () => {
    for (const method of ['BYE', 'UPDATE', 'CANCEL']) {
      uac.call().send(method);
      await uac.response(481, method);
    }
    const call = uac.call();
    call.toTag = 'unknown';
    for (const method of ['INVITE', 'INFO']) {
      call.send(method);
      await uac.response(481, method);
    }
  });

  it('gets 501 with Allow for an unknown method, 403 from an address that is not allowed', async () => {
    uac.call().send('DANCE');
    expect(headerValue((await uac.response(501, 'DANCE')).headers, 'allow')).toContain('INVITE');
    await endpoint.close();
    uac.close();
    app.close();
    await start({ allow: (ip) => ip !== '127.0.0.1' });
    uac.call().invite();
    await uac.response(403, 'INVITE');
    expect(statuses('INVITE')).toEqual([403]);
    expect(endpoint.stats()).toMatchObject({ forbidden: 1, liveTransactions: 0 });
  });

  it('is told why by a Warning when its address is not allowed; a line of the log and a metric tell the operator', async () => {
    await endpoint.close();
    uac.close();
    app.close();
    const warn = vi.fn();
    await start({ allow: () => false, log: { ...quiet, warn } });
    const registry = createRegistry('sip-endpoint-0');
    publishStats(registry, () => endpoint.stats());
    const refusals = (count: number): RegExp =>
      new RegExp(`^earshot_admission_refusals_total\\{reason="source",.*\\} ${count}$`, 'm');
    expect(await registry.metrics()).toMatch(refusals(0));
    const call = uac.call();
    call.invite();
    const { headers, reason } = await uac.response(403, 'INVITE');
    expect(headerValue(headers, 'warning')).toBe('399 earshot "not in SIP_ALLOW"');
    expect(reason).toBe('The source address is not allowed');
    call.ack();
    for (let i = 0; i < 3; i++) {
      const again = uac.call();
      again.invite();
      await uac.until('its 403', (m): m is typeof m => m.callId === again.callId);
    }
    uac.call().send('OPTIONS');
    await uac.response(403, 'OPTIONS');
    expect(endpoint.stats()).toMatchObject({ forbidden: 5, forbiddenCalls: 4 });
    expect(await registry.metrics()).toMatch(refusals(4));
    const told = { method: 'INVITE', status: 403, reason, source: '127.0.0.1', sipCallId: call.callId };
    expect(warn.mock.calls).toEqual([[told, 'request refused']]);
  });

  it('is given up when the application never answers: an INVITE with 408, a BYE with 200', async () => {
    const call = uac.call();
    await answered(call);
    call.send('BYE');
    await app.notified('BYE');
    timers.advance(32_000);
    await uac.response(200, 'BYE');
    const second = uac.call();
    second.invite();
    await eventually('second INVITE', () => app.count('INVITE') === 2);
    timers.advance(64_000);
    await uac.response(408, 'INVITE');
    expect(endpoint.stats().pendingRequests).toBe(0);
  });

  it('counts faults by code and answers them', async () => {
    const call = uac.call();
    uac.sendRaw(
      call.bytes('OPTIONS', 1, call.branch()).toString('latin1').replace('SIP/2.0\r\n', 'SIP/3.0\r\n'),
    );
    expect((await uac.response(505, 'OPTIONS')).reason).toBe('Version Not Supported');
    expect(endpoint.stats().parseFailuresByCode).toEqual({ SIP_VERSION: 1 });
  });
});

describe('inside a dialog', () => {
  it('a lower CSeq gets 500, and an overlapping INVITE 500 with Retry-After', async () => {
    const call = uac.call();
    await answered(call);
    call.seq = 10;
    call.send('INVITE', [], '');
    await eventually('re-INVITE', () => app.count('INVITE') === 2);
    const overlapping = call.send('INVITE');
    const refused = await uac.response(500, 'INVITE', overlapping);
    expect(Number(headerValue(refused.headers, 'retry-after'))).toBeLessThanOrEqual(10);
    call.seq = 3;
    const late = call.send('INFO');
    await uac.response(500, 'INFO', late);
  });

  it('an INVITE that crosses ours gets 491', async () => {
    const call = uac.call();
    await answered(call);
    const sent = await app.command(`sip||${call.id}`, `INVITE sip:placeholder SIP/2.0\r\n\r\n${SDP}`);
    expect(sent.tokens[0]).toBe('OK');
    await uac.request('INVITE');
    const crossing = call.send('INVITE');
    await uac.response(491, 'INVITE', crossing);
    const busy = await app.command(`sip||${call.id}`, `INVITE sip:placeholder SIP/2.0\r\n\r\n${SDP}`);
    expect(busy.tokens[0]).toBe('NOK');
  });

  it('our re-INVITE that is refused is acknowledged by us; the application’s ACK gets NOK', async () => {
    const call = uac.call();
    await answered(call);
    await app.command(`sip||${call.id}`, `INVITE sip:placeholder SIP/2.0\r\n\r\n${SDP}`);
    const invite = await uac.request('INVITE');
    uac.reply(invite, 488, 'Not Acceptable Here');
    const ack = await uac.request('ACK');
    expect(ack.via.params.get('branch')).toBe(invite.via.params.get('branch'));
    await app.notified('SIP/2.0 488');
    const { tokens } = await app.command(`sip||${call.id}`, 'ACK sip:placeholder SIP/2.0\r\n\r\n');
    expect(tokens).toEqual([
      'NOK',
      'Server error: ACK for non-success final response is automatically generated by server',
    ]);
  });

  it('an ACK with a body is repeated for each repeated 2xx, which the application sees once', async () => {
    const call = uac.call();
    await answered(call);
    await app.command(`sip||${call.id}`, 'INVITE sip:placeholder SIP/2.0\r\n\r\n');
    const invite = await uac.request('INVITE');
    uac.reply(invite, 200, 'OK', [], SDP);
    await app.notified('SIP/2.0 200');
    await app.command(`sip||${call.id}`, `ACK sip:placeholder SIP/2.0\r\n\r\n${SDP}`);
    const ack = await uac.request('ACK');
    expect(ack.body.toString()).toBe(SDP);
    uac.reply(invite, 200, 'OK', [], SDP);
    await eventually(
      'second ACK',
      () => uac.received.filter((m) => m.kind === 'request' && m.method === 'ACK').length === 2,
    );
    expect(app.count('SIP/2.0 200')).toBe(1);
  });

  it('a re-INVITE that rings can be cancelled by its transaction id', async () => {
    const call = uac.call();
    await answered(call);
    const { tokens } = await app.command(`sip||${call.id}`, `INVITE sip:placeholder SIP/2.0\r\n\r\n${SDP}`);
    const invite = await uac.request('INVITE');
    uac.reply(invite, 180, 'Ringing');
    await app.notified('SIP/2.0 180');
    expect((await app.command(`sip|${tokens[7]}|`, 'CANCEL sip:x SIP/2.0\r\n\r\n')).tokens[0]).toBe('OK');
    const cancel = await uac.request('CANCEL');
    expect(cancel.via.params.get('branch')).toBe(invite.via.params.get('branch'));
    expect(cancel.cseq.seq).toBe(invite.cseq.seq);
  });

  it('a BYE that nobody answers ends as a 408 from us, and the dialog with it', async () => {
    const call = uac.call();
    await answered(call);
    const { tokens } = await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    await uac.request('BYE');
    timers.advance(32_000);
    const response = await app.notified('SIP/2.0 408');
    expect(response.tokens[8]).toBe(tokens[7]);
    expect(response.tokens.slice(4, 7)).toEqual(['', '', '0']);
    const again = await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    expect(again.tokens[1]).toMatch(/unable to find dialog/);
  });

  it('a BYE that is challenged leaves the dialog for its repetition', async () => {
    const call = uac.call();
    await answered(call);
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    uac.reply(await uac.request('BYE'), 407, 'Proxy Authentication Required');
    await app.notified('SIP/2.0 407');
    expect(endpoint.stats().liveDialogs).toBe(1);
    const text = `BYE sip:placeholder SIP/2.0\r\nCall-ID: ${call.callId}\r\n\r\n`;
    expect((await app.command('sip||', text)).tokens[0]).toBe('OK');
  });

  it('a body without Content-Type gets NOK', async () => {
    const call = uac.call();
    await answered(call);
    const { tokens } = await app.command(`sip||${call.id}`, 'INFO sip:placeholder SIP/2.0\r\n\r\nplain text');
    expect(tokens).toEqual(['NOK', 'missing content-type']);
  });

  it('a BYE while the call still rings ends it as a CANCEL does', async () => {
    const call = uac.call();
    call.invite();
    const invite = await app.notified('INVITE');
    await app.respond(invite, '180 Ringing');
    call.toTag = tagOf((await uac.response(180, 'INVITE')).to);
    call.send('BYE');
    await uac.response(200, 'BYE');
    await uac.response(487, 'INVITE');
    const cancel = await app.notified('CANCEL');
    expect(cancel.tokens.slice(8, 10)).toEqual([invite.tokens[8], call.id]);
    const late = await app.respond(invite, '200 OK');
    expect(late.tokens).toEqual(['NOK', 'Response not sent due to unknown transaction']);
  });

  it('the application may choose the To tag, and its Contact at @localhost becomes ours', async () => {
    const call = uac.call();
    call.invite();
    const invite = await app.notified('INVITE');
    const extra = `to: <sip:a@b>;tag=chosen\r\ncontact: <sip:me@localhost>\r\nx-custom-name: 1\r\nVia: evil\r\n`;
    await app.respond(invite, '200 OK', extra);
    const ok = await uac.response(200, 'INVITE');
    expect(tagOf(ok.to)).toBe('chosen');
    expect(headerValue(ok.headers, 'contact')).toBe(`<sip:me@127.0.0.1:${endpoint.udpPort}>`);
    expect(ok.headers.map((header) => header.name)).toContain('X-Custom-Name');
    expect(headerValues(ok.headers, 'via')).toHaveLength(1);
  });
});

describe('an advertised host', () => {
  it('stands in Contact and Via, and in the greeting to applications', async () => {
    app.close();
    uac.close();
    await endpoint.close();
    await start({ advertisedHost: 'sip.example.com' });
    const call = uac.call();
    await answered(call);
    const ok = await uac.response(200, 'INVITE');
    expect(headerValue(ok.headers, 'contact')).toBe(`<sip:sip.example.com:${endpoint.udpPort}>`);
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    expect((await uac.request('BYE')).via).toMatchObject({ host: 'sip.example.com', port: endpoint.udpPort });
    const other = await WireClient.connect(endpoint.wirePort);
    const { tokens } = await other.command('authenticate|secret|');
    expect(tokens[1]).toContain(`udp/sip.example.com:${endpoint.udpPort}`);
    expect(tokens[3]).toContain(`udp/127.0.0.1:${endpoint.udpPort}`);
    other.close();
  });
});

describe('routes', () => {
  it('follow Record-Route, loosely', async () => {
    const proxy = await Uac.udp(endpoint.udpPort);
    const routes = [`<sip:127.0.0.1:${proxy.port};lr>`, '<sip:far.example.com;lr>'];
    const call = uac.call({ headers: routes.map((route) => ['Record-Route', route]) });
    await answered(call);
    expect(headerValues((await uac.response(200, 'INVITE')).headers, 'record-route')).toEqual(routes);
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    const bye = await proxy.request('BYE');
    expect(headerValues(bye.headers, 'route')).toEqual(routes);
    expect(bye.uri).toContain(`caller@127.0.0.1:${uac.port}`);
    proxy.close();
  });

  it('follow a strict router by putting it into the Request-URI', async () => {
    const proxy = await Uac.udp(endpoint.udpPort);
    const call = uac.call({ headers: [['Record-Route', `<sip:127.0.0.1:${proxy.port}>`]] });
    await answered(call);
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    const bye = await proxy.request('BYE');
    expect(bye.uri).toBe(`sip:127.0.0.1:${proxy.port}`);
    expect(headerValues(bye.headers, 'route')).toEqual([`<sip:caller@127.0.0.1:${uac.port}>`]);
    proxy.close();
  });

  it('follow the Contact of the latest re-INVITE', async () => {
    const elsewhere = await Uac.udp(endpoint.udpPort);
    const call = uac.call();
    await answered(call);
    const bytes = call.bytes('INVITE', ++call.seq, call.branch()).toString('latin1');
    uac.sendRaw(bytes.replace(/Contact: .*\r\n/, `Contact: <sip:new@127.0.0.1:${elsewhere.port}>\r\n`));
    await eventually('re-INVITE', () => app.count('INVITE') === 2);
    const again = app.frames.filter((f) => f.text.startsWith('INVITE'))[1];
    if (again === undefined) throw new Error('no re-INVITE');
    await app.respond(again, '200 OK', '', SDP);
    await uac.response(200, 'INVITE', call.seq);
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    expect((await elsewhere.request('BYE')).uri).toContain('new@');
    elsewhere.close();
  });
});
