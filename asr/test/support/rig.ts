import {
  type ChannelId,
  type FromAsr,
  type FromEngine,
  type ToAsr,
  type ToEngine,
  type Word,
  sockets,
} from '@earshot/contracts';
import { type Connection, Dialer, type Listener, createLog, createRegistry, listen } from '@earshot/platform';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChannelOpening } from '../../src/engine/channel.ts';
import { type AsrService, startAsr } from '../../src/server/service.ts';
import { bytesOf } from './speech.ts';

export const SHIPPED_MODEL = fileURLToPath(new URL('../../model', import.meta.url));

/** Waits for a condition; never for a time. */
export async function until<T>(
  what: string,
  condition: () => T | null | undefined | false,
  limitMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = condition();
    if (value !== null && value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not in ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const makeRunDir = (): string => mkdtempSync(join(tmpdir(), 'es-asr-'));

/** Stands where transcripts stands: listens for engines and keeps what they say. */
export class WordsEnd {
  readonly messages: FromEngine[] = [];
  connections = 0;
  /** False: only counted, for programs that run long. */
  keep = true;
  onMessage: ((message: FromEngine) => void) | null = null;
  #peer: Connection<FromEngine, ToEngine> | null = null;
  #listener: Listener | null = null;

  static async listen(runDir: string): Promise<WordsEnd> {
    const end = new WordsEnd();
    end.#listener = await listen<FromEngine, ToEngine>(join(runDir, sockets.words), (connection) => {
      end.connections++;
      end.#peer = connection;
      connection.send({ type: 'hello', pid: process.pid });
      connection.send({ type: 'vocabulary', lists: [] });
      return {
        message: (message) => {
          if (end.keep) end.messages.push(message);
          end.onMessage?.(message);
        },
        close: () => undefined,
      };
    });
    return end;
  }

  /** To the engine that connected last. */
  send(message: ToEngine): void {
    this.#peer?.send(message);
  }

  ofChannel<T extends FromEngine['type']>(channel: ChannelId, type: T): Extract<FromEngine, { type: T }>[] {
    return this.messages.filter(
      (message): message is Extract<FromEngine, { type: T }> =>
        message.type === type && message.type !== 'hello' && message.channel === channel,
    );
  }

  finalWords(channel: ChannelId): Word[] {
    return this.ofChannel(channel, 'final').flatMap(({ words }) => [...words]);
  }

  text(channel: ChannelId): string {
    return this.finalWords(channel)
      .map(({ text }) => text)
      .join(' ');
  }

  ended(channel: ChannelId, limitMs = 30_000): Promise<unknown> {
    return until(`${channel} to end`, () => this.ofChannel(channel, 'ended')[0], limitMs);
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }
}

/** Stands where a media worker stands: opens channels and sends audio as credit allows. */
export class MediaEnd {
  readonly messages: FromAsr[] = [];
  readonly #dialer: Dialer<FromAsr, ToAsr>;
  readonly #credit = new Map<string, number>();
  /** False: messages are not kept, only the credit. */
  keep = true;
  up = false;

  constructor(runDir: string, instance = 0) {
    this.#dialer = new Dialer<FromAsr, ToAsr>(join(runDir, sockets.audio(instance)), {
      open: () => (this.up = true),
      message: (message) => {
        if (this.keep) this.messages.push(message);
        if (message.type === 'credit') {
          this.#credit.set(`${message.channel}#${message.attempt}`, message.uptoTick);
        }
      },
      lost: () => (this.up = false),
    });
  }

  send(message: ToAsr, pcm?: Int16Array): void {
    this.#dialer.send(message, pcm === undefined ? undefined : bytesOf(pcm));
  }

  open(
    channel: ChannelId,
    fromTick = 0,
    outputFromTick = fromTick,
    attempt = 1,
    priority: 'live' | 'catch-up' = 'live',
  ): void {
    this.send({ type: 'open', channel, attempt, fromTick, outputFromTick, config: { priority } });
  }

  /** Sends audio in messages of the given sizes (repeated), as fast as credit allows. @returns the tick after it */
  async audio(
    channel: ChannelId,
    startTick: number,
    pcm: Int16Array,
    { attempt = 1, sizes = [800] }: { attempt?: number; sizes?: readonly number[] } = {},
  ): Promise<number> {
    let at = 0;
    for (let i = 0; at < pcm.length; i++) {
      const part = pcm.subarray(at, at + sizes[i % sizes.length]!);
      const end = startTick + at + part.length;
      await until('credit', () => (this.#credit.get(`${channel}#${attempt}`) ?? -1) >= end);
      this.send({ type: 'audio', channel, attempt, startTick: startTick + at, arrivalUs: end }, part);
      at += part.length;
    }
    return startTick + at;
  }

  /** The tick up to which audio may be sent; null before the first credit. */
  creditOf(channel: ChannelId, attempt = 1): number | null {
    return this.#credit.get(`${channel}#${attempt}`) ?? null;
  }

  forget(channel: ChannelId, attempt = 1): void {
    this.#credit.delete(`${channel}#${attempt}`);
  }

  lost(channel: ChannelId): Extract<FromAsr, { type: 'lost' }>[] {
    return this.messages.filter(
      (message): message is Extract<FromAsr, { type: 'lost' }> =>
        message.type === 'lost' && message.channel === channel,
    );
  }

  close(): void {
    this.#dialer.close();
  }
}

export interface Rig {
  readonly runDir: string;
  readonly words: WordsEnd;
  readonly media: MediaEnd;
  readonly service: AsrService;
  /** The value of a counter or gauge. */
  metric(name: string): Promise<number | undefined>;
  /** Its values, one for each of its labels. */
  metricValues(name: string): Promise<number[]>;
  stop(): Promise<void>;
}

/** An engine in this process, with real sockets and the real model. */
export async function startRig(options: { maxChannels?: number } = {}): Promise<Rig> {
  const runDir = makeRunDir();
  const words = await WordsEnd.listen(runDir);
  const registry = createRegistry('asr-test');
  const service = await startAsr({
    modelFolder: SHIPPED_MODEL,
    runDir,
    instance: 0,
    log: createLog('asr-test', 'silent'),
    registry,
    onFailure: (error) => {
      throw error;
    },
    ...options,
  });
  const media = new MediaEnd(runDir);
  await until('the links', () => media.up && words.messages.length > 0);
  return {
    runDir,
    words,
    media,
    service,
    metricValues: async (name) =>
      ((await registry.getSingleMetric(name)?.get())?.values ?? []).map(({ value }) => value),
    metric: async (name) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value,
    stop: async () => {
      media.close();
      await service.drain();
      await words.close();
      rmSync(runDir, { recursive: true });
    },
  };
}

/** An opening of a channel from its beginning, for the tests that need no sockets. */
export const openingOf = (channel: ChannelId, changes: Partial<ChannelOpening> = {}): ChannelOpening => ({
  channel,
  attempt: 1,
  fromTick: 0,
  outputFromTick: changes.fromTick ?? 0,
  live: true,
  maxDelayMs: null,
  phrases: [],
  ...changes,
});

export const channelNamed = (name: string, index = 0): ChannelId => `${name}:${index}` as ChannelId;
