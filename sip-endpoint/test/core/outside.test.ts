import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../../src/endpoint.ts';
import { headerValue } from '../../src/parse/message.ts';
import { tagOf } from '../../src/parse/uri.ts';
import { startEndpoint } from '../support/endpoint.ts';
import { FakeTimers } from '../support/fake-timers.ts';
import { Uac } from '../support/uac.ts';
import { WireClient } from '../support/wire-client.ts';

let timers: FakeTimers;
let endpoint: SipEndpoint;
let app: WireClient;
let peer: Uac;

beforeEach(async () => {
  timers = new FakeTimers();
  endpoint = await startEndpoint({ timers });
  app = await WireClient.app(endpoint.wirePort, 'invite');
  peer = await Uac.udp(endpoint.udpPort);
});
afterEach(async () => {
  peer.close();
  app.close();
  await endpoint.close();
});

describe('a request of the application outside a dialog', () => {
  it('is completed and sent, and its answer comes back under the transaction that was told', async () => {
    const uri = `sip:sbc@127.0.0.1:${peer.port}`;
    const sent = await app.command('sip||', `OPTIONS ${uri} SIP/2.0\r\nX-Probe: 1\r\n\r\n`);
    expect(sent.tokens[0]).toBe('OK');
    const options = await peer.request('OPTIONS');
    expect(options).toMatchObject({ uri, via: { transport: 'UDP', port: endpoint.udpPort } });
    expect(tagOf(options.from)).toBeDefined();
    expect(options.to.uri).toBe(uri);
    expect(headerValue(options.headers, 'x-probe')).toBe('1');
    expect(headerValue(options.headers, 'max-forwards')).toBe('70');
    expect(headerValue(options.headers, 'contact')).toContain(`:${endpoint.udpPort}`);
    peer.reply(options, 200, 'OK');
    const answer = await app.notified('SIP/2.0 200');
    expect(answer.tokens.slice(8, 10)).toEqual([sent.tokens[7], '']);
  });

  it('keeps From, Call-ID and CSeq that the application chose, with our address for localhost', async () => {
    const head = `OPTIONS sip:127.0.0.1:${peer.port} SIP/2.0`;
    const own = 'From: <sip:probe@localhost>;tag=mine\r\nCall-ID: again@here\r\nCSeq: 8 OPTIONS';
    await app.command('sip||', `${head}\r\n${own}\r\n\r\n`);
    const options = await peer.request('OPTIONS');
    expect(options).toMatchObject({ callId: 'again@here', cseq: { seq: 8 } });
    expect(options.from.uri).toBe(`sip:probe@127.0.0.1:${endpoint.udpPort}`);
    expect(tagOf(options.from)).toBe('mine');
  });

  it('goes to the proxy that the application names, and over the transport of its URI', async () => {
    const proxy = `sip:127.0.0.1:${peer.port}`;
    await app.command(`sip|||${proxy}`, 'OPTIONS sip:far.example.com SIP/2.0\r\n\r\n');
    expect((await peer.request('OPTIONS')).uri).toBe('sip:far.example.com');
    const refused = await app.command('sip||', 'OPTIONS sip:127.0.0.1;transport=tls SIP/2.0\r\n\r\n');
    expect(refused.tokens.slice(0, 2)).toEqual(['NOK', 'requested protocol/transport not available']);
  });

  it('that nobody answers is told as a 408, and leaves nothing behind', async () => {
    await app.command('sip||', `OPTIONS sip:127.0.0.1:${peer.port} SIP/2.0\r\n\r\n`);
    await peer.request('OPTIONS');
    timers.advance(32_000);
    await app.notified('SIP/2.0 408');
    expect(endpoint.stats().liveTransactions).toBe(0);
  });

  it('that would make a dialog, or needs one, gets NOK', async () => {
    for (const method of ['INVITE', 'BYE', 'SUBSCRIBE', 'UPDATE']) {
      const reply = await app.command('sip||', `${method} sip:127.0.0.1:${peer.port} SIP/2.0\r\n\r\n`);
      expect(reply.tokens[0]).toBe('NOK');
    }
    expect(peer.received).toEqual([]);
  });
});
