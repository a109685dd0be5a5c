import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { timerStep, type SessionTimer } from '../src/call/session-timer.ts';
import type { CallTools, Dialog } from '../src/control/dialog.ts';
import { InDialog } from '../src/control/in-dialog.ts';
import type { SipRequest } from '../src/sip/request.ts';
import { sdpOf } from './support/bodies.ts';
import { Rig } from './support/rig.ts';
import type { Answer, ClientDialog, SipClient, SipMessage } from './support/sip-client.ts';
import { until } from './support/until.ts';

const T0 = 1_000_000;
const timer = (intervalS: number, refresher: SessionTimer['refresher']): SessionTimer => ({
  intervalS,
  refresher,
  refreshedAtMs: T0,
  takesUpdate: true,
});

describe('a session timer', () => {
  it.each<[what: string, timer: SessionTimer, refreshS: number | null, expireS: number]>([
    ['of 90 s that the peer refreshes ends 30 s early', timer(90, 'peer'), null, 60],
    ['of 1800 s that the peer refreshes ends 32 s early', timer(1800, 'peer'), null, 1768],
    ['of 1800 s that we refresh asks at half', timer(1800, 'us'), 900, 1768],
  ])('%s (RFC 4028 section 10)', (_what, running, refreshS, expireS) => {
    const at = (seconds: number): string => timerStep(running, T0 + seconds * 1000);
    if (refreshS !== null) expect([at(refreshS - 1), at(refreshS)]).toEqual(['wait', 'refresh']);
    expect([at(expireS - 1), at(expireS)]).toEqual([refreshS === null ? 'wait' : 'refresh', 'expire']);
  });

  it.each([
    ['ACK timeout', 'no-ack'],
    ['Session timer expired', 'session-expired'],
    ['of no known kind', 'unknown'],
  ])('that drachtio-server watches itself is told apart by the Reason of its BYE: %s', (text, cause) => {
    const events: unknown[] = [];
    const call = { dispatch: (event: unknown) => events.push(event) } as unknown as Dialog;
    const bye = { method: 'BYE', fromServer: true, header: () => `SIP;cause=200;text="${text}"` };
    void new InDialog({} as CallTools).receive(call, bye as unknown as SipRequest);
    expect(events).toEqual([{ type: 'dialog.destroyed', cause }]);
  });

  it('never expires before it asked for a refresh, and wants nothing at first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 90, max: 86_400 }), fc.nat({ max: 200_000 }), (intervalS, afterS) => {
        const ours = timerStep(timer(intervalS, 'us'), T0 + afterS * 1000);
        const theirs = timerStep(timer(intervalS, 'peer'), T0 + afterS * 1000);
        expect(theirs).not.toBe('refresh');
        expect(theirs === 'expire').toBe(ours === 'expire');
        if (afterS < intervalS / 2) expect(ours).toBe('wait');
        if (afterS > intervalS) expect(ours).toBe('expire');
      }),
    );
  });
});

describe('a call with a session timer', () => {
  let rig: Rig;
  let client: SipClient;
  let dialog: ClientDialog;
  let nowMs = T0;
  afterEach(() => rig.stop());

  const start = async (headers: readonly string[], more: { body?: string } = {}): Promise<SipMessage> => {
    nowMs = T0;
    rig = await Rig.start({ nowMs: () => nowMs });
    client = await rig.client();
    dialog = client.dialog();
    // The grace after a start is over.
    nowMs += 40_000;
    return dialog.invite({ body: sdpOf([{}]), headers, ...more });
  };
  const asked: SipMessage[] = [];
  const answerWith = (answer: (request: SipMessage) => Answer): void => {
    asked.length = 0;
    client.onRequest = (request) => {
      if (request.method === 'BYE') return { status: 200 };
      asked.push(request);
      return answer(request);
    };
  };
  const ended = (): Promise<{ readonly endReason: string }> =>
    until('call.ended', () => rig.transcripts.of('call.ended')[0], 20_000);
  const pass = (seconds: number): void => void (nowMs += seconds * 1000);
  const onRecord = (text: string): Promise<unknown> =>
    until(`${text} in the journal`, () =>
      readFileSync(join(rig.env['DATA_DIR']!, 'gateway', 'calls.jsonl'), 'utf8').includes(text),
    );
  const renewed = (): Promise<unknown> => onRecord(`"refreshedAtMs":${nowMs}`);
  const OURS = ['Supported: timer', 'Allow: INVITE, ACK, BYE, UPDATE', 'Session-Expires: 90;refresher=uas'];

  it('that the caller does not refresh ends by our BYE, for that reason', async () => {
    const answer = await start(['Supported: timer', 'Session-Expires: 90']);
    expect(answer.headers.get('session-expires')).toBe('90;refresher=uac');
    expect(answer.headers.get('require')).toBe('timer');
    pass(61);
    const bye = await dialog.incoming('BYE');
    expect(bye.headers.get('reason')).toContain('session-expired');
    expect((await ended()).endReason).toBe('session-expired');
  });

  it('that the caller refreshes in time goes on, by UPDATE and by re-INVITE', async () => {
    const headers = ['Supported: timer', 'Session-Expires: 90'];
    await start(headers);
    pass(50);
    dialog.request('UPDATE', { body: '', contentType: null, headers });
    expect((await dialog.final('UPDATE')).status).toBe(200);
    pass(50);
    await dialog.invite({ body: sdpOf([{}]), headers });
    pass(50);
    // A timer of its own is checked after this: what would have ended it would have done so by then.
    expect(await otherCallExpires()).toBe('session-expired');
    expect(rig.gateway.liveCalls).toBe(1);
    expect((await dialog.bye()).status).toBe(200);
  });

  /** A further call whose timer runs out now; all others were checked at the same time or before. */
  async function otherCallExpires(): Promise<string> {
    const other = client.dialog();
    const before = nowMs;
    nowMs -= 100_000;
    await other.invite({ body: sdpOf([{}]), headers: ['Supported: timer', 'Session-Expires: 90'] });
    nowMs = before;
    await other.incoming('BYE');
    return (await until('its end', () => rig.transcripts.of('call.ended').at(-1), 20_000)).endReason;
  }

  it('without one lives on: Cisco CUCM’s 1800 s come without a refresher, and are its own to refresh', async () => {
    const answer = await start(['Supported: timer', 'Session-Expires: 1800']);
    expect(answer.headers.get('session-expires')).toBe('1800;refresher=uac');
    pass(900);
    expect(await otherCallExpires()).toBe('session-expired');
    expect(rig.gateway.liveCalls).toBe(1);
  });

  it('shorter than any may be is refused with 422, in the first INVITE and in a refresh', async () => {
    const short = ['Supported: timer', 'Session-Expires: 60'];
    const answer = await start(short);
    expect(answer.status).toBe(422);
    expect(answer.headers.get('min-se')).toBe('90');
    dialog = client.dialog();
    expect((await dialog.invite({ body: sdpOf([{}]) })).status).toBe(200);
    dialog.request('UPDATE', { body: '', contentType: null, headers: short });
    expect((await dialog.final('UPDATE')).status).toBe(422);
    expect((await dialog.bye()).status).toBe(200);
  });

  it('that we refresh asks by UPDATE without SDP at half of it, and goes on', async () => {
    const answer = await start(OURS);
    expect(answer.headers.get('session-expires')).toBe('90;refresher=uas');
    const contact = `Contact: <sip:src@${client.address}:${client.port}>`;
    answerWith(() => ({ status: 200, headers: ['Session-Expires: 90;refresher=uac', contact] }));
    for (let n = 1; n <= 3; n++) {
      pass(46);
      await until(`refresh ${n}`, () => asked.length === n, 20_000);
      await renewed();
    }
    expect(asked.map(({ method, body }) => `${method} ${body}`)).toEqual(['UPDATE ', 'UPDATE ', 'UPDATE ']);
    expect(asked[0]!.headers.get('session-expires')).toBe('90;refresher=uac');
    expect(rig.transcripts.of('call.ended')).toEqual([]);
  });

  it('that we refresh asks a caller without UPDATE by re-INVITE, with the SDP of before, and takes its answer', async () => {
    const first = await start([
      'Supported: timer',
      'Allow: INVITE, ACK, BYE',
      'Session-Expires: 90;refresher=uas',
    ]);
    const contact = `Contact: <sip:src@${client.address}:${client.port}>`;
    answerWith(() => ({
      status: 200,
      headers: [contact, 'Content-Type: application/sdp'],
      body: sdpOf([{ port: 31_000 }], 2),
    }));
    pass(46);
    await until('re-INVITE', () => asked[0], 20_000);
    expect(asked[0]!.method).toBe('INVITE');
    expect(asked[0]!.body).toBe(first.body);
    await dialog.incoming('ACK');
    const update = await until('leg.update', () => rig.media[0]!.of('leg.update')[0], 20_000);
    expect(update.leg.channels[0]!.remote?.port).toBe(31_000);
    expect((await dialog.bye()).status).toBe(200);
  });

  it('whose refresh is answered by 422 asks again with the interval that is wanted', async () => {
    await start(OURS);
    answerWith(({ headers }) =>
      headers.get('session-expires')!.startsWith('90')
        ? { status: 422, headers: ['Min-SE: 300'] }
        : { status: 200, headers: ['Session-Expires: 300;refresher=uac'] },
    );
    pass(46);
    await until('422', () => asked[0], 20_000);
    await onRecord('"intervalS":300');
    pass(105);
    await until('again', () => asked[1], 20_000);
    expect(asked[1]!.headers.get('session-expires')).toBe('300;refresher=uac');
    expect(rig.transcripts.of('call.ended')).toEqual([]);
  });

  it('whose refresh the peer knows no dialog for is over', async () => {
    await start(OURS);
    answerWith(() => ({ status: 481 }));
    pass(46);
    expect((await ended()).endReason).toBe('session-expired');
  });

  it('whose refresh the peer does not like is not ended for it', async () => {
    await start(OURS);
    answerWith(() => ({ status: 488 }));
    pass(46);
    await until('refresh', () => asked[0], 20_000);
    await renewed();
    pass(46);
    await until('the next one', () => asked[1], 20_000);
    expect(rig.transcripts.of('call.ended')).toEqual([]);
  });

  it('keeps it over a new start of the gateway, which gives the peer a moment first', async () => {
    await start(['Supported: timer', 'Session-Expires: 90']);
    await until('call.started', () => rig.transcripts.of('call.started')[0]);
    rig.gateway.stop();
    pass(70);
    await rig.startGateway();
    expect(rig.gateway.liveCalls).toBe(1);
    pass(33);
    expect((await ended()).endReason).toBe('session-expired');
  });
});
