/** The whole of Earshot as a person starts it, called by a SIP client that shares no code with it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallView } from '@earshot/contracts';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadDialogue, type Party } from '../../src/dialogue.ts';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { generate, type GeneratedCall } from '../../src/generator.ts';
import { wordErrors } from '../../src/wer.ts';
import { callBySipId, Crm, scriptOf, spokenBy, transcriptOf } from './support.ts';

/** Word error rates of each voice on the sentences of the demo, whole files, greedy (voices/README.md), and 5 points more. */
const WER_LIMIT: Readonly<Record<string, number>> = { slt: 0.12, kal: 0.12, hts: 0.16 };
const MARGIN = 0.05;
const PARTIES: readonly Party[] = ['agent', 'customer'];

let earshot: EarshotProcess;
let crm: Crm;
let secret = '';
/** What each channel of a dialogue became in a call that nothing was done to. */
const undisturbed = new Map<string, string>();

beforeAll(async () => {
  earshot = await EarshotProcess.start();
  crm = await Crm.open();
  ({ secret } = await earshot.post<{ secret: string }>('/v1/webhooks', { url: crm.url }));
}, 180_000);
afterAll(async () => {
  crm?.close();
  await earshot?.stop();
}, 60_000);

async function placeCalls(
  calls: number,
  transport: 'udp' | 'tcp',
  signal?: AbortSignal,
): Promise<GeneratedCall[]> {
  const report = await generate(
    { server: earshot.sip, transport, codec: transport === 'udp' ? 'pcmu' : 'pcma', calls, rampS: 0.5 },
    signal,
  );
  expect(report.perCall.map((call) => call.failure)).toEqual(report.perCall.map(() => null));
  return report.perCall;
}

async function kill(workspace: string): Promise<void> {
  const [pid] = await earshot.pidsOf(workspace);
  expect(pid, workspace).toBeGreaterThan(0);
  process.kill(pid!, 'SIGKILL');
}

/** The server that has this Earshot's data. */
async function killPostgres(): Promise<void> {
  const file = join(earshot.dataDir, 'postgres', 'data', 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8')).split('\n')[0]);
  expect(pid).toBeGreaterThan(0);
  process.kill(pid, 'SIGKILL');
}

async function complete(call: GeneratedCall): Promise<CallView> {
  const found = await expect
    .poll(() => callBySipId(earshot, call.callId), { timeout: 10_000, interval: 200 })
    .toMatchObject({ state: 'ended', complete: true })
    .then(() => callBySipId(earshot, call.callId));
  if (found === null) throw new Error('the call is gone');
  return found;
}

/** A replay begins at another place of the model's 300 ms chunks, which may tip a word or two of a dialogue's hundred. */
const REPLAY_MARGIN = 0.06;

async function expectWords(call: GeneratedCall, view: CallView): Promise<void> {
  const dialogue = loadDialogue(call.dialogue);
  const transcript = await transcriptOf(earshot, view.id);
  expect(transcript.complete).toBe(true);
  for (const [channel, party] of PARTIES.entries()) {
    const { rate } = wordErrors(scriptOf(dialogue, party), spokenBy(transcript, channel));
    const { voice } = dialogue.parties[party];
    expect(rate, `${call.dialogue} ${party} (${voice})`).toBeLessThanOrEqual(
      (WER_LIMIT[voice] ?? 0.3) + MARGIN,
    );
    // By its codec, too: A-law and mu-law are not the same to the model.
    const key = `${call.dialogue} ${party} ${view.sip.transport}`;
    const before = undisturbed.get(key);
    const now = spokenBy(transcript, channel);
    if (before === undefined) undisturbed.set(key, now);
    else
      expect(wordErrors(before, now).rate, `${key}: "${now}" was "${before}"`).toBeLessThanOrEqual(
        REPLAY_MARGIN,
      );
  }
}

function expectEveryPacket(call: GeneratedCall, view: CallView): void {
  const sent = call.streams.map((stream) => stream.packetsSent);
  expect(view.channels.map((channel) => channel.packetsReceived)).toEqual(sent);
  expect(view.channels.map((channel) => channel.packetsLost)).toEqual(sent.map(() => 0));
}

describe('a SIPREC call', () => {
  test.each(['udp', 'tcp'] as const)(
    'over %s becomes words on the right channels, a stereo recording and two signed webhooks',
    async (transport) => {
      const before = crm.received.length;
      const [call] = await placeCalls(1, transport);
      const view = await complete(call!);
      expect(view).toMatchObject({ dialect: 'siprec-rfc7866', endReason: 'bye', sip: { transport } });
      expect(view.channels.map((channel) => [channel.label, channel.role])).toEqual([
        ['agent', 'agent'],
        ['customer', 'customer'],
      ]);
      expectEveryPacket(call!, view);
      await expectWords(call!, view);
      await expectRecording(view);
      await expect.poll(() => crm.received.length - before, { timeout: 15_000 }).toBe(2);
      const events = crm.received
        .slice(before)
        .map(
          ({ headers, body }) =>
            new Webhook(secret).verify(body, headers) as { type: string; callId: string },
        );
      expect(events.map((event) => event.type).sort()).toEqual(['call.ended', 'transcript.completed']);
      expect(events.map((event) => event.callId)).toEqual([view.id, view.id]);
    },
    120_000,
  );

  test(
    'loses no packet and no word when a media worker and an engine are killed in the middle of it',
    { timeout: 120_000 },
    async () => {
      const timers = [
        setTimeout(() => void kill('media'), 9_000),
        setTimeout(() => void kill('asr'), 17_000),
      ];
      const calls = await placeCalls(2, 'udp');
      timers.forEach(clearTimeout);
      for (const call of calls) {
        const view = await complete(call);
        expectEveryPacket(call, view);
        await expectWords(call, view);
      }
    },
  );

  test('outlives every other process of the node, killed one after another, PostgreSQL included', async () => {
    const victims = ['gateway', 'sip-endpoint', 'transcripts', 'dashboard-api', 'post-call'];
    const timers = victims.map((name, i) => setTimeout(() => void kill(name), 4_000 + 3_000 * i));
    timers.push(setTimeout(() => void killPostgres(), 20_000));
    const calls = await placeCalls(2, 'udp');
    timers.forEach(clearTimeout);
    for (const call of calls) {
      const view = await complete(call);
      expectEveryPacket(call, view);
      await expectWords(call, view);
      await expectRecording(view);
    }
  }, 120_000);

  test('is not shown without a key', async () => {
    for (const path of ['/v1/calls', '/v1/webhooks', '/v1/events']) {
      const response = await fetch(earshot.url + path);
      expect(response.status, path).toBe(401);
    }
  });
});

async function expectRecording(view: CallView): Promise<void> {
  await expect
    .poll(
      async () =>
        (await fetch(`${earshot.url}/v1/calls/${view.id}/recording.wav`, { headers: auth() })).status,
      { timeout: 10_000 },
    )
    .toBe(200);
  const response = await fetch(`${earshot.url}/v1/calls/${view.id}/recording.wav`, { headers: auth() });
  const wav = Buffer.from(await response.arrayBuffer());
  expect(wav.toString('latin1', 0, 4)).toBe('RIFF');
  expect(wav.readUInt16LE(22), 'channels').toBe(2);
  expect(wav.readUInt32LE(24), 'samples a second').toBe(8000);
  const seconds = (wav.length - 44) / 4 / 8000;
  expect(Math.abs(seconds - (view.durationMs ?? 0) / 1000)).toBeLessThan(1);
  expect([0, 1].map((channel) => loudest(wav, channel) > 2000)).toEqual([true, true]);
}

const auth = (): Record<string, string> => ({ authorization: `Bearer ${earshot.apiKey}` });

function loudest(wav: Buffer, channel: number): number {
  let peak = 0;
  for (let at = 44 + 2 * channel; at + 1 < wav.length; at += 4)
    peak = Math.max(peak, Math.abs(wav.readInt16LE(at)));
  return peak;
}
