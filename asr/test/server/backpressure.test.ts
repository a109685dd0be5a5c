import { type ChannelId, type FromEngine, monoUs, sockets } from '@earshot/contracts';
import { FrameReader } from '@earshot/platform';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FinalSegment, OpenSegment } from '../../src/decode/channel-decoder.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { WordsSink } from '../../src/engine/sink.ts';
import { StepThread } from '../../src/engine/step-thread.ts';
import { describeModel } from '../../src/models/folder.ts';
import { WordsLink } from '../../src/server/words-link.ts';
import { SHIPPED_MODEL, channelNamed, makeRunDir, openingOf, until } from '../support/rig.ts';
import { bytesOf, canSpeak, concatenate, silence, speak } from '../support/speech.ts';

const channel: ChannelId = channelNamed('slow');
const segment = (n: number): FinalSegment => ({
  segmentId: `${channel}@${n}` as FinalSegment['segmentId'],
  fromTick: n,
  toTick: n + 1,
  endpoint: 'pause',
  words: [{ text: 'word'.repeat(100), startTick: n, endTick: n + 1, confidence: 1 }],
});

let runDir: string;
beforeEach(() => {
  runDir = makeRunDir();
});
afterEach(() => rmSync(runDir, { recursive: true }));

test('a words link that is not read becomes congested, then blocked, and all of it arrives in order when it is read again', async () => {
  const received: FromEngine[] = [];
  let peer: net.Socket | null = null;
  const server = net.createServer((socket) => {
    peer = socket.pause();
    const reader = new FrameReader((message) => received.push(message as FromEngine));
    socket.on('data', (chunk) => reader.push(chunk));
    socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(join(runDir, sockets.words), resolve));
  let drained = 0;
  const link = new WordsLink({
    path: join(runDir, sockets.words),
    hello: { type: 'hello', engine: 0, pid: 1, model: 'm' },
    onUp: () => undefined,
    onLost: () => undefined,
    onDrained: () => drained++,
    onVocabulary: () => undefined,
    onFinalise: () => undefined,
  });
  expect(link.blocked).toBe(true);
  await until('the link', () => link.up && peer !== null);
  expect([link.congested, link.blocked]).toEqual([false, false]);

  let sent = 0;
  while (!link.congested) link.final(channel, 1, segment(sent++), 0);
  expect(link.blocked).toBe(false);
  while (!link.blocked) link.final(channel, 1, segment(sent++), 0);
  expect(sent).toBeLessThan(5000);
  expect(drained).toBe(0);

  peer!.resume();
  await until('it to drain', () => drained === 1);
  expect([link.congested, link.blocked]).toEqual([false, false]);
  link.ended(channel, 1, 99);
  await until('all of it', () => received.at(-1)?.type === 'ended');
  const ticks = received.filter((message) => message.type === 'final').map(({ fromTick }) => fromTick);
  expect(ticks).toEqual(Array.from({ length: sent }, (_, i) => i));
  link.close();
  await new Promise((resolve) => server.close(resolve));
});

/** A sink that is opened and shut by hand. */
class HandSink implements WordsSink {
  congested = false;
  blocked = false;
  readonly finals: FinalSegment[] = [];
  readonly partials: OpenSegment[] = [];
  endedAt: number | null = null;
  partial(_channel: ChannelId, _attempt: number, open: OpenSegment): void {
    this.partials.push(open);
  }
  final(_channel: ChannelId, _attempt: number, final: FinalSegment): void {
    this.finals.push(final);
  }
  progress(): void {
    // Not looked at here.
  }
  ended(_channel: ChannelId, _attempt: number, tick: number): void {
    this.endedAt = tick;
  }
}

test.skipIf(!canSpeak)(
  'the engine holds partials back while the link is congested, stops while it is blocked, and goes on without loss (needs flite)',
  async () => {
    const model = describeModel(SHIPPED_MODEL);
    const thread = await StepThread.start(model, 2, [1, 2]);
    const sink = new HandSink();
    const step = vi.spyOn(thread, 'step');
    const engine = new Engine({
      model,
      thread,
      maxChannels: 2,
      sizes: [1, 2],
      sink,
      nowMs: () => monoUs() / 1000,
      onStep: () => undefined,
      onFailure: (error) => {
        throw error;
      },
    });
    let decided = 0;
    const owner = {
      credit: (_channel: ChannelId, _attempt: number, _upto: number, decidedTick: number) =>
        (decided = decidedTick),
      lost: (): void => expect.unreachable(),
    };
    const pcm = concatenate(speak('slt', 'i would like to check the status of my order'), silence(200));
    const half = 12_000;
    engine.open(openingOf(channel), owner);
    sink.congested = true;
    engine.audio(channel, 1, 0, 1, bytesOf(pcm.subarray(0, half)));
    await until('half of it', () => decided === half);
    expect(sink.partials).toEqual([]);
    sink.congested = false;
    engine.resume();
    expect(sink.partials.length).toBe(1);
    expect(sink.partials[0]!.words.map(({ text }) => text).slice(0, 3)).toEqual(['i', 'would', 'like']);

    sink.blocked = true;
    const before = step.mock.calls.length;
    engine.audio(channel, 1, half, 1, bytesOf(pcm.subarray(half)));
    engine.end(channel, 1, pcm.length);
    // Whatever the engine had in mind to do at once is done after these.
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect([step.mock.calls.length, sink.endedAt]).toEqual([before, null]);
    sink.blocked = false;
    engine.resume();
    await until('the end', () => sink.endedAt);
    expect(sink.endedAt).toBe(pcm.length);
    expect(sink.finals.flatMap(({ words }) => words.map(({ text }) => text)).join(' ')).toBe(
      'i would like to check the status of my order',
    );
    expect(engine.channelCount).toBe(0);
    engine.stop();
    await thread.close();
  },
);
