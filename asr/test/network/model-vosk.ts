import type { ChannelId, Word } from '@earshot/contracts';
import { monoUs } from '@earshot/contracts';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { Engine } from '../../src/engine/engine.ts';
import type { ChannelOwner, WordsSink } from '../../src/engine/sink.ts';
import { StepThread } from '../../src/engine/step-thread.ts';
import { describeModel } from '../../src/models/folder.ts';
import { SHIPPED_MODEL, channelNamed, openingOf, until } from '../support/rig.ts';

interface Stream {
  decidedTick: number;
  finals: Word[];
  partial: readonly Word[];
  ended: boolean;
}

/** A server that speaks Vosk's protocol as asr_server.py does, with our own recogniser and the shipped model behind it. */
export class ModelVosk {
  readonly #server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  readonly #streams = new Map<ChannelId, Stream>();
  readonly #thread: StepThread;
  readonly #engine: Engine;
  readonly #chunkSamples: number;
  #count = 0;

  static async start(): Promise<ModelVosk> {
    const model = describeModel(SHIPPED_MODEL);
    const thread = await StepThread.start(model, 16, [1, 4]);
    const server = new ModelVosk(model, thread);
    await once(server.#server, 'listening');
    return server;
  }

  private constructor(model: ReturnType<typeof describeModel>, thread: StepThread) {
    this.#thread = thread;
    this.#chunkSamples = model.timing.chunkSamples;
    const sink: WordsSink = {
      partial: (channel, _attempt, { words }) => (this.#streams.get(channel)!.partial = words),
      final: (channel, _attempt, { words }) => {
        this.#streams.get(channel)!.finals.push(...words);
        this.#streams.get(channel)!.partial = [];
      },
      progress: () => undefined,
      ended: (channel) => (this.#streams.get(channel)!.ended = true),
      congested: false,
      blocked: false,
    };
    this.#engine = new Engine({
      model,
      thread,
      maxChannels: 16,
      sizes: [1, 4],
      sink,
      nowMs: () => monoUs() / 1000,
      onStep: () => undefined,
      onFailure: (error) => {
        throw error;
      },
    });
    this.#server.on('connection', (client) => this.#serve(client));
  }

  get address(): string {
    return `vosk+ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
    this.#engine.stop();
    await this.#thread.close();
  }

  #serve(client: WebSocket): void {
    const channel = channelNamed(`stream-${this.#count++}`);
    const stream: Stream = { decidedTick: 0, finals: [], partial: [], ended: false };
    this.#streams.set(channel, stream);
    const owner: ChannelOwner = {
      credit: (_channel, _attempt, _upto, decidedTick) => (stream.decidedTick = decidedTick),
      lost: () => client.terminate(),
    };
    this.#engine.open(openingOf(channel), owner);
    client.on('close', () => this.#engine.close(channel, 1));
    let position = 0;
    // One message after the other, as the original does.
    let turn: Promise<void> = Promise.resolve();
    const answer = async (data: Buffer, isBinary: boolean): Promise<void> => {
      if (isBinary) {
        this.#engine.audio(channel, 1, position, monoUs(), data);
        position += data.length >> 1;
        const whole = position - (position % this.#chunkSamples);
        await until('the chunks to be recognised', () => stream.decidedTick >= whole);
        const words = stream.finals.splice(0);
        if (words.length > 0) client.send(resultOf(words));
        else client.send(JSON.stringify({ partial: stream.partial.map(({ text }) => text).join(' ') }));
      } else if (String(data) === '{"eof" : 1}') {
        this.#engine.end(channel, 1, position);
        await until('the end', () => stream.ended);
        client.send(resultOf(stream.finals.splice(0)));
        client.close(1000);
      }
    };
    client.on('message', (data, isBinary) => {
      turn = turn.then(() => answer(data as Buffer, isBinary)).catch(() => client.terminate());
    });
  }
}

const resultOf = (words: readonly Word[]): string =>
  JSON.stringify({
    result: words.map(({ text, startTick, endTick, confidence }) => ({
      conf: confidence,
      start: startTick / 8000,
      end: endTick / 8000,
      word: text,
    })),
    text: words.map(({ text }) => text).join(' '),
  });
