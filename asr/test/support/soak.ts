import {
  type CallId,
  type ChannelId,
  type FromAsr,
  type ToAsr,
  channelIdOf,
  monoUs,
  sockets,
} from '@earshot/contracts';
import { Dialer } from '@earshot/platform';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineProcess, valueOf } from './engine-process.ts';
import { WordsEnd, makeRunDir, until } from './rig.ts';
import { TAPE_SENTENCES, bytesOf, canSpeak, speak, speechTape } from './speech.ts';

export interface SoakOptions {
  readonly channels: number;
  /** Of audio, on every channel. */
  readonly minutes: number;
  readonly samples: number;
  /** A call lasts so long and up to as long again; then another one takes its place. */
  readonly callSeconds: number;
  readonly onSample?: (sample: SoakSample) => void;
}

export interface SoakSample {
  /** On the channel that is furthest behind. */
  readonly audioMinutes: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly externalMb: number;
}

export interface SoakResult {
  readonly samples: readonly SoakSample[];
  /** Lowest of the last quarter of the samples less lowest of the second quarter, MiB: the first one warms up. */
  readonly growthMb: { readonly rss: number; readonly heap: number; readonly external: number };
  readonly wallSeconds: number;
  readonly audioHours: number;
  readonly recognisedHours: number;
  readonly words: number;
  readonly callsEnded: number;
}

const MESSAGE_TICKS = 4000;
/** Talk and the other party's talk: a party is silent for some of the time. */
const GAP_TICKS = [12_000, 3000, 30_000, 8000, 20_000];

/** One place on the engine: a call's channel, and after its end the next one's. */
class Place {
  readonly #parts: readonly Int16Array[];
  readonly #index: number;
  readonly #callTicks: number;
  id: ChannelId;
  calls = 0;
  /** Ticks of the calls that ended here. */
  before = 0;
  tick = 0;
  credit = -1;
  #part: number;
  #offset = 0;
  #gapLeft = 0;

  constructor(index: number, parts: readonly Int16Array[], callSeconds: number) {
    this.#index = index;
    this.#parts = parts;
    this.#callTicks = 8000 * callSeconds * (1 + (index % 50) / 50);
    this.#part = index % parts.length;
    this.id = channelIdOf(`soak-${index}` as CallId, 0);
  }

  /** Sends what credit allows. */
  pump(send: (message: ToAsr, pcm?: Int16Array) => void): void {
    const { id: channel } = this;
    while (this.tick < this.credit) {
      const room = this.credit - this.tick;
      if (this.#gapLeft > 0) {
        const ticks = Math.min(room, this.#gapLeft);
        this.#gapLeft -= ticks;
        this.tick += ticks;
        send({ type: 'gap', channel, attempt: 1, toTick: this.tick });
        continue;
      }
      const pcm = this.#parts[this.#part]!;
      const end = Math.min(pcm.length, this.#offset + Math.min(MESSAGE_TICKS, room));
      send(
        { type: 'audio', channel, attempt: 1, startTick: this.tick, arrivalUs: monoUs() },
        pcm.subarray(this.#offset, end),
      );
      this.tick += end - this.#offset;
      this.#offset = end;
      if (end < pcm.length) continue;
      this.#offset = 0;
      this.#part = (this.#part + 1) % this.#parts.length;
      this.#gapLeft = GAP_TICKS[(this.#part + this.#index) % GAP_TICKS.length]!;
      if (this.tick >= this.#callTicks) {
        send({ type: 'end', channel, attempt: 1, tick: this.tick });
        this.#next();
        send(openingOf(this.id));
      }
    }
  }

  #next(): void {
    this.calls++;
    this.before += this.tick;
    this.tick = 0;
    this.credit = -1;
    this.#gapLeft = 0;
    this.id = channelIdOf(`soak-${this.#index}-${this.calls}` as CallId, 0);
  }
}

const openingOf = (channel: ChannelId): ToAsr => ({
  type: 'open',
  channel,
  attempt: 1,
  fromTick: 0,
  outputFromTick: 0,
  config: { priority: 'live' },
});

/** Plays conversations to an engine process as fast as it takes them, and looks at its memory. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const runDir = makeRunDir();
  const end = await WordsEnd.listen(runDir);
  let words = 0;
  end.keep = false;
  end.onMessage = (message) => {
    if (message.type === 'final') words += message.words.length;
  };
  const engine = await EngineProcess.start(runDir, 0);
  const parts = canSpeak
    ? TAPE_SENTENCES.map((text, i) => speak(i % 3 === 2 ? 'kal' : 'slt', text))
    : [speechTape()];
  const places = Array.from({ length: options.channels }, (_, i) => new Place(i, parts, options.callSeconds));
  const byChannel = new Map<ChannelId, Place>();
  let up = false;
  let failure: Error | null = null;
  const dialer = new Dialer<FromAsr, ToAsr>(join(runDir, sockets.audio(0)), {
    open: () => (up = true),
    message: (message) => {
      if (message.type === 'hello') return;
      if (message.type === 'lost') failure = new Error(`${message.channel} was given back: ${message.code}`);
      const place = byChannel.get(message.channel);
      if (message.type !== 'credit' || place === undefined || place.id !== message.channel) return;
      place.credit = message.uptoTick;
      pump(place);
    },
    lost: () => (failure = new Error('the engine is gone')),
  });
  const pump = (place: Place): void => {
    const { id } = place;
    place.pump((message, pcm) => dialer.send(message, pcm === undefined ? undefined : bytesOf(pcm)));
    if (place.id === id) return;
    byChannel.delete(id);
    byChannel.set(place.id, place);
  };
  await until('the links', () => up && end.connections > 0);
  const startMs = performance.now();
  for (const place of places) {
    byChannel.set(place.id, place);
    dialer.send(openingOf(place.id));
  }
  const progressMinutes = (): number =>
    Math.min(...places.map(({ before, tick }) => before + tick)) / (60 * 8000);
  const samples: SoakSample[] = [];
  let pong = await engine.ping();
  for (let i = 1; i <= options.samples; i++) {
    const target = (options.minutes * i) / options.samples;
    await until(
      `${target} minutes of audio`,
      () => {
        if (failure !== null) throw failure;
        return progressMinutes() >= target;
      },
      7_200_000,
    );
    pong = await engine.ping();
    const mb = (name: string): number => valueOf(pong, `earshot_${name}_bytes`) / 2 ** 20;
    const sample = {
      audioMinutes: Number(progressMinutes().toFixed(2)),
      rssMb: Math.round(mb('process_resident_memory')),
      heapMb: Math.round(mb('nodejs_heap_size_used')),
      externalMb: Math.round(mb('nodejs_external_memory')),
    };
    samples.push(sample);
    options.onSample?.(sample);
  }
  const audioTicks = places.reduce((sum, { before, tick }) => sum + before + tick, 0);
  const result: SoakResult = {
    samples,
    growthMb: {
      rss: growth(samples.map(({ rssMb }) => rssMb)),
      heap: growth(samples.map(({ heapMb }) => heapMb)),
      external: growth(samples.map(({ externalMb }) => externalMb)),
    },
    wallSeconds: Math.round((performance.now() - startMs) / 1000),
    audioHours: Number((audioTicks / 8000 / 3600).toFixed(2)),
    recognisedHours: Number((valueOf(pong, 'earshot_asr_audio_seconds_total') / 3600).toFixed(2)),
    words,
    callsEnded: places.reduce((sum, { calls }) => sum + calls, 0),
  };
  dialer.close();
  await engine.drain();
  await end.close();
  rmSync(runDir, { recursive: true, force: true });
  return result;
}

function growth(values: readonly number[]): number {
  const quarter = Math.max(1, Math.floor(values.length / 4));
  return Math.min(...values.slice(-quarter)) - Math.min(...values.slice(quarter, 2 * quarter));
}
