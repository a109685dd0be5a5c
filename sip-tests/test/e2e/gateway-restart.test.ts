/** The gateway dies while calls are live: requests in their dialogs are answered by the next, and BYE ends the right one. */
import type { CallView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { buildOffer } from '../../src/sdp.ts';
import { SipClient } from '../../src/sip-client.ts';
import type { SipDialog } from '../../src/sip-dialog.ts';
import { callBySipId } from './support.ts';

let earshot: EarshotProcess;
beforeAll(async () => {
  // No RTP is sent here: a call ends by BYE alone.
  earshot = await EarshotProcess.start({ env: { RTP_TIMEOUT_S: '600' } });
}, 180_000);
afterAll(async () => {
  await earshot?.stop();
}, 60_000);

const LIMIT = { timeout: 60_000, interval: 250 };
const view = (dialog: SipDialog): Promise<CallView | null> => callBySipId(earshot, dialog.callId);

async function killGateway(): Promise<void> {
  const [old] = await earshot.pidsOf('gateway');
  process.kill(old!, 'SIGKILL');
  await expect
    .poll(async () => {
      const [next] = await earshot.pidsOf('gateway');
      return next !== undefined && next !== old;
    }, LIMIT)
    .toBe(true);
}

test.each(['udp', 'tcp'] as const)(
  'over %s: re-INVITE, UPDATE and BYE reach the calls of the gateway that was killed',
  async (transport) => {
    const client = await SipClient.open({ server: earshot.sip, transport });
    try {
      const offer = (direction: 'sendonly' | 'inactive', port: number): string =>
        buildOffer(client.local.host, [{ port }], 'pcmu', direction);
      const dialogs: SipDialog[] = [];
      for (const port of [31_000, 31_010, 31_020]) {
        dialogs.push(
          await client.invite({
            to: `sip:recorder@${earshot.sip.host}:${earshot.sip.port}`,
            from: '"Fork" <sip:fork@127.0.0.1>',
            contentType: 'application/sdp',
            body: offer('sendonly', port),
          }),
        );
      }
      const [first, second, third] = dialogs as [SipDialog, SipDialog, SipDialog];
      for (const dialog of dialogs)
        await expect.poll(() => view(dialog), LIMIT).toMatchObject({ state: 'live' });
      const portOf = (dialog: SipDialog): string | undefined =>
        /m=audio (\d+)/.exec(Buffer.from(dialog.answer.body).toString())?.[1];
      const before = portOf(second);

      await killGateway();
      // Sent while nobody is there or when the next is: the SIP endpoint keeps it for whoever comes.
      const held = await second.reinvite('application/sdp', offer('inactive', 31_010));
      expect(held.status).toBe(200);
      expect(portOf(second)).toBe(before);
      expect((await third.request('UPDATE')).status).toBe(200);
      expect(await first.bye()).toEqual({ by: 'us' });

      await expect.poll(() => view(first), LIMIT).toMatchObject({ state: 'ended', endReason: 'bye' });
      expect(await view(second)).toMatchObject({ state: 'live' });
      expect(await view(third)).toMatchObject({ state: 'live' });
      for (const dialog of [second, third]) {
        expect(await dialog.bye()).toEqual({ by: 'us' });
        await expect.poll(() => view(dialog), LIMIT).toMatchObject({ state: 'ended', endReason: 'bye' });
      }
    } finally {
      await client.close();
    }
  },
  200_000,
);
