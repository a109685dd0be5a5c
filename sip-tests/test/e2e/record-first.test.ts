/** Calls beyond the room for recognition are answered and recorded, and their words come when there is room. */
import { rm } from 'node:fs/promises';
import type { CallView, DiagnosisView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ModelVosk } from '../../../asr/test/network/model-vosk.ts';
import { DemoCall } from '../../src/call.ts';
import { type Dialogue, loadDialogue, type Party } from '../../src/dialogue.ts';
import { EarshotProcess, temporaryDataDir } from '../../src/earshot-process.ts';
import { RtpPacer } from '../../src/rtp-sender.ts';
import { SipClient } from '../../src/sip-client.ts';
import { wordErrors } from '../../src/wer.ts';
import { andSilence, callBySipId, scriptOf, spokenBy, transcriptOf } from './support.ts';

/** Connections of the speech server: two calls of two channels. */
const CONNECTIONS = 4;
const WAITING = 2;
const PARTIES: readonly Party[] = ['agent', 'customer'];
const SOON = { timeout: 60_000, interval: 250 };

interface Capacity {
  readonly capacityCalls: number | null;
  readonly waiting: { readonly calls: number; readonly oldestSeconds: number | null };
}

let server: ModelVosk;
let earshot: EarshotProcess;
let client: SipClient;
let dataDir: string;
const pacer = new RtpPacer();

async function start(): Promise<void> {
  earshot = await EarshotProcess.start({
    dataDir,
    env: {
      // Its room is the number of its connections: the same on each machine.
      ASR_MODEL: `${server.address}?connections=${CONNECTIONS}`,
      ASR_ENGINES: '1',
      MEDIA_WORKERS: '1',
      RECORD_FIRST_CALLS: String(WAITING),
    },
  });
  client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
}

beforeAll(async () => {
  server = await ModelVosk.start();
  dataDir = await temporaryDataDir();
  await start();
}, 180_000);
afterAll(async () => {
  pacer.stop();
  await client?.close();
  await earshot?.stop();
  await server?.close();
  await rm(dataDir, { recursive: true, force: true });
}, 60_000);

interface Running {
  readonly call: DemoCall;
  readonly over: ReturnType<DemoCall['run']>;
  readonly dialogue: Dialogue;
  readonly view: () => Promise<CallView>;
}

async function begin(dialogue: Dialogue): Promise<Running> {
  const call = new DemoCall({ client, pacer, dialogue, codec: 'pcmu' });
  const over = call.run();
  await expect.poll(() => call.packetsSent, SOON).toBeGreaterThan(10);
  const view = async (): Promise<CallView> => (await callBySipId(earshot, call.callId))!;
  await expect.poll(view, SOON).not.toBeNull();
  return { call, over, dialogue, view };
}

async function expectWhole({ call, over, dialogue, view }: Running): Promise<void> {
  call.hangUp();
  expect((await over).failure).toBeUndefined();
  await expect.poll(view, SOON).toMatchObject({ state: 'ended', complete: true, recognition: 'current' });
  const transcript = await transcriptOf(earshot, (await view()).id);
  for (const [channel, party] of PARTIES.entries()) {
    const spoken = spokenBy(transcript, channel);
    expect(wordErrors(scriptOf(dialogue, party), spoken).rate, `${party}: ${spoken}`).toBeLessThanOrEqual(
      0.3,
    );
  }
}

test('calls beyond the room are recorded first and have all their words when there is room, whoever is killed while they wait', async () => {
  const long = andSilence(loadDialogue('refund'), 300);
  const first = await begin(long);
  await expect.poll(() => earshot.get<Capacity>('/v1/capacity'), SOON).toMatchObject({ capacityCalls: 2 });
  const second = await begin(long);
  const live = await begin(andSilence(loadDialogue('card-lost'), 300));
  const short = await begin(loadDialogue('delivery'));
  for (const { view } of [first, second]) expect(await view()).toMatchObject({ recognition: 'current' });
  for (const { view } of [live, short]) expect(await view()).toMatchObject({ recognition: 'waiting' });
  const refused = await new DemoCall({ client, pacer, dialogue: long, codec: 'pcmu' }).run();
  expect(refused.failure?.status).toBe(503);

  expect((await short.over).failure).toBeUndefined();
  await expect.poll(short.view, SOON).toMatchObject({ state: 'ended', complete: false });
  const [pid] = await earshot.pidsOf('media');
  process.kill(pid!, 'SIGKILL');
  await expect.poll(async () => (await earshot.pidsOf('media')).includes(pid!), SOON).toBe(false);
  const { waiting } = await earshot.get<Capacity>('/v1/capacity');
  expect(waiting.calls).toBe(2);
  expect(waiting.oldestSeconds).toBeGreaterThan(25);
  const gauge = /^earshot_recognition_waiting_calls\{.*\} 2$/m;
  await expect.poll(() => earshot.get<string>('/metrics'), SOON).toMatch(gauge);
  const { findings } = await earshot.get<DiagnosisView>(`/v1/calls/${(await short.view()).id}/diagnosis`);
  expect(findings.map(({ code }) => code)).toContain('recorded-first');

  // The live one comes first, and has all of the room there is.
  first.call.hangUp();
  await expect.poll(live.view, SOON).toMatchObject({ state: 'live', recognition: 'current' });
  expect((await live.view()).wordCount).toBeGreaterThan(20);
  expect(await short.view()).toMatchObject({ recognition: 'waiting', wordCount: 0 });
  second.call.hangUp();
  await expectWhole(short);
  await expectWhole(live);
  await Promise.all([first.over, second.over]);
}, 300_000);

test('a call that waits when Earshot is stopped has its words when it is started again', async () => {
  const long = andSilence(loadDialogue('refund'), 300);
  const first = await begin(long);
  await expect.poll(() => earshot.get<Capacity>('/v1/capacity'), SOON).toMatchObject({ capacityCalls: 2 });
  const second = await begin(long);
  const short = await begin(loadDialogue('delivery'));
  expect((await short.over).failure).toBeUndefined();
  await expect.poll(short.view, SOON).toMatchObject({ state: 'ended', recognition: 'waiting' });
  await client.close();
  await earshot.stop();
  await Promise.all([first, second].map(({ call, over }) => (call.hangUp(), over)));
  await start();
  await expectWhole(short);
}, 300_000);
