/**
 * sherpa-onnx's online recogniser with the same model files under the same load: one thread, greedy search, batches by
 * decodeStreams. A batch starts as soon as any stream is ready, and takes all that are, up to the largest batch.
 */
import { createRequire } from 'node:module';
import { describeModel } from '../src/models/folder.ts';
import { Latencies } from './latencies.ts';
import { pacedReportOf } from './paced-report.ts';
import {
  LOST_MS,
  Loop,
  MESSAGE_TICKS,
  PacedChannel,
  TURN_MS,
  WARM_UP_MS,
  WATCHED,
  untilNextTurn,
} from './pacing.ts';
import { peerModelConfig } from './peer-config.ts';
import type { Order, PacedReport, Program, RawReport, Setup, Tape } from './protocol.ts';
import { readTape } from './protocol.ts';
import { ShownWords } from './shown-words.ts';

const RATE = 8000;
const MS = 1000;

interface Stream {
  acceptWaveform(audio: { samples: Float32Array; sampleRate: number }): void;
}

interface Recognizer {
  createStream(): Stream;
  isReady(stream: Stream): boolean;
  decodeStreams(streams: readonly Stream[]): void;
  getResult(stream: Stream): { readonly text: string };
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const floatsOf = ({ pcm }: Tape): Float32Array => Float32Array.from(pcm, (sample) => sample / 32768);

export async function startPeer(setup: Setup): Promise<Program> {
  const description = describeModel(setup.model);
  // Another onnxruntime than ours: only loaded in this process.
  const { OnlineRecognizer } = createRequire(import.meta.url)('sherpa-onnx-node') as {
    OnlineRecognizer: new (config: unknown) => Recognizer;
  };
  const recognizer = new OnlineRecognizer({
    featConfig: { sampleRate: description.features === null ? RATE : 2 * RATE, featureDim: 80 },
    modelConfig: peerModelConfig(description),
    decodingMethod: 'greedy_search',
    enableEndpoint: 0,
  });
  const { chunkSamples } = description.timing;
  const loop = new Loop(readTape(setup.speech), false);
  const leadTicks = description.format === 't-one' ? 0 : leadOf(recognizer, chunkSamples);
  const bench = new PeerBench(recognizer, loop, chunkSamples, leadTicks, setup.batch);
  return {
    ready: {
      model: description.name,
      format: description.format,
      chunkMs: chunkSamples / 8,
      maxChannels: setup.maxChannels,
      estimate: 0,
      languageModel: false,
    },
    paced: (order) => bench.paced(order),
    raw: async (order) => bench.raw(order),
    close: async () => undefined,
  };
}

/** How much more than a step's audio the first step needs: the window of its features. */
function leadOf(recognizer: Recognizer, chunkSamples: number): number {
  const stream = recognizer.createStream();
  let ticks = 0;
  while (!recognizer.isReady(stream) && ticks < 10 * RATE) {
    stream.acceptWaveform({ samples: new Float32Array(80), sampleRate: RATE });
    ticks += 80;
  }
  return Math.max(0, ticks - chunkSamples);
}

interface PeerChannel {
  readonly stream: Stream;
  readonly paced: PacedChannel;
  readonly words: ShownWords | null;
  queued: boolean;
  decodes: number;
  takenTick: number;
}

class PeerBench {
  readonly #recognizer: Recognizer;
  readonly #loop: Loop;
  readonly #floats: Float32Array;
  readonly #chunkSamples: number;
  readonly #leadTicks: number;
  readonly #batch: number;

  constructor(recognizer: Recognizer, loop: Loop, chunkSamples: number, leadTicks: number, batch: number) {
    this.#recognizer = recognizer;
    this.#loop = loop;
    this.#floats = floatsOf(loop.tape);
    this.#chunkSamples = chunkSamples;
    this.#leadTicks = leadTicks;
    this.#batch = batch;
  }

  async paced(order: Extract<Order, { order: 'paced' }>): Promise<PacedReport> {
    const baseMs = performance.now() + TURN_MS;
    const channels = Array.from({ length: order.channels }, (_, i): PeerChannel => {
      const words = i < WATCHED ? new ShownWords() : null;
      const paced = new PacedChannel(i, this.#loop, baseMs);
      return {
        stream: this.#recognizer.createStream(),
        paced,
        words,
        queued: false,
        decodes: 0,
        takenTick: 0,
      };
    });
    const fromMs = baseMs + WARM_UP_MS;
    const toMs = fromMs + order.seconds * MS;
    let latencies = new Latencies();
    const queue: PeerChannel[] = [];
    let steps = 0;
    let stepped = 0;
    let lost = false;
    let before: { wallMs: number; cpu: number } | null = null;
    let nextTurnMs = baseMs;
    let nowMs = performance.now();
    while (nowMs < toMs && !lost) {
      if (before === null && nowMs >= fromMs) {
        before = { wallMs: nowMs, cpu: cpuSeconds() };
        latencies = new Latencies();
        steps = 0;
        stepped = 0;
      }
      if (nowMs >= nextTurnMs) {
        nextTurnMs = nowMs + untilNextTurn(nowMs, baseMs);
        for (const channel of channels) {
          this.#send(channel, queue, nowMs);
          if (nowMs - channel.paced.startMs - channel.takenTick / 8 > LOST_MS + this.#chunkSamples / 8)
            lost = true;
        }
      }
      if (queue.length > 0) {
        const batch = queue.splice(0, this.#batch);
        this.#decode(batch, queue, latencies);
        steps++;
        stepped += batch.length;
      } else await new Promise((resolve) => setTimeout(resolve, untilNextTurn(performance.now(), baseMs)));
      nowMs = performance.now();
    }
    const wallSeconds = (nowMs - (before?.wallMs ?? nowMs)) / MS;
    const cpu = cpuSeconds() - (before?.cpu ?? 0);
    return {
      ...pacedReportOf(order, { lost, latencies, channels, fromMs, toMs, cpu, wallSeconds, steps, stepped }),
      modelThreadCores: null,
      audioShare: 1,
    };
  }

  #send(channel: PeerChannel, queue: PeerChannel[], nowMs: number): void {
    const { paced, stream } = channel;
    const due = paced.dueTick(nowMs);
    for (; paced.sentTick < due; paced.sentTick += MESSAGE_TICKS) {
      for (const { from, to } of paced.loop.parts(
        paced.offset,
        paced.sentTick,
        paced.sentTick + MESSAGE_TICKS,
      )) {
        const place = (paced.offset + from) % this.#floats.length;
        stream.acceptWaveform({ samples: this.#floats.slice(place, place + to - from), sampleRate: RATE });
      }
    }
    this.#enqueue(channel, queue);
  }

  #enqueue(channel: PeerChannel, queue: PeerChannel[]): void {
    if (channel.queued || !this.#recognizer.isReady(channel.stream)) return;
    channel.queued = true;
    queue.push(channel);
  }

  #decode(batch: readonly PeerChannel[], queue: PeerChannel[], latencies: Latencies): void {
    this.#recognizer.decodeStreams(batch.map(({ stream }) => stream));
    for (const channel of batch) {
      const { paced, words } = channel;
      // A server hands out every stream's result, so the reading of it is part of the work.
      const { text } = this.#recognizer.getResult(channel.stream);
      const nowMs = performance.now();
      words?.show(text.toLowerCase().split(/\s+/u).filter(Boolean), nowMs);
      channel.decodes++;
      channel.queued = false;
      const takenTick = channel.decodes * this.#chunkSamples + this.#leadTicks;
      latencies.covered(paced.startMs, channel.takenTick, takenTick, nowMs, () => true);
      channel.takenTick = takenTick;
      this.#enqueue(channel, queue);
    }
  }

  raw(order: Extract<Order, { order: 'raw' }>): RawReport {
    const streams = Array.from({ length: order.channels }, () => this.#recognizer.createStream());
    const chunk = this.#chunkSamples;
    const wanted = order.audioSeconds * RATE;
    let ticks = 0;
    let fed = 0;
    const startMs = performance.now();
    const cpu = cpuSeconds();
    while (ticks < wanted) {
      const ready: Stream[] = [];
      for (const [i, stream] of streams.entries()) {
        const place = (fed + i * 7919) % (this.#floats.length - chunk);
        stream.acceptWaveform({ samples: this.#floats.slice(place, place + chunk), sampleRate: RATE });
        if (this.#recognizer.isReady(stream)) ready.push(stream);
      }
      fed += chunk;
      for (let at = 0; at < ready.length; at += this.#batch) {
        this.#recognizer.decodeStreams(ready.slice(at, at + this.#batch));
      }
      // Ours makes words of what came out, too.
      for (const stream of ready) this.#recognizer.getResult(stream);
      ticks += ready.length * chunk;
    }
    const seconds = (performance.now() - startMs) / MS;
    return {
      channels: order.channels,
      audioSeconds: Math.round(ticks / RATE),
      perCore: ticks / RATE / (cpuSeconds() - cpu),
      perSecond: ticks / RATE / seconds,
    };
  }
}
