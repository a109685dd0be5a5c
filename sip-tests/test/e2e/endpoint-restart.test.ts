/** The embedded SIP endpoint dies while calls are live: peers find it again, over UDP, TCP and TLS, and BYE ends the right call. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificate } from '../../../sip-endpoint/test/support/certificates.ts';
import { Uac } from '../../../sip-endpoint/test/support/uac.ts';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { buildOffer } from '../../src/sdp.ts';
import { SipClient } from '../../src/sip-client.ts';
import type { SipDialog } from '../../src/sip-dialog.ts';
import { callBySipId } from './support.ts';

const authority = makeCertificate('authority');
const server = makeCertificate('recorder', authority);
const sbc = makeCertificate('sbc', authority);
let folder: string;
let earshot: EarshotProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-tls-'));
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  earshot = await EarshotProcess.start({
    env: {
      // No RTP is sent here: a call ends by BYE alone.
      RTP_TIMEOUT_S: '600',
      SIPS_PORT: '0',
      TLS_CERT_FILE: await file('cert.pem', server.cert),
      TLS_KEY_FILE: await file('key.pem', server.key),
      TLS_CA_FILE: await file('ca.pem', authority.cert),
    },
  });
}, 180_000);
afterAll(async () => {
  await earshot?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const LIMIT = { timeout: 60_000, interval: 250 };
const view = (callId: string): Promise<CallView | null> => callBySipId(earshot, callId);

async function killEndpoint(): Promise<void> {
  const [old] = await earshot.pidsOf('sip-endpoint');
  process.kill(old!, 'SIGKILL');
  await expect
    .poll(async () => {
      const [next] = await earshot.pidsOf('sip-endpoint');
      return next !== undefined && next !== old;
    }, LIMIT)
    .toBe(true);
}

test.each(['udp', 'tcp'] as const)(
  'over %s: re-INVITE and BYE reach the calls of the endpoint that was killed',
  async (transport) => {
    const client = await SipClient.open({ server: earshot.sip, transport });
    try {
      const invite = (port: number): Promise<SipDialog> =>
        client.invite({
          to: `sip:recorder@${earshot.sip.host}:${earshot.sip.port}`,
          from: '"Fork" <sip:fork@127.0.0.1>',
          contentType: 'application/sdp',
          body: buildOffer(client.local.host, [{ port }], 'pcmu', 'sendonly'),
        });
      const [first, second] = [await invite(31_100), await invite(31_110)];
      for (const { callId } of [first, second])
        await expect.poll(() => view(callId), LIMIT).toMatchObject({ state: 'live' });

      await killEndpoint();
      const held = buildOffer(client.local.host, [{ port: 31_110 }], 'pcmu', 'inactive');
      expect((await second.reinvite('application/sdp', held)).status).toBe(200);
      expect(await first.bye()).toEqual({ by: 'us' });
      await expect.poll(() => view(first.callId), LIMIT).toMatchObject({ state: 'ended', endReason: 'bye' });
      expect(await view(second.callId)).toMatchObject({ state: 'live' });
      expect(await second.bye()).toEqual({ by: 'us' });
      await expect.poll(() => view(second.callId), LIMIT).toMatchObject({ state: 'ended', endReason: 'bye' });
    } finally {
      await client.close();
    }
  },
  200_000,
);

test('over mutual TLS: the peer connects again and ends its call', async () => {
  const port = Number(/TLS on (\d+)/.exec(earshot.lines.join('\n'))?.[1]);
  const dial = (): Promise<Uac> => Uac.tls(port, { ca: authority.cert, cert: sbc.cert, key: sbc.key });
  const before = await dial();
  const call = before.call();
  await call.establish();
  await expect
    .poll(() => view(call.callId), LIMIT)
    .toMatchObject({ state: 'live', sip: { transport: 'tls' } });
  await killEndpoint();
  // The port is host's: whoever connects meanwhile is answered by the next endpoint.
  const after = await dial();
  after.sendRaw(call.bytes('BYE', 2, call.branch()));
  await expect.poll(() => view(call.callId), LIMIT).toMatchObject({ state: 'ended', endReason: 'bye' });
  before.close();
  after.close();
}, 200_000);
