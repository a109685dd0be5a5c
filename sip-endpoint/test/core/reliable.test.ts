import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../../src/endpoint.ts';
import { headerValue, type SipResponse } from '../../src/parse/message.ts';
import { tagOf } from '../../src/parse/uri.ts';
import { startEndpoint } from '../support/endpoint.ts';
import { FakeTimers } from '../support/fake-timers.ts';
import { SDP, Uac, type TestCall } from '../support/uac.ts';
import { eventually } from '../support/wait.ts';
import { WireClient } from '../support/wire-client.ts';

let timers: FakeTimers;
let endpoint: SipEndpoint;
let app: WireClient;
let uac: Uac;
let call: TestCall;

beforeEach(async () => {
  timers = new FakeTimers();
  endpoint = await startEndpoint({ timers });
  app = await WireClient.app(endpoint.wirePort, 'invite', 'update', 'bye');
  uac = await Uac.udp(endpoint.udpPort);
  call = uac.call();
});
afterEach(async () => {
  uac.close();
  app.close();
  await endpoint.close();
});

const RELIABLE = 'Require: 100rel\r\n';
const rseqOf = (response: SipResponse): string => headerValue(response.headers, 'rseq') ?? '';
const times = (status: number): number =>
  uac.received.filter((message) => message.kind === 'response' && message.status === status).length;

async function ringing(extra: [string, string], with100rel = RELIABLE): Promise<SipResponse> {
  call.invite(SDP, [extra]);
  await app.respond(await app.notified('INVITE'), '183 Session Progress', with100rel);
  const progress = await uac.response(183, 'INVITE');
  call.toTag = tagOf(progress.to);
  return progress;
}

const prack = (rack: string): number => call.send('PRACK', [['RAck', rack]]);

describe('a provisional answer (RFC 3262)', () => {
  it('that the application wants reliable is repeated until its PRACK, which the application answers', async () => {
    const progress = await ringing(['Supported', 'timer, 100rel']);
    expect(headerValue(progress.headers, 'require')).toBe('100rel');
    timers.advance(500);
    timers.advance(1000);
    await eventually('two repeats', () => times(183) === 3);
    const seq = prack(`${rseqOf(progress)} 1 INVITE`);
    const notified = await app.notified('PRACK');
    expect(notified.tokens[9]).toBe(call.id);
    await app.respond(notified, '200 OK');
    await uac.response(200, 'PRACK', seq);
    timers.advance(8000);
    await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
    await uac.response(200, 'INVITE');
    expect(times(183)).toBe(3);
  });

  it('is made reliable for a caller that takes no other', async () => {
    const progress = await ringing(['Require', '100rel'], '');
    expect(headerValue(progress.headers, 'require')).toBe('100rel');
    expect(Number(rseqOf(progress))).toBeGreaterThan(0);
  });

  it('is not sent reliably to a caller that does not know how, nor before the one before is acknowledged', async () => {
    call.invite();
    const plain = await app.notified('INVITE');
    expect((await app.respond(plain, '183 Session Progress', RELIABLE)).tokens.slice(0, 2)).toEqual([
      'NOK',
      'Remote endpoint does not support 100rel',
    ]);
    call = uac.call();
    call.invite(SDP, [['Supported', '100rel']]);
    const able = await app.until('second INVITE', () =>
      app.frames.find(({ text }) => text.startsWith('INVITE') && text.includes(call.callId)),
    );
    await app.respond(able, '183 Session Progress', RELIABLE);
    const first = await uac.response(183, 'INVITE');
    call.toTag = tagOf(first.to);
    expect((await app.respond(able, '180 Ringing', RELIABLE)).tokens[0]).toBe('NOK');
    prack(`${rseqOf(first)} 1 INVITE`);
    await app.notified('PRACK');
    expect((await app.respond(able, '180 Ringing', RELIABLE)).tokens[0]).toBe('OK');
    expect(Number(rseqOf(await uac.response(180, 'INVITE')))).toBe(Number(rseqOf(first)) + 1);
  });

  it('a PRACK that acknowledges nothing gets 481', async () => {
    const progress = await ringing(['Supported', '100rel']);
    for (const rack of ['1 1 INVITE', `${rseqOf(progress)} 2 INVITE`, `${rseqOf(progress)} 1 UPDATE`, 'x'])
      await uac.response(481, 'PRACK', prack(rack));
    expect(app.count('PRACK')).toBe(0);
  });

  it('that is never acknowledged ends the call with 504, and the application hears of it as of a CANCEL', async () => {
    await ringing(['Supported', '100rel']);
    timers.advance(32_000);
    await uac.response(504, 'INVITE');
    expect((await app.notified('CANCEL')).tokens[9]).toBe(call.id);
    expect(endpoint.stats()).toMatchObject({ liveDialogs: 0, pendingRequests: 0 });
  });
});

describe('UPDATE (RFC 3311)', () => {
  it('passes both ways, before and after the call is answered, and moves the remote target', async () => {
    await ringing(['Supported', '100rel']);
    const early = call.send('UPDATE', [['Content-Type', 'application/sdp']], SDP);
    const notified = await app.notified('UPDATE');
    expect(notified.tokens[9]).toBe(call.id);
    await app.respond(notified, '200 OK', '', SDP);
    const ok = await uac.response(200, 'UPDATE', early);
    expect(headerValue(ok.headers, 'contact')).toContain(`127.0.0.1:${endpoint.udpPort}`);
    await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
    await uac.response(200, 'INVITE');
    call.ack(1);
    await app.notified('ACK');
    const sent = await app.command(
      `sip||${call.id}`,
      'UPDATE sip:placeholder SIP/2.0\r\nSession-Expires: 1800;refresher=uas\r\nSupported: timer\r\n\r\n',
    );
    expect(sent.tokens[0]).toBe('OK');
    const update = await uac.request('UPDATE');
    expect(headerValue(update.headers, 'contact')).toContain(`127.0.0.1:${endpoint.udpPort}`);
    expect(headerValue(update.headers, 'session-expires')).toBe('1800;refresher=uas');
    uac.reply(update, 200, 'OK', [['Contact', `<sip:moved@127.0.0.1:${uac.port}>`]]);
    await app.notified('SIP/2.0 200');
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    expect((await uac.request('BYE')).uri).toBe(`sip:moved@127.0.0.1:${uac.port}`);
  });
});
