import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../src/endpoint.ts';
import { tagOf } from '../src/parse/uri.ts';
import { connectApp, startEndpoint } from './support/endpoint.ts';
import { FakeTimers } from './support/fake-timers.ts';
import { SDP, Uac, type TestCall } from './support/uac.ts';
import { eventually, withLimit } from './support/wait.ts';
import { WireClient } from './support/wire-client.ts';

let folder: string;
let dialogFile: string;
let timers: FakeTimers;
let endpoint: SipEndpoint;
let uac: Uac;
let call: TestCall;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-restart-'));
  dialogFile = join(folder, 'dialogs.jsonl');
  timers = new FakeTimers();
  endpoint = await startEndpoint({ dialogFile, timers });
  uac = await Uac.udp(endpoint.udpPort);
  call = uac.call();
});
afterEach(async () => {
  uac.close();
  await endpoint.close();
  await rm(folder, { recursive: true });
});

async function answeredBy(app: WireClient): Promise<void> {
  call.invite();
  await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
  call.toTag = tagOf((await uac.response(200, 'INVITE')).to);
  call.ack();
  await eventually('only timer L runs', () => timers.pending === 1);
}

async function lose(app: WireClient): Promise<void> {
  app.close();
  await eventually('application gone', () => endpoint.stats().applications === 0);
}

describe('when the application is gone', () => {
  it('its calls stay, and their requests go to the next one that routes the method', async () => {
    const first = await WireClient.app(endpoint.wirePort, 'invite');
    await answeredBy(first);
    await lose(first);
    expect(endpoint.stats().liveDialogs).toBe(1);
    const second = await WireClient.app(endpoint.wirePort, 'invite', 'bye');
    const seq = call.send('INVITE', [], '');
    const reInvite = await second.notified('INVITE');
    expect(reInvite.tokens[9]).toBe(call.id);
    await second.respond(reInvite, '200 OK', '', SDP);
    await uac.response(200, 'INVITE', seq);
    call.ack();
    expect((await second.notified('ACK')).tokens[9]).toBe(call.id);
    expect((await second.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n')).tokens[0]).toBe(
      'OK',
    );
    await uac.request('BYE');
    second.close();
  });

  it('a BYE waits for it to come back, and is answered by us after 32 s otherwise', async () => {
    const first = await WireClient.app(endpoint.wirePort, 'invite');
    await answeredBy(first);
    await lose(first);
    call.send('BYE');
    await eventually('BYE arrived', () => endpoint.stats().pendingRequests === 1);
    const second = await WireClient.app(endpoint.wirePort, 'invite', 'bye');
    const bye = await second.notified('BYE');
    await second.respond(bye, '200 OK');
    await uac.response(200, 'BYE');
    await lose(second);
  });

  it('a BYE that no application takes is answered 200 by us after 32 s', async () => {
    const first = await WireClient.app(endpoint.wirePort, 'invite');
    await answeredBy(first);
    await lose(first);
    call.send('BYE');
    await eventually('BYE arrived', () => endpoint.stats().pendingRequests === 1);
    timers.advance(32_000);
    await uac.response(200, 'BYE');
    expect(endpoint.stats().liveDialogs).toBe(0);
  });

  it('an INFO that no application takes is refused before its sender gives up', async () => {
    const first = await WireClient.app(endpoint.wirePort, 'invite');
    await answeredBy(first);
    await lose(first);
    call.send('INFO');
    await eventually('INFO arrived', () => endpoint.stats().pendingRequests === 1);
    timers.advance(24_000);
    await uac.response(503, 'INFO');
  });

  it('a call that was not yet answered is offered to it again when it is back, or refused after 8 s', async () => {
    const first = await WireClient.app(endpoint.wirePort, 'invite');
    call.invite();
    const original = await first.notified('INVITE');
    await lose(first);
    const second = await WireClient.app(endpoint.wirePort, 'invite');
    const again = await second.notified('INVITE');
    expect(again.tokens[8]).toBe(original.tokens[8]);
    await lose(second);
    timers.advance(8000);
    await uac.response(503, 'INVITE');
    expect(endpoint.stats().pendingRequests).toBe(0);
  });

  it('a restarted drachtio-srf gets a re-INVITE and the BYE of a call it has never seen', async () => {
    const first = await WireClient.app(endpoint.wirePort, 'invite');
    await answeredBy(first);
    await lose(first);
    const seen: string[] = [];
    const app = await connectApp(endpoint, (srf) => {
      srf.invite((req, res) => {
        seen.push(`INVITE ${req.stackDialogId}`);
        res.send(200, { body: SDP });
      });
      srf.bye((req, res) => {
        seen.push(`BYE ${req.stackDialogId}`);
        res.send(200);
      });
    });
    const seq = call.send('INVITE', [['Content-Type', 'application/sdp']], SDP);
    await uac.response(200, 'INVITE', seq);
    call.ack();
    call.send('BYE');
    await uac.response(200, 'BYE');
    expect(seen).toEqual([`INVITE ${call.id}`, `BYE ${call.id}`]);
    app.disconnect();
  });
});

describe('when the endpoint itself is restarted', () => {
  it('it knows its dialogs again: routes, CSeq and target', async () => {
    const first = await WireClient.app(endpoint.wirePort, 'invite');
    await answeredBy(first);
    await first.command(`sip||${call.id}`, 'INFO sip:placeholder SIP/2.0\r\n\r\n');
    const info = await uac.request('INFO');
    uac.reply(info, 200, 'OK');
    await first.notified('SIP/2.0 200');
    const { udpPort } = endpoint;
    await endpoint.close();
    first.close();

    endpoint = await startEndpoint({ dialogFile, udp: { host: '127.0.0.1', port: udpPort } });
    expect(endpoint.stats().liveDialogs).toBe(1);
    const second = await WireClient.app(endpoint.wirePort, 'invite', 'info');
    call.send('INFO');
    const theirs = await second.notified('INFO');
    expect(theirs.tokens[9]).toBe(call.id);
    await second.respond(theirs, '200 OK');
    await second.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    const bye = await uac.request('BYE');
    expect(bye.cseq.seq).toBe(info.cseq.seq + 1);
    uac.reply(bye, 200, 'OK');
    await eventually('dialog ended', () => endpoint.stats().liveDialogs === 0);
    second.close();
    await endpoint.close();
    endpoint = await startEndpoint({ dialogFile });
    expect(endpoint.stats().liveDialogs).toBe(0);
  });
});

describe('a 2xx that was not acknowledged when the endpoint ended', () => {
  let first: WireClient;
  let second: WireClient;
  let inviteId: string;

  beforeEach(async () => {
    first = await WireClient.app(endpoint.wirePort, 'invite');
    call.invite();
    const invite = await first.notified('INVITE');
    inviteId = invite.tokens[8] ?? '';
    await first.respond(invite, '200 OK', '', SDP);
    call.toTag = tagOf((await uac.response(200, 'INVITE')).to);
    const { udpPort } = endpoint;
    await endpoint.close();
    first.close();
    timers = new FakeTimers();
    endpoint = await startEndpoint({ dialogFile, timers, udp: { host: '127.0.0.1', port: udpPort } });
    second = await WireClient.app(endpoint.wirePort, 'invite', 'bye');
  });
  afterEach(() => second.close());

  const answers = (): number =>
    uac.received.filter((message) => message.kind === 'response' && message.status === 200).length;

  it('is repeated by its successor until the ACK comes, which the application is told', async () => {
    timers.advance(500);
    timers.advance(1000);
    await eventually('two repeats', () => answers() === 3);
    call.ack();
    expect((await second.notified('ACK')).tokens.slice(8, 10)).toEqual([inviteId, call.id]);
    timers.advance(60_000);
    expect(answers()).toBe(3);
    expect(endpoint.stats().liveDialogs).toBe(1);
    expect(timers.pending).toBe(0);
  });

  it('is said again to a repeat of its INVITE, which no application is shown', async () => {
    const { toTag } = call;
    call.toTag = undefined;
    uac.sendRaw(call.bytes('INVITE', 1, call.inviteBranch, [['Content-Type', 'application/sdp']], SDP));
    await eventually('the answer again', () => answers() === 2);
    call.toTag = toTag;
    call.ack();
    await second.notified('ACK');
    expect(second.count('INVITE')).toBe(0);
  });

  it('ends its call after 64*T1 as ever', async () => {
    timers.advance(32_000);
    await uac.request('BYE');
    expect((await second.notified('BYE')).tokens[2]).toBe('application');
    expect(endpoint.stats().liveDialogs).toBe(0);
  });
});

it('time of a real endpoint runs by itself', async () => {
  const real = await startEndpoint();
  const app = await WireClient.app(real.wirePort, 'invite');
  const caller = await Uac.udp(real.udpPort);
  caller.call().invite();
  await app.respond(await app.notified('INVITE'), '486 Busy Here');
  await withLimit<true>('repeat of 486 by timer G', (check) => {
    const poll = setInterval(() => {
      const refusals = caller.received.filter((m) => m.kind === 'response' && m.status === 486);
      check(refusals.length > 1 ? true : undefined);
    }, 20);
    return () => clearInterval(poll);
  });
  caller.close();
  app.close();
  await real.close();
});
