/** What is said while a call is paused is nowhere: not in the transcript, not in the recording, not on the disk. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { CallView, EventView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DemoCall } from '../../src/call.ts';
import { type Dialogue, loadDialogue, type Party } from '../../src/dialogue.ts';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { seededRandom } from '../../src/random.ts';
import { RtpPacer } from '../../src/rtp-sender.ts';
import { SipClient } from '../../src/sip-client.ts';
import { wordErrors } from '../../src/wer.ts';
import { ledgerOf, recorded, recordingOf } from './recordings.ts';
import { callBySipId, spokenBy, transcriptOf } from './support.ts';

const SAMPLES_A_MS = 8;
const SILENCE = 0xff;
const PACKET = 160;
/** Around the secret: room for the pause and for going on, on a machine that has much else to do. */
const QUIET_MS = 8000;
const NOISE_MS = 1500;
/** Of a packet, looked for on the disk: no block or log cuts a packet's samples apart here. */
const NEEDLE = 40;

const source = loadDialogue('card-lost');
const DIGITS = 'seven two one eight';
const PARTIES: readonly Party[] = ['agent', 'customer'];
/** Which turns of the dialogue are said before, during and after the pause. */
const TURNS = [0, 1, 2] as const;

interface Script {
  readonly dialogue: Dialogue;
  readonly secretFromMs: number;
  readonly secretToMs: number;
  /** Beginnings of packets of the secret, and of what was said before. */
  readonly secret: readonly Buffer[];
  readonly before: readonly Buffer[];
}

/** Says a turn each, is quiet, makes a noise like no other and tells the secret, is quiet, and says one more. */
function write(seed: number): Script {
  const length = (turn: number): number =>
    Math.max(...PARTIES.map((party) => turnOf(party, turn).length)) / SAMPLES_A_MS;
  const packets = (ms: number): number => Math.ceil(ms / 20) * 20;
  const secretFromMs = packets(length(0)) + QUIET_MS;
  const secretToMs = secretFromMs + NOISE_MS + packets(length(1)) + NOISE_MS;
  const lastFromMs = secretToMs + QUIET_MS;
  const durationMs = lastFromMs + packets(length(2)) + 1000;
  const random = seededRandom(seed);
  const mulaw = (party: Party): Uint8Array => {
    const audio = new Uint8Array(durationMs * SAMPLES_A_MS).fill(SILENCE);
    audio.set(turnOf(party, 0), 0);
    const noise = (): Uint8Array =>
      Uint8Array.from({ length: NOISE_MS * SAMPLES_A_MS }, () => Math.floor(256 * random()));
    audio.set(noise(), secretFromMs * SAMPLES_A_MS);
    audio.set(turnOf(party, 1), (secretFromMs + NOISE_MS) * SAMPLES_A_MS);
    audio.set(noise(), (secretToMs - NOISE_MS) * SAMPLES_A_MS);
    audio.set(turnOf(party, 2), lastFromMs * SAMPLES_A_MS);
    return audio;
  };
  const agent = { ...source.parties.agent, mulaw: mulaw('agent') };
  const customer = { ...source.parties.customer, mulaw: mulaw('customer') };
  const needles = (fromMs: number, toMs: number): Buffer[] =>
    [agent, customer].flatMap(({ mulaw: audio }) => needlesOf(audio, fromMs, toMs));
  return {
    dialogue: { ...source, durationMs, parties: { agent, customer } },
    secretFromMs,
    secretToMs,
    secret: needles(secretFromMs, secretToMs),
    before: needles(0, packets(length(0))),
  };
}

function turnOf(party: Party, turn: number): Uint8Array {
  const { mulaw, turns } = source.parties[party];
  const { startMs, endMs } = turns[turn]!;
  return mulaw.subarray(startMs * SAMPLES_A_MS, endMs * SAMPLES_A_MS);
}

/** Of the packets in which there is enough to know them by. */
function needlesOf(audio: Uint8Array, fromMs: number, toMs: number): Buffer[] {
  const needles: Buffer[] = [];
  for (let at = fromMs * SAMPLES_A_MS; at < toMs * SAMPLES_A_MS; at += PACKET) {
    const needle = Buffer.from(audio.subarray(at, at + NEEDLE));
    if (new Set(needle).size >= NEEDLE / 2) needles.push(needle);
  }
  return needles;
}

let earshot: EarshotProcess;
let client: SipClient;
const pacer = new RtpPacer();

beforeAll(async () => {
  earshot = await EarshotProcess.start({ env: { MEDIA_WORKERS: '1' } });
  client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
}, 180_000);
afterAll(async () => {
  pacer.stop();
  await client?.close();
  await earshot?.stop();
}, 60_000);

/** Every file below DATA_DIR that has one of the needles. The database's are read for a few only: it has many, and no audio. */
async function filesWith(needles: readonly Buffer[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(earshot.dataDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const inDatabase = path.includes('/postgres/');
    // A file may go while it is looked for, as segments of the packet log do.
    const bytes = await readFile(path).catch(async (error: unknown) => {
      if (await stat(path).catch(() => null)) throw error;
      return Buffer.alloc(0);
    });
    const wanted = inDatabase ? needles.filter((_, i) => i % 100 === 0) : needles;
    if (wanted.some((needle) => bytes.includes(needle))) found.push(relative(earshot.dataDir, path));
  }
  return found;
}

const isAt = (call: DemoCall, ms: number, within: number): Promise<void> =>
  expect
    .poll(() => call.packetsSent / PARTIES.length, { timeout: within, interval: 20 })
    .toBeGreaterThanOrEqual(ms / 20);

/** @returns how far the call was when the answer came, ms */
async function set(call: DemoCall, id: string, doing: 'pause' | 'resume'): Promise<number> {
  const answer = await earshot.post<unknown>(`/v1/calls/${id}/${doing}`, {});
  expect(answer).toEqual({ callId: id, paused: doing === 'pause' });
  expect(await earshot.get<CallView>(`/v1/calls/${id}`)).toMatchObject({ paused: doing === 'pause' });
  return (call.packetsSent / PARTIES.length) * 20;
}

test.each([
  ['gateway', 21],
  ['media', 42],
] as const)(
  'what is said while a call is paused is nowhere, and all the rest is complete, though its %s process is killed meanwhile',
  async (victim, seed) => {
    const script = write(seed);
    const { dialogue, secretFromMs, secretToMs } = script;
    const call = new DemoCall({ client, pacer, dialogue, codec: 'pcmu' });
    const over = call.run();
    await isAt(call, 3000, 20_000);
    const { id } = (await callBySipId(earshot, call.callId))!;
    // The search finds what it should find.
    await expect
      .poll(() => filesWith(script.before), { timeout: 10_000 })
      .toContainEqual(expect.stringMatching(/\.spool$/));
    expect(await filesWith(script.before)).toContainEqual(expect.stringMatching(/\.wal$/));

    await isAt(call, secretFromMs - QUIET_MS + 1000, 30_000);
    expect(await set(call, id, 'pause'), 'paused too late').toBeLessThan(secretFromMs);
    await isAt(call, secretFromMs + 2000, 30_000);
    expect(await filesWith(script.secret)).toEqual([]);
    const [pid] = await earshot.pidsOf(victim);
    process.kill(pid!, 'SIGKILL');
    await expect.poll(async () => (await earshot.pidsOf(victim)).includes(pid!)).toBe(false);
    expect(await filesWith(script.secret)).toEqual([]);
    await isAt(call, secretToMs, 30_000);
    expect(await filesWith(script.secret)).toEqual([]);
    expect(await earshot.get<CallView>(`/v1/calls/${id}`)).toMatchObject({ paused: true });
    expect(await set(call, id, 'resume'), 'taken up too late').toBeLessThan(secretToMs + QUIET_MS);
    const result = await over;
    expect(result.failure).toBeUndefined();
    expect(await filesWith(script.secret)).toEqual([]);

    await expect
      .poll(() => callBySipId(earshot, call.callId), { timeout: 20_000, interval: 200 })
      .toMatchObject({ state: 'ended', complete: true, paused: false });
    const transcript = await transcriptOf(earshot, id);
    expect(JSON.stringify(transcript)).not.toContain(DIGITS);
    for (const [channel, party] of PARTIES.entries()) {
      const said = [TURNS[0], TURNS[2]].map((turn) => source.parties[party].turns[turn]!.text).join(' ');
      const { rate } = wordErrors(said, spokenBy(transcript, channel));
      expect(rate, `${party}: ${spokenBy(transcript, channel)}`).toBeLessThanOrEqual(0.25);
    }
    await expectPausedInLedger(id, script);
    await expectSilenceInRecording(id);
    const { items } = await earshot.get<{ items: EventView[] }>('/v1/events?after=0&limit=500');
    const told = items.filter(({ callId, type }) => callId === id && type === 'call.updated');
    expect(told.map(({ data }) => data['paused']).slice(0, 2)).toEqual([true, false]);
  },
  150_000,
);

/** One pause, from the last packet before it to the first after it, whoever died meanwhile. */
async function expectPausedInLedger(id: string, script: Script): Promise<void> {
  for (const { spans } of await ledgerOf(earshot, id)) {
    const heard = spans.slice(spans.findIndex(({ kind }) => kind === 'received'));
    expect(heard.map(({ kind }) => kind)).toEqual(['received', 'paused', 'received']);
    const [first, paused] = heard;
    const secretTick = first!.startTick + script.secretFromMs * SAMPLES_A_MS;
    const endTick = first!.startTick + script.secretToMs * SAMPLES_A_MS;
    expect(first!.startTick + first!.ticks).toBeLessThan(secretTick);
    expect(paused!.startTick + paused!.ticks).toBeGreaterThan(endTick);
  }
}

async function expectSilenceInRecording(id: string): Promise<void> {
  await recorded(earshot, id);
  const channels = await recordingOf(earshot, id);
  for (const { channel, spans } of await ledgerOf(earshot, id)) {
    const loudest = (kind: string): number =>
      Math.max(
        ...spans
          .filter((span) => span.kind === kind)
          .map(({ startTick, ticks }) =>
            channels[channel]!.subarray(startTick, startTick + ticks).reduce(
              (peak, sample) => Math.max(peak, Math.abs(sample)),
              0,
            ),
          ),
      );
    expect(loudest('paused'), 'in what was paused').toBe(0);
    expect(loudest('received'), 'in what was not').toBeGreaterThan(2000);
  }
}
