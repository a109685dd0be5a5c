/** A node is taken out of service without taking a call down: by signal, by API, and over the death of the gateway. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { generate } from '../../src/generator.ts';
import { SipClient } from '../../src/sip-client.ts';
import { header } from '../../src/sip-message.ts';
import { callBySipId } from './support.ts';

let earshot: EarshotProcess;
let client: SipClient;
beforeAll(async () => {
  earshot = await EarshotProcess.start();
  client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
}, 180_000);
afterAll(async () => {
  await client?.close();
  await earshot?.stop();
}, 60_000);

const LIMIT = { timeout: 60_000, interval: 250 };
const optionsStatus = async (): Promise<number> => (await client.options()).status;
const place = (seconds: number) =>
  generate({ server: earshot.sip, transport: 'udp', codec: 'pcmu', calls: 1, rampS: 0, seconds });

async function expectRefused(): Promise<void> {
  const [refused] = (await place(1)).perCall;
  expect(refused).toMatchObject({ answered: false, failure: { status: 503 } });
  expect(refused?.failure?.retryAfterS).toBeGreaterThanOrEqual(60);
}

test('a node says how many calls fit, as it measured, and how it is loaded to those who ask by OPTIONS', async () => {
  await expect
    .poll(
      async () => (await earshot.get<{ capacityCalls: number | null }>('/v1/capacity')).capacityCalls,
      LIMIT,
    )
    .toBeGreaterThan(0);
  const load = header(await client.options(), 'x-earshot-load');
  expect(load).toMatch(/^calls=0;capacity=\d+;headroom=[01]\.\d\d$/);
}, 100_000);

test('a node that drains by SIGUSR2 refuses calls until it is told otherwise, and the live one ends by its own BYE', async () => {
  expect(await optionsStatus()).toBe(200);
  const live = place(25);
  await expect
    .poll(async () => (await earshot.get<{ liveCalls: number }>('/v1/drain')).liveCalls, LIMIT)
    .toBe(1);

  process.kill(earshot.pid, 'SIGUSR2');
  await expect.poll(optionsStatus, LIMIT).toBe(503);
  expect(header(await client.options(), 'retry-after')).toMatch(/^\d+$/);
  await expectRefused();
  const ready = await fetch(`${earshot.url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toContain('draining');

  const [gateway] = await earshot.pidsOf('gateway');
  process.kill(gateway!, 'SIGKILL');
  await expect
    .poll(async () => {
      const [next] = await earshot.pidsOf('gateway');
      return next !== undefined && next !== gateway;
    }, LIMIT)
    .toBe(true);
  // The next one knows it before it hears of a call; until it is there the SIP endpoint says 503, and to come back in 5 s.
  await expect
    .poll(async () => {
      const answer = await client.options();
      expect(answer.status).toBe(503);
      return Number(header(answer, 'retry-after'));
    }, LIMIT)
    .toBeGreaterThanOrEqual(60);
  await expectRefused();

  const [call] = (await live).perCall;
  expect(call?.failure).toBeNull();
  await expect
    .poll(() => callBySipId(earshot, call!.callId), LIMIT)
    .toMatchObject({ state: 'ended', endReason: 'bye', complete: true });
  const sent = call!.streams.map((stream) => stream.packetsSent);
  expect(
    (await callBySipId(earshot, call!.callId))?.channels.map((channel) => channel.packetsReceived),
  ).toEqual(sent);

  expect(await earshot.post('/v1/drain', { on: false })).toMatchObject({ draining: false });
  await expect.poll(optionsStatus, LIMIT).toBe(200);
  expect((await fetch(`${earshot.url}/readyz`)).status).toBe(200);
  // It takes calls again; one may be refused all the same where other tests have the processors.
  await expect
    .poll(async () => (await place(1)).perCall[0], { timeout: 60_000, interval: 500 })
    .toMatchObject({ answered: true, failure: null });

  expect(await earshot.post('/v1/drain', { on: true })).toMatchObject({ draining: true });
  await expect.poll(optionsStatus, LIMIT).toBe(503);
}, 200_000);
