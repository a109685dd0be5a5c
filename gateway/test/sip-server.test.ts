import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '@earshot/platform';
import { SipServer, type SipHandler } from '../src/sip/sip-server.ts';
import { Rig } from './support/rig.ts';
import { siprecInvite } from './support/bodies.ts';
import { until } from './support/until.ts';

let rig: Rig;
afterEach(() => rig.stop());

describe('the link to the SIP server', () => {
  let sip: SipServer;
  let handler: SipHandler;
  beforeEach(async () => {
    rig = await Rig.start({ gateway: false });
    sip = new SipServer(
      { host: '127.0.0.1', port: rig.endpoint.wirePort, secret: rig.env['DRACHTIO_SECRET']! },
      (request) => handler(request),
      createLog('test', 'silent'),
    );
    await sip.connect(5_000);
  });
  afterEach(() => sip.close());

  it.each<[string, SipHandler]>([
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bug'))],
  ])('answers 500 when a handler %s, and goes on', async (_how, faulty) => {
    handler = faulty;
    const client = await rig.client();
    expect((await client.ask('OPTIONS')).status).toBe(500);
    handler = (request) => void request.respond(200);
    expect((await client.ask('OPTIONS')).status).toBe(200);
  });

  it('writes header values of any content on one line', async () => {
    handler = (request) =>
      void request.respond(400, { reason: 'Bad\r\nX-Evil: 1', headers: { Warning: '399 a "b\r\n\r\nc"' } });
    const answer = await (await rig.client()).ask('OPTIONS');
    expect(answer.startLine).toBe('SIP/2.0 400 Bad X-Evil: 1');
    expect(answer.headers.get('warning')).toBe('399 a "b c"');
    expect(answer.headers.has('x-evil')).toBe(false);
  });

  it('hands the body over as it came, blank lines and all, without Content-Length too', async () => {
    const bodies: string[] = [];
    handler = (request) => {
      bodies.push(request.body);
      void request.respond(488);
    };
    const body = 'a\r\n\r\nb\r\n\r\né';
    const client = await rig.client();
    await client.dialog().invite({ body, contentType: 'text/plain' });
    client.send(
      [
        'INVITE sip:srs@127.0.0.1 SIP/2.0',
        `Via: SIP/2.0/UDP 127.0.0.1:${client.port};branch=z9hG4bKnolength`,
        'From: <sip:a@example.test>;tag=1',
        'To: <sip:b@example.test>',
        'Call-ID: without-length',
        'CSeq: 1 INVITE',
        `Contact: <sip:a@127.0.0.1:${client.port}>`,
        'Content-Type: text/plain',
        '',
        body,
      ].join('\r\n'),
    );
    await until('both bodies', () => bodies.length === 2);
    expect(bodies).toEqual([body, body]);
  });
});

describe('a call over TCP', () => {
  it('is answered on its connection with a Contact that says so', async () => {
    rig = await Rig.start();
    const socket = net.connect(rig.endpoint.tcpPort, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.write(
      [
        'INVITE sip:srs@127.0.0.1 SIP/2.0',
        'Via: SIP/2.0/TCP 127.0.0.1:5099;branch=z9hG4bKtcp',
        'From: <sip:a@example.test>;tag=1',
        'To: <sip:b@example.test>',
        'Call-ID: over-tcp',
        'CSeq: 1 INVITE',
        'Contact: <sip:a@127.0.0.1:5099;transport=tcp>;+sip.src',
        `Content-Type: ${siprecInvite.contentType}`,
        `Content-Length: ${Buffer.byteLength(siprecInvite.body)}`,
        '',
        siprecInvite.body,
      ].join('\r\n'),
    );
    await until('a 200', () => /^SIP\/2\.0 200/m.test(text) && text.includes('a=label:2'));
    expect(text).toMatch(
      new RegExp(
        `^Contact: <sip:earshot@127\\.0\\.0\\.1:${rig.endpoint.tcpPort};transport=tcp>;\\+sip\\.srs`,
        'im',
      ),
    );
    expect(rig.transcripts.of('call.started')[0]!.call.sip.transport).toBe('tcp');
    socket.destroy();
  });
});
