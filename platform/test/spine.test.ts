/**
 * The walls, before the rooms: a call's worth of scripted audio goes through a fake of every stage over the real sockets
 * of contracts/run-dir.ts. What each fake does is the least that its place in the contract asks for.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallId,
  type CallInfo,
  channelIdOf,
  type ChannelId,
  type FromAsr,
  type FromCalls,
  type FromCommit,
  type FromEngine,
  type FromMedia,
  legIdOf,
  msOfTick,
  segmentIdOf,
  sockets,
  type ToAsr,
  type ToCalls,
  type ToCommit,
  type ToEngine,
  type ToLive,
  type ToMedia,
} from '@earshot/contracts';
import { afterEach, expect, test } from 'vitest';
import { type Connection, Dialer, listen, type Listener } from '../src/ipc/index.ts';

const callId = '0198c0de-0000-7000-8000-000000000001' as CallId;
/** One second of audio a word, whose samples all have the word's number: a recogniser that cannot err. */
const SCRIPT: Readonly<Record<number, string>> = { 1: 'good', 2: 'morning', 3: 'i', 4: 'need', 5: 'help' };
const SPOKEN: readonly (readonly number[])[] = [
  [1, 2, 0],
  [0, 0, 3, 4, 5, 0],
];

const listeners: Listener[] = [];
const dialers: { close(): void }[] = [];
let runDir = '';
afterEach(async () => {
  for (const dialer of dialers.splice(0)) dialer.close();
  for (const listener of listeners.splice(0)) await listener.close();
  await rm(runDir, { recursive: true, force: true });
});

const at = (name: string): string => join(runDir, name);

/** Resolves when the link is up: a fake does not queue. */
function dial<In, Out>(name: string, message: (m: In, body: Uint8Array) => void): Promise<Dialer<In, Out>> {
  return new Promise((resolve) => {
    const link: Dialer<In, Out> = new Dialer<In, Out>(at(name), {
      open: () => resolve(link),
      message,
      lost: () => undefined,
    });
    dialers.push(link);
  });
}

async function serve<In, Out>(
  name: string,
  message: (m: In, body: Uint8Array, reply: Connection<In, Out>) => void,
): Promise<void> {
  listeners.push(
    await listen<In, Out>(at(name), (connection) => ({
      message: (m, body) => message(m, body, connection),
      close: () => undefined,
    })),
  );
}

/** Recognises scripted samples; a gap or the end closes a segment. */
async function fakeAsr(): Promise<void> {
  const words = await dial<ToEngine, FromEngine>(sockets.words, () => undefined);
  const open = new Map<ChannelId, { from: number; tick: number; words: number[] }>();
  const finalise = (channel: ChannelId, attempt: number, tick: number): void => {
    const state = open.get(channel);
    if (state === undefined) return;
    if (state.words.length > 0) {
      words.send({
        type: 'final',
        channel,
        attempt,
        segmentId: segmentIdOf(channel, state.from),
        fromTick: state.from,
        toTick: state.tick,
        words: state.words.map((n, i) => ({
          text: SCRIPT[n] ?? '',
          startTick: state.tick - 8000 * (state.words.length - i),
          endTick: state.tick - 8000 * (state.words.length - i - 1),
          confidence: 1,
        })),
        arrivalUs: 0,
      });
    }
    open.set(channel, { from: tick, tick, words: [] });
    words.send({ type: 'progress', channel, attempt, decidedTick: tick, settledTick: tick });
  };
  await serve<ToAsr, FromAsr>(sockets.audio(0), (message, body, reply) => {
    const { channel, attempt } = message;
    const state = open.get(channel);
    if (message.type === 'open') {
      open.set(channel, { from: message.outputFromTick, tick: message.fromTick, words: [] });
      reply.send({
        type: 'credit',
        channel,
        attempt,
        uptoTick: Number.MAX_SAFE_INTEGER,
        decidedTick: message.fromTick,
      });
    } else if (message.type === 'audio' && state !== undefined) {
      expect(message.startTick).toBe(state.tick);
      state.tick += body.length / 2;
      state.words.push(new DataView(body.buffer, body.byteOffset).getInt16(0, true));
    } else if (message.type === 'gap') {
      finalise(channel, attempt, message.toTick);
    } else if (message.type === 'end') {
      finalise(channel, attempt, message.tick);
      words.send({ type: 'ended', channel, attempt, tick: message.tick });
    }
  });
}

/** Keeps settled ticks, says them back as committed, and puts finals on the live bus in the order of their times. */
async function fakeTranscripts(
  transcript: { ms: number; role: string; text: string }[],
  complete: () => void,
): Promise<void> {
  const live = await dial<never, ToLive>(sockets.live(0), () => undefined);
  const committed = new Map<ChannelId, number>();
  const ends = new Map<ChannelId, number>();
  let media: Connection<ToCommit, FromCommit> | null = null;
  let call: CallInfo | null = null;
  let ended = false;
  const check = (): void => {
    const done = call?.channels.every(
      ({ channel }) => ends.has(channel) && committed.get(channel) === ends.get(channel),
    );
    if (ended && done === true) complete();
  };
  await serve<ToCalls, FromCalls>(sockets.calls, (message, _body, reply) => {
    if (message.type === 'call.ended') ended = true;
    else if ('call' in message) call = message.call;
    reply.send({ type: 'ack', id: message.id });
    check();
  });
  await serve<ToCommit, FromCommit>(sockets.commit, (message, _body, reply) => {
    media = reply;
    if (message.type === 'attempt') {
      reply.send({
        type: 'resume',
        channel: message.channel,
        attempt: message.attempt,
        tick: committed.get(message.channel) ?? 0,
      });
    } else if (message.type === 'ended') ends.set(message.channel, message.endTick);
    check();
  });
  await serve<FromEngine, ToEngine>(sockets.words, (message) => {
    if (message.type === 'final') {
      const role = call?.channels.find(({ channel }) => channel === message.channel)?.role ?? 'unknown';
      const ms = msOfTick(message.words[0]?.startTick ?? 0);
      transcript.push({ ms, role, text: message.words.map((word) => word.text).join(' ') });
      live.send({ type: 'logged', seq: transcript.length });
    }
    if (message.type !== 'progress') return;
    committed.set(message.channel, message.settledTick);
    media?.send({ type: 'committed', channel: message.channel, tick: message.settledTick });
    check();
  });
}

/** Opens a leg, resumes each channel, and sends its script. */
async function fakeMedia(): Promise<Map<ChannelId, number>> {
  const committed = new Map<ChannelId, number>();
  const asr = await dial<FromAsr, ToAsr>(sockets.audio(0), (message) => {
    if (message.type !== 'credit') return;
    const { channel, attempt } = message;
    let tick = message.decidedTick;
    for (const word of SPOKEN[Number(channel.at(-1))] ?? []) {
      if (word === 0) asr.send({ type: 'gap', channel, attempt, toTick: tick + 8000 });
      else {
        const pcm = new Uint8Array(new Int16Array(8000).fill(word).buffer);
        asr.send({ type: 'audio', channel, attempt, startTick: tick, arrivalUs: 0 }, pcm);
      }
      tick += 8000;
    }
    asr.send({ type: 'end', channel, attempt, tick });
    commit.send({ type: 'ended', channel, endTick: tick });
  });
  const commit = await dial<FromCommit, ToCommit>(sockets.commit, (message) => {
    if (message.type === 'resume') {
      const { channel, attempt, tick } = message;
      asr.send({
        type: 'open',
        channel,
        attempt,
        fromTick: tick,
        outputFromTick: tick,
        config: { priority: 'live' },
      });
    } else if (message.type === 'committed') committed.set(message.channel, message.tick);
  });
  await serve<ToMedia, FromMedia>(sockets.control(0), (message, _body, reply) => {
    if (message.type !== 'leg.open') return;
    for (const { channel } of message.leg.channels) commit.send({ type: 'attempt', channel, attempt: 1 });
    const ports = message.leg.channels.map(({ channel }, i) => ({
      channel,
      rtpPort: 20000 + 2 * i,
      rtcpPort: 20001 + 2 * i,
    }));
    reply.send({ type: 'leg.opened', id: message.id, legId: message.leg.legId, ports });
  });
  return committed;
}

async function fakeGateway(call: CallInfo): Promise<void> {
  const transcripts = await dial<FromCalls, ToCalls>(sockets.calls, (message) => {
    if (message.type !== 'ack' || message.id !== 1) return;
    const channels = call.channels.map(({ channel }) => ({
      channel,
      codecs: [{ payloadType: 0, name: 'PCMU' as const }],
      state: 'active' as const,
      remote: null,
    }));
    const leg = {
      callId,
      legId: legIdOf(callId, 0),
      zero: { wallMs: 0, monoUs: 0 },
      channels,
      rtpTimeoutS: 60,
      record: false,
    };
    media.send({ type: 'leg.open', id: 1, leg });
  });
  const media = await dial<FromMedia, ToMedia>(sockets.control(0), (message) => {
    if (message.type !== 'leg.opened') return;
    transcripts.send({ type: 'call.ended', id: 2, callId, endedAtMs: 1, endReason: 'bye', channels: [] });
  });
  transcripts.send({ type: 'call.started', id: 1, call });
}

test('a scripted call goes from the gateway to the live bus, and every tick of it is committed', async () => {
  runDir = await mkdtemp(join(tmpdir(), 'es-'));
  const transcript: { ms: number; role: string; text: string }[] = [];
  const woken: number[] = [];
  await serve<ToLive, never>(sockets.live(0), (message) => {
    if (message.type === 'logged') woken.push(message.seq);
  });
  let complete = false;
  await fakeTranscripts(transcript, () => (complete = true));
  await fakeAsr();
  const committed = await fakeMedia();
  await fakeGateway({
    callId,
    startedAtMs: 0,
    dialect: 'siprec-rfc7866',
    sip: { callId: 'a@b', from: 'sip:a@b', to: 'sip:c@d', transport: 'udp', source: '127.0.0.1:5060' },
    externalIds: {},
    worker: 0,
    channels: (['agent', 'customer'] as const).map((role, index) => ({
      channel: channelIdOf(callId, index),
      index,
      role,
      label: String(index),
      codec: 'PCMU' as const,
      participant: { name: null, aor: null },
      evidence: [],
    })),
  });
  await expect.poll(() => complete).toBe(true);
  await expect.poll(() => woken.length).toBe(2);
  await expect.poll(() => [...committed.values()].sort((a, b) => a - b)).toEqual([3 * 8000, 6 * 8000]);
  expect(transcript.sort((a, b) => a.ms - b.ms)).toEqual([
    { ms: 0, role: 'agent', text: 'good morning' },
    { ms: 2000, role: 'customer', text: 'i need help' },
  ]);
});
