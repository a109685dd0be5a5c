/** The whole node dies in mid-call and is started again: each call goes on with its own audio, on the ports that its peer was told. */
import { rm } from 'node:fs/promises';
import type { CallView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DemoCall } from '../../src/call.ts';
import { type Dialogue, loadDialogue } from '../../src/dialogue.ts';
import { EarshotProcess, temporaryDataDir } from '../../src/earshot-process.ts';
import { freePort } from '../../src/free-port.ts';
import { RtpPacer } from '../../src/rtp-sender.ts';
import { SipClient } from '../../src/sip-client.ts';
import { callBySipId, silence, spokenBy, transcriptOf } from './support.ts';

const SOON = { timeout: 60_000, interval: 250 };
let dataDir: string;
let sipPort: number;
let earshot: EarshotProcess;
let client: SipClient;
const pacer = new RtpPacer();

async function start(): Promise<void> {
  earshot = await EarshotProcess.start({ dataDir, env: { SIP_PORT: String(sipPort) } });
}

beforeAll(async () => {
  dataDir = await temporaryDataDir();
  sipPort = await freePort();
  await start();
  client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
}, 180_000);
afterAll(async () => {
  pacer.stop();
  await client?.close();
  await earshot?.stop();
  await rm(dataDir, { recursive: true, force: true });
}, 60_000);

interface Running {
  readonly call: DemoCall;
  readonly over: ReturnType<DemoCall['run']>;
  readonly view: () => Promise<CallView>;
}

async function begin(dialogue: Dialogue): Promise<Running> {
  const call = new DemoCall({ client, pacer, dialogue, codec: 'pcmu', seconds: 200 });
  const over = call.run();
  const view = async (): Promise<CallView> => (await callBySipId(earshot, call.callId))!;
  await expect.poll(view, SOON).toMatchObject({ state: 'live' });
  return { call, over, view };
}

async function killHost(): Promise<void> {
  const { pid } = earshot;
  process.kill(pid, 'SIGKILL');
  await expect
    .poll(() => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    }, SOON)
    .toBe(false);
}

test('of calls that outlive the node none hears another one, and each is heard again', async () => {
  // Its ports are those that a range begun anew would give out first.
  const before = await begin(loadDialogue('refund'));
  const speaks = await begin(loadDialogue('refund'));
  const silent = await begin(silence(loadDialogue('card-lost'), 200));
  before.call.hangUp();
  await before.over;
  await expect.poll(async () => (await speaks.view()).wordCount, SOON).toBeGreaterThan(5);

  await killHost();
  await start();
  await expect.poll(speaks.view, SOON).toMatchObject({ state: 'live' });
  const { wordCount } = await speaks.view();
  await expect.poll(async () => (await speaks.view()).wordCount, SOON).toBeGreaterThan(wordCount + 10);
  const later = await begin(silence(loadDialogue('card-lost'), 200));

  const sent = silent.call.packetsSent;
  await expect.poll(() => silent.call.packetsSent, SOON).toBeGreaterThan(sent + 400);
  for (const { call, over } of [speaks, silent, later]) {
    call.hangUp();
    expect((await over).failure).toBeUndefined();
  }
  for (const { view } of [silent, later]) {
    await expect.poll(view, SOON).toMatchObject({ state: 'ended', complete: true });
    const transcript = await transcriptOf(earshot, (await view()).id);
    for (const channel of [0, 1]) expect(spokenBy(transcript, channel)).toBe('');
  }
  const { channels } = await silent.view();
  // What came while nobody was there is lost; what came after is counted.
  for (const { packetsReceived } of channels) expect(packetsReceived).toBeGreaterThan(400);
}, 300_000);
