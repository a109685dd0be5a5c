import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type DetailedPeerCertificate } from 'node:tls';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../../src/endpoint.ts';
import { headerValue } from '../../src/parse/message.ts';
import { makeCertificate, type Certificate } from '../support/certificates.ts';
import { quiet, startEndpoint } from '../support/endpoint.ts';
import { SDP, Uac } from '../support/uac.ts';
import { eventually } from '../support/wait.ts';
import { WireClient } from '../support/wire-client.ts';
import { tagOf } from '../../src/parse/uri.ts';

const loopback = { host: '127.0.0.1', port: 0 };
let folder: string;
let authority: Certificate;
let server: Certificate;
let endpoint: SipEndpoint;
let app: WireClient;
const uacs: Uac[] = [];

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

const path = (name: string): string => join(folder, name);

async function start(mutual: boolean, host = '127.0.0.1', log = quiet): Promise<void> {
  const files = {
    certFile: path('cert.pem'),
    keyFile: path('key.pem'),
    caFile: mutual ? path('ca.pem') : undefined,
  };
  endpoint = await startEndpoint({ log, tls: { binding: { host, port: 0 }, files } });
  app = await WireClient.app(endpoint.wirePort, 'invite', 'options', 'bye');
}

async function dial(options: ConnectionOptions = {}): Promise<Uac> {
  const uac = await Uac.tls(endpoint.tlsPort, { ca: authority.cert, ...options });
  uacs.push(uac);
  return uac;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-tls-'));
  authority = makeCertificate('authority');
  server = makeCertificate('recorder', authority);
  await writeFile(path('cert.pem'), server.cert);
  await writeFile(path('key.pem'), server.key);
  await writeFile(path('ca.pem'), authority.cert);
});
afterEach(async () => {
  for (const uac of uacs.splice(0)) uac.close();
  app.close();
  await endpoint.close();
  await rm(folder, { recursive: true });
});

describe('SIP over TLS', () => {
  it('carries a call, and our BYE goes back over the connection that it came on', async () => {
    await start(false);
    const uac = await dial();
    const call = uac.call();
    call.invite();
    const invite = await app.notified('INVITE');
    expect(invite.tokens[4]).toBe('tls');
    await app.respond(invite, '200 OK', 'Contact: <sip:earshot@localhost;transport=tcp>;+sip.srs\r\n', SDP);
    const ok = await uac.response(200, 'INVITE');
    call.toTag = tagOf(ok.to);
    expect(headerValue(ok.headers, 'contact')).toBe(
      `<sip:earshot@127.0.0.1:${endpoint.tlsPort};transport=tls>;+sip.srs`,
    );
    call.ack();
    await app.notified('ACK');
    // Nobody listens there: only the open connection can carry it.
    await app.command(`sip||${call.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
    const bye = await uac.request('BYE');
    expect(bye.via).toMatchObject({ transport: 'TLS', host: '127.0.0.1', port: endpoint.tlsPort });
    uac.reply(bye, 200, 'OK');
    await eventually('dialog ended', () => endpoint.stats().liveDialogs === 0);
  });

  it('a call to a sips URI is answered with a sips Contact', async () => {
    await start(false);
    const uac = await dial();
    const call = uac.call();
    const invite = call.bytes('INVITE', 1, call.branch()).toString('latin1');
    uac.sendRaw(invite.replace('INVITE sip:', 'INVITE sips:'));
    await app.respond(await app.notified('INVITE'), '200 OK', 'Contact: <sip:earshot@localhost>\r\n');
    const ok = await uac.response(200, 'INVITE');
    expect(headerValue(ok.headers, 'contact')).toBe(`<sips:earshot@127.0.0.1:${endpoint.tlsPort}>`);
  });

  it.skipIf(!hasIPv6)('carries a call over IPv6 (skipped where there is no ::1)', async () => {
    await start(false, '::1');
    const uac = await Uac.tls(endpoint.tlsPort, { ca: authority.cert }, '::1');
    uacs.push(uac);
    const call = uac.call();
    call.invite();
    const invite = await app.notified('INVITE');
    expect(invite.tokens.slice(4, 6)).toEqual(['tls', '::1']);
    await app.respond(invite, '200 OK', '', SDP);
    const ok = await uac.response(200, 'INVITE');
    expect(headerValue(ok.headers, 'contact')).toBe(`<sip:[::1]:${endpoint.tlsPort};transport=tls>`);
    call.toTag = tagOf(ok.to);
    call.ack();
    call.send('BYE');
    await app.respond(await app.notified('BYE'), '200 OK');
    await uac.response(200, 'BYE');
  });

  it('takes a new certificate when its file changes, and keeps the connections made with the old one', async () => {
    await start(false);
    const dayMs = 86_400_000;
    const leftMs = (endpoint.stats().certificateExpiresAtMs ?? 0) - Date.now();
    expect(leftMs).toBeGreaterThan(dayMs / 2);
    expect(leftMs).toBeLessThan(dayMs);
    const before = await dial();
    const renewed = makeCertificate('recorder renewed', authority);
    await writeFile(path('key.pem'), renewed.key);
    await writeFile(path('cert.pem'), renewed.cert);
    let seen = '';
    await eventually('the new certificate is shown', () => {
      void shownTo().then((name) => (seen = name));
      return seen === 'recorder renewed';
    });
    before.call().send('OPTIONS');
    await app.respond(await app.notified('OPTIONS'), '200 OK');
    await before.response(200, 'OPTIONS');
  });

  it('keeps the certificate that it has when the new files are damaged', async () => {
    let warned = 0;
    await start(false, '127.0.0.1', { ...quiet, warn: () => void warned++ });
    await writeFile(path('cert.pem'), 'no certificate');
    await eventually('the damaged file was looked at', () => warned > 0);
    const uac = await dial();
    uac.call().send('OPTIONS');
    await app.respond(await app.notified('OPTIONS'), '200 OK');
    await uac.response(200, 'OPTIONS');
    expect(await shownTo()).toBe('recorder');
  });

  it('does not start with a key that is not the certificate’s, and says which settings to look at', async () => {
    await start(false);
    await writeFile(path('key.pem'), makeCertificate('other').key);
    await expect(
      startEndpoint({
        tls: {
          binding: loopback,
          files: { certFile: path('cert.pem'), keyFile: path('key.pem'), caFile: undefined },
        },
      }),
    ).rejects.toThrow(/TLS_CERT_FILE/);
  });

  it('speaks nothing older than TLS 1.2', async () => {
    await start(false);
    await expect(
      dial({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toThrow();
    expect(endpoint.stats().tcpConnections).toBe(0);
  });
});

describe('mutual TLS', () => {
  it('lets in who shows a certificate of the authority, and nobody else', async () => {
    await start(true);
    const client = makeCertificate('sbc', authority);
    const known = await dial({ cert: client.cert, key: client.key });
    known.call().send('OPTIONS');
    await app.respond(await app.notified('OPTIONS'), '200 OK');
    await known.response(200, 'OPTIONS');
    const stranger = makeCertificate('stranger');
    for (const options of [{}, { cert: stranger.cert, key: stranger.key }]) {
      const socket = connect({ port: endpoint.tlsPort, host: '127.0.0.1', ca: authority.cert, ...options });
      await new Promise<void>((resolve) => {
        socket.on('error', () => socket.destroy());
        socket.on('close', () => resolve());
      });
    }
    expect(app.count('OPTIONS')).toBe(1);
    expect(endpoint.stats().tcpConnections).toBe(1);
  });
});

/** The name in the certificate that a new connection is shown. */
async function shownTo(): Promise<string> {
  const socket = connect({ port: endpoint.tlsPort, host: '127.0.0.1', ca: authority.cert });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate() as DetailedPeerCertificate;
  socket.destroy();
  return String(subject.CN);
}
