/** deploy/kamailio before two Earshots, as it stands before the nodes of a contact centre. */
import { randomInt, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallView } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { CallFleet } from '../../src/fleet.ts';
import { hasKamailio, Kamailio } from '../../src/kamailio.ts';
import { SipClient } from '../../src/sip-client.ts';
import type { SipDialog } from '../../src/sip-dialog.ts';
import { SipFailure } from '../../src/sip-transaction.ts';

const CALLS_A_NODE = 3;
const LIMIT_MS = 60_000;
/** Without RTP: the calls are to stay all the same. */
const ENV = { MAX_CALLS: String(CALLS_A_NODE), RTP_TIMEOUT_S: '3600', ASR_STANDBY: '0', MEDIA_WORKERS: '1' };

const SDP = [
  'v=0',
  'o=pbx 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 40000 RTP/AVP 0',
  'a=sendonly',
  '',
].join('\r\n');

describe.skipIf(!hasKamailio)('calls spread over two nodes by Kamailio (Debian: kamailio)', () => {
  let nodes: [EarshotProcess, EarshotProcess];
  let kamailio: Kamailio;
  let client: SipClient;

  const call = (from = 'sip:1001@pbx.test'): Promise<SipDialog> =>
    client.invite({
      to: 'sip:record@earshot.test',
      from: `<${from}>`,
      callId: randomUUID(),
      contentType: 'application/sdp',
      body: SDP,
    });
  /** A call that ends has its place for a moment longer. */
  const whenRoom = async (): Promise<SipDialog> => {
    for (const until = performance.now() + LIMIT_MS; ;) {
      try {
        return await call();
      } catch (error) {
        const full = error instanceof SipFailure && error.status === 503;
        if (!full || performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  };
  const callsOf = async (node: EarshotProcess): Promise<string[]> =>
    (await node.get<{ items: CallView[] }>('/v1/calls?limit=100')).items.map(({ sip }) => sip.callId);
  const nodeOf = async (callId: string): Promise<number> => {
    for (const [index, node] of nodes.entries()) if ((await callsOf(node)).includes(callId)) return index;
    return -1;
  };
  const seen = async (callId: string): Promise<number> => {
    await expect.poll(() => nodeOf(callId), { timeout: LIMIT_MS }).toBeGreaterThanOrEqual(0);
    return nodeOf(callId);
  };
  beforeAll(async () => {
    nodes = await Promise.all([EarshotProcess.start({ env: ENV }), EarshotProcess.start({ env: ENV })]);
    kamailio = await Kamailio.start(nodes.map(({ sip }) => sip));
    client = await SipClient.open({ server: kamailio.sip, transport: 'udp' });
  }, 240_000);
  afterAll(async () => {
    await client?.close();
    await kamailio?.stop();
    await Promise.all((nodes ?? []).map((node) => node.stop()));
  }, 120_000);

  test('answers OPTIONS itself while one of them does', { timeout: 60_000 }, async () => {
    await expect.poll(async () => (await client.options()).status, { timeout: LIMIT_MS }).toBe(200);
  });

  test.each(['udp', 'tcp'] as const)(
    'both take SIPREC calls of people who speak, over %s',
    { timeout: 120_000 },
    async (transport) => {
      const before = await Promise.all(nodes.map(callsOf));
      const fleet = await CallFleet.open({
        calls: 4,
        server: kamailio.sip,
        transport,
        codec: 'pcmu',
        seconds: 3,
        rampS: 1,
      });
      const results = await fleet.run();
      expect(results.map(({ failure }) => failure ?? null)).toEqual([null, null, null, null]);
      const taken = async (): Promise<number[]> =>
        (await Promise.all(nodes.map(callsOf))).map((ids, i) => ids.length - before[i]!.length);
      await expect.poll(taken, { timeout: LIMIT_MS }).toEqual([2, 2]);
    },
  );

  test(
    'the two dialogs of one call of a built-in bridge come to the same node',
    { timeout: 120_000 },
    async () => {
      for (let pair = 0; pair < 5; pair++) {
        const refci = randomInt(10_000_000, 99_999_999);
        const near = await call(`sip:1001@pbx.test;x-nearend;x-refci=${refci}`);
        // As CUCM has it: each end has a reference of its own, and the far one names the near one's.
        const far = await call(`sip:1001@pbx.test;x-farend;x-refci=${refci + 1};x-nearendrefci=${refci}`);
        const node = nodes[await seen(near.callId)]!;
        const channels = async (): Promise<number | undefined> =>
          (await node.get<{ items: CallView[] }>('/v1/calls?limit=100')).items.find(
            ({ sip }) => sip.callId === near.callId,
          )?.channels.length;
        await expect.poll(channels, { timeout: LIMIT_MS }).toBe(2);
        await near.bye();
        await far.bye();
      }
    },
  );

  test(
    'a full node leaves a call to the other; when both are full the caller hears 503 and when to come again',
    { timeout: 180_000 },
    async () => {
      const dialogs: SipDialog[] = [];
      for (let i = 0; i < 2 * CALLS_A_NODE; i++) dialogs.push(await whenRoom());
      const refused = await call().then(
        () => null,
        (error: unknown) => error as SipFailure,
      );
      expect(refused).toMatchObject({ code: 'rejected', status: 503 });
      expect(refused?.retryAfterS).toBeGreaterThan(0);

      // Room on one of them: found, whichever's turn it is.
      const [first, ...others] = dialogs as [SipDialog, ...SipDialog[]];
      await first.bye();
      const again = await whenRoom();
      await Promise.all([...others, again].map((dialog) => dialog.bye()));
    },
  );

  test('a node that drains gets no call, and gets calls again afterwards', { timeout: 180_000 }, async () => {
    const [drained, other] = nodes;
    await drained.post('/v1/drain', { on: true });
    for (let i = 0; i < CALLS_A_NODE; i++) {
      const dialog = await whenRoom();
      await expect
        .poll(async () => (await callsOf(other)).includes(dialog.callId), { timeout: LIMIT_MS })
        .toBe(true);
      await dialog.bye();
    }
    await drained.post('/v1/drain', { on: false });
    const nodesOfCalls = async (): Promise<number[]> => {
      const dialogs = [await whenRoom(), await whenRoom()];
      const found = [await seen(dialogs[0]!.callId), await seen(dialogs[1]!.callId)];
      await Promise.all(dialogs.map((dialog) => dialog.bye()));
      return found.toSorted();
    };
    await expect.poll(nodesOfCalls, { timeout: LIMIT_MS, interval: 500 }).toEqual([0, 1]);
  });

  test(
    'a node that dies takes no more calls, and the other takes them at once',
    { timeout: 180_000 },
    async () => {
      const [dead, alive] = nodes;
      const postmaster = Number.parseInt(
        await readFile(join(dead.dataDir, 'postgres/data/postmaster.pid'), 'utf8'),
        10,
      );
      process.kill(dead.pid, 'SIGKILL');
      // Its database outlives it, for the next start, which does not come.
      process.kill(postmaster, 'SIGINT');
      for (let i = 0; i < CALLS_A_NODE; i++) {
        const dialog = await whenRoom();
        await expect
          .poll(async () => (await callsOf(alive)).includes(dialog.callId), { timeout: LIMIT_MS })
          .toBe(true);
        await dialog.bye();
      }
    },
  );
});
