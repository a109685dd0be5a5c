import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../src/endpoint.ts';
import { headerValue, type SipResponse } from '../src/parse/message.ts';
import { tagOf } from '../src/parse/uri.ts';
import { connectApp, startEndpoint, type App } from './support/endpoint.ts';
import type { Srf, SrfDialog } from './support/srf.ts';
import { SDP, Uac, type TestCall } from './support/uac.ts';
import { eventually, withLimit } from './support/wait.ts';

const ANSWER = SDP.replace('6000', '41000');

let endpoint: SipEndpoint;
let app: App;
let dialogs: SrfDialog[];
let seen: { method: string; detail: string }[];

function register(srf: Srf): void {
  srf.invite((req, res) => {
    if (req.calledNumber === 'busy') return void res.send(486);
    req.on('cancel', () => seen.push({ method: 'cancel', detail: req.get('Call-ID') ?? '' }));
    if (req.get('X-Ring') !== undefined) return void res.send(180);
    srf.createUAS(req, res, { localSdp: ANSWER, headers: { 'X-Answered': 'yes' } }).then(
      (dialog) => {
        dialogs.push(dialog);
        dialog.on('destroy', (_msg, reason) => seen.push({ method: 'destroy', detail: reason }));
      },
      (error: Error) => seen.push({ method: 'failed', detail: error.message }),
    );
  });
  srf.options((_req, res) => void res.send(200));
}

/** Calls, and waits until drachtio-srf has its dialog too: its 200 can reach the caller first. */
async function establish(call: TestCall): Promise<{ ok: SipResponse; dialog: SrfDialog }> {
  const ok = await call.establish();
  const dialog = await withLimit<SrfDialog>('dialog in the application', (check) => {
    const poll = setInterval(() => check(dialogs.find((found) => found.id === call.id)), 2);
    return () => clearInterval(poll);
  });
  return { ok, dialog };
}

beforeEach(async () => {
  dialogs = [];
  seen = [];
  endpoint = await startEndpoint();
  app = await connectApp(endpoint, register);
});

afterEach(async () => {
  app.disconnect();
  await endpoint.close();
});

describe.each(['udp', 'tcp'] as const)('an unmodified drachtio-srf over %s', (proto) => {
  let uac: Uac;
  beforeEach(async () => {
    uac = proto === 'udp' ? await Uac.udp(endpoint.udpPort) : await Uac.tcp(endpoint.tcpPort);
  });
  afterEach(() => uac.close());

  it('answers a call and hears the BYE of the caller', async () => {
    const call = uac.call();
    const { ok, dialog } = await establish(call);
    expect(ok.body.toString()).toBe(ANSWER);
    expect(headerValue(ok.headers, 'x-answered')).toBe('yes');
    expect(headerValue(ok.headers, 'contact')).toContain('127.0.0.1');
    expect(uac.received[0]).toMatchObject({ kind: 'response', status: 100 });
    expect(dialog.sip).toMatchObject({ callId: call.callId, remoteTag: call.fromTag, localTag: call.toTag });
    expect(dialog.id).toBe(call.id);
    call.send('BYE');
    await uac.response(200, 'BYE');
    await eventually('destroy', () => seen.some((event) => event.method === 'destroy'));
    expect(endpoint.stats().liveDialogs).toBe(0);
  });

  it('hangs up from the application', async () => {
    const call = uac.call();
    const { dialog } = await establish(call);
    const destroyed = dialog.destroy();
    const bye = await uac.request('BYE');
    expect(bye.callId).toBe(call.callId);
    expect(tagOf(bye.from)).toBe(call.toTag);
    expect(tagOf(bye.to)).toBe(call.fromTag);
    expect(bye.uri).toContain(`caller@127.0.0.1:${uac.port}`);
    uac.reply(bye, 200, 'OK');
    await destroyed;
    expect(endpoint.stats().liveDialogs).toBe(0);
  });

  it('sees a CANCEL of a ringing call, which ends with 487', async () => {
    const call = uac.call({ headers: [['X-Ring', 'yes']] });
    call.invite();
    const ringing = await uac.response(180, 'INVITE');
    call.cancel();
    await uac.response(200, 'CANCEL');
    const ended = await uac.response(487, 'INVITE');
    expect(tagOf(ended.to)).toBe(tagOf(ringing.to));
    await eventually('cancel event', () => seen.some((event) => event.method === 'cancel'));
    expect(endpoint.stats().liveDialogs).toBe(0);
  });

  it('answers a re-INVITE, an INFO and an OPTIONS inside the call', async () => {
    const call = uac.call();
    const { dialog } = await establish(call);
    dialog.on('modify', (_req, res) => void res.send(200, { body: ANSWER }));
    const info = withLimit<string>('info', (check) => {
      dialog.on('info', (req, res) => {
        check(req.body);
        res.send(200);
      });
      return () => undefined;
    });
    const seq = call.send('INVITE', [['Content-Type', 'application/sdp']], SDP.replace('6000', '6002'));
    const ok = await uac.response(200, 'INVITE', seq);
    expect(tagOf(ok.to)).toBe(call.toTag);
    call.ack();
    call.send('INFO', [['Content-Type', 'text/plain']], 'hello');
    await uac.response(200, 'INFO');
    expect(await info).toBe('hello');
    call.send('OPTIONS');
    await uac.response(200, 'OPTIONS');
  });

  it('sends a re-INVITE, acknowledges its answer, and sends an INFO', async () => {
    const call = uac.call();
    const { dialog } = await establish(call);
    const modified = dialog.modify(ANSWER.replace('sendrecv', 'inactive'));
    const invite = await uac.request('INVITE');
    expect(invite.body.toString()).toContain('inactive');
    uac.reply(invite, 200, 'OK', [['Contact', `<sip:moved@127.0.0.1:${uac.port}>`]], SDP);
    const ack = await uac.request('ACK');
    expect(ack.cseq.seq).toBe(invite.cseq.seq);
    await modified;
    const answered = dialog.request({ method: 'INFO', headers: { 'Content-Type': 'text/plain' }, body: 'x' });
    const info = await uac.request('INFO');
    expect(info.uri).toContain('moved@');
    expect(info.cseq.seq).toBe(invite.cseq.seq + 1);
    uac.reply(info, 200, 'OK');
    expect((await answered).status).toBe(200);
  });

  it('asks a peer for its OPTIONS, is told cleanly that calls of its own are not supported, and goes on', async () => {
    const uri = `sip:peer@127.0.0.1:${uac.port}${proto === 'udp' ? '' : ';transport=tcp'}`;
    const request = (method: string): Promise<number | string> =>
      withLimit<number | string>(method, (check) => {
        app.srf.request({ uri, method }, (failed, sent) => {
          if (failed !== null) check(failed.code);
          else sent?.on('response', (response) => check(response.status));
        });
        return () => undefined;
      });
    const asked = request('OPTIONS');
    uac.reply(await uac.request('OPTIONS'), 200, 'OK');
    expect(await asked).toBe(200);
    expect(await request('INVITE')).toBe('EDRACHTIO');
    await establish(uac.call());
  });

  it('gets OPTIONS outside a dialog, and refuses a call', async () => {
    uac.call().send('OPTIONS');
    await uac.response(200, 'OPTIONS');
    const call = uac.call();
    const bytes = call
      .bytes('INVITE', 1, call.branch())
      .toString('latin1')
      .replace('sip:answer@', 'sip:busy@');
    uac.sendRaw(bytes);
    await uac.response(486, 'INVITE');
  });
});
