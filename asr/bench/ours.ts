/** Earshot's engine without its sockets, in this process and its worker thread, under paced or unpaced load. */
import { type CallId, type ChannelId, channelIdOf, monoUs } from '@earshot/contracts';
import { CREDIT_WINDOW_TICKS } from '../src/engine/channel.ts';
import { sizesInTime } from '../src/engine/batching.ts';
import { Engine } from '../src/engine/engine.ts';
import type { ChannelOwner, WordsSink } from '../src/engine/sink.ts';
import { StepThread } from '../src/engine/step-thread.ts';
import { describeModel } from '../src/models/folder.ts';
import type { ModelDescription } from '../src/models/model.ts';
import { BATCH_SIZES } from '../src/server/service.ts';
import { Latencies } from './latencies.ts';
import { pacedReportOf } from './paced-report.ts';
import { LOST_MS, Loop, PacedChannel, TURN_MS, WARM_UP_MS, WATCHED, untilNextTurn } from './pacing.ts';
import type { Order, PacedReport, Program, RawReport, Setup } from './protocol.ts';
import { readTape } from './protocol.ts';
import { ShownWords } from './shown-words.ts';

const TICK_MS = 50;
/** Memory for the states of channels. */
const STATE_BYTES = 1024 * 1024 * 1024;
const MS = 1000;

export async function startOurs(setup: Setup): Promise<Program> {
  const described = describeModel(setup.model);
  const model = setup.withLanguageModel ? described : { ...described, languageModel: null };
  const tried = BATCH_SIZES.filter((size) => size <= setup.batch);
  const maxChannels = Math.min(setup.maxChannels, Math.floor(STATE_BYTES / model.stateBytesPerChannel));
  const thread = await StepThread.start(model, maxChannels, tried);
  const sizes = sizesInTime(tried, thread.secondsBySize, model.timing.chunkSamples / 8000);
  const largest = sizes.at(-1) ?? 1;
  const chunkSeconds = model.timing.chunkSamples / 8000;
  const bench = new Bench(model, thread, sizes, maxChannels);
  const speech = [new Loop(readTape(setup.speech), false)];
  const conversations = setup.conversations.map((file) => new Loop(readTape(file), true));
  return {
    ready: {
      model: model.name,
      format: model.format,
      chunkMs: chunkSeconds * 1000,
      maxChannels,
      estimate: Math.round((largest * chunkSeconds) / (thread.secondsBySize.get(largest) ?? Infinity)),
      languageModel: described.languageModel !== null,
    },
    paced: (order) => bench.paced(order, order.gated ? conversations : speech),
    raw: (order) => bench.raw(order, speech[0]!),
    close: () => thread.close(),
  };
}

interface OurChannel {
  readonly id: ChannelId;
  readonly paced: PacedChannel;
  readonly words: ShownWords | null;
  creditTick: number;
  decidedTick: number;
}

const idOf = (index: number): ChannelId => channelIdOf('bench' as CallId, index);
const openingOf = (channel: ChannelId) => ({
  channel,
  attempt: 1,
  fromTick: 0,
  outputFromTick: 0,
  live: true,
  maxDelayMs: null,
  phrases: [],
});
/** Somewhere on the tape, for each channel elsewhere. */
const offsetOf = (id: ChannelId): number => Number(id.slice(id.lastIndexOf(':') + 1)) * 7919;
const bytesOf = (pcm: Int16Array): Uint8Array => new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
const cpuSeconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;

class Bench {
  readonly #model: ModelDescription;
  readonly #thread: StepThread;
  readonly #sizes: readonly number[];
  readonly #maxChannels: number;
  #running: Promise<unknown> = Promise.resolve();

  constructor(model: ModelDescription, thread: StepThread, sizes: readonly number[], maxChannels: number) {
    this.#model = model;
    this.#thread = thread;
    this.#sizes = sizes;
    this.#maxChannels = maxChannels;
  }

  #engine(sink: WordsSink, onStep: (rows: number, samples: number) => void): Engine {
    const { buffers, spare, secondsBySize } = this.#thread;
    return new Engine({
      model: this.#model,
      thread: {
        buffers,
        spare,
        secondsBySize,
        step: (rows, size, into) => (this.#running = this.#thread.step(rows, size, into)),
      },
      maxChannels: this.#maxChannels,
      sizes: this.#sizes,
      sink,
      nowMs: () => monoUs() / MS,
      onStep: ({ rows, samples }) => onStep(rows, samples),
      onFailure: (error) => {
        throw error;
      },
    });
  }

  async paced(order: Extract<Order, { order: 'paced' }>, loops: readonly Loop[]): Promise<PacedReport> {
    const baseMs = monoUs() / MS + TURN_MS;
    const channels = Array.from({ length: order.channels }, (_, i): OurChannel => {
      const paced = new PacedChannel(i, loops[i % loops.length]!, baseMs);
      const words = i < WATCHED ? new ShownWords() : null;
      return { id: idOf(i), paced, words, creditTick: 0, decidedTick: 0 };
    });
    const byId = new Map(channels.map((channel) => [channel.id, channel]));
    const fromMs = baseMs + WARM_UP_MS;
    const toMs = fromMs + order.seconds * MS;
    let latencies = new Latencies();
    let steps = 0;
    let stepped = 0;
    let lost = false;
    const tell = (id: ChannelId, words: readonly { readonly text: string }[]): void =>
      byId.get(id)?.words?.show(
        words.map(({ text }) => text.toLowerCase()),
        monoUs() / MS,
      );
    const sink: WordsSink = {
      congested: false,
      blocked: false,
      partial: (id, _attempt, { words }) => tell(id, words),
      final: (id, _attempt, { words }) => {
        tell(id, words);
        byId.get(id)?.words?.settle();
      },
      progress: () => undefined,
      ended: () => undefined,
    };
    const owner: ChannelOwner = {
      credit: (id, _attempt, uptoTick, decidedTick) => {
        const channel = byId.get(id)!;
        const { startMs, loop, offset } = channel.paced;
        const nowMs = monoUs() / MS;
        latencies.covered(startMs, channel.decidedTick, decidedTick, nowMs, (tick) =>
          loop.counts(offset, tick),
        );
        channel.creditTick = uptoTick;
        channel.decidedTick = decidedTick;
      },
      lost: (id, _attempt, code) => {
        throw new Error(`${id} lost: ${code}`);
      },
    };
    const engine = this.#engine(sink, (rows) => {
      steps++;
      stepped += rows;
    });
    for (const { id } of channels) engine.open(openingOf(id), owner);
    const ticker = setInterval(() => engine.tick(), TICK_MS);
    let before: { wallMs: number; cpu: number; main: number } | null = null;
    let nowMs = monoUs() / MS;
    while (nowMs < toMs && !lost) {
      if (before === null && nowMs >= fromMs) {
        before = {
          wallMs: nowMs,
          cpu: cpuSeconds(process.cpuUsage()),
          main: cpuSeconds(process.threadCpuUsage()),
        };
        latencies = new Latencies();
        steps = 0;
        stepped = 0;
      }
      for (const channel of channels) {
        this.#send(engine, channel, nowMs);
        const { startMs } = channel.paced;
        // What has not come out is late already: it would not be seen while everything stands.
        if (nowMs - startMs - channel.decidedTick / 8 > LOST_MS + this.#model.timing.chunkSamples / 8)
          lost = true;
      }
      await new Promise((resolve) => setTimeout(resolve, untilNextTurn(monoUs() / MS, baseMs)));
      nowMs = monoUs() / MS;
    }
    const wallSeconds = (nowMs - (before?.wallMs ?? nowMs)) / MS;
    const cpu = cpuSeconds(process.cpuUsage()) - (before?.cpu ?? 0);
    const main = cpuSeconds(process.threadCpuUsage()) - (before?.main ?? 0);
    clearInterval(ticker);
    engine.stop();
    await this.#running;
    return {
      ...pacedReportOf(order, { lost, latencies, channels, fromMs, toMs, cpu, wallSeconds, steps, stepped }),
      modelThreadCores: lost ? NaN : (cpu - main) / wallSeconds,
      audioShare: loops.reduce((sum, { audioShare }) => sum + audioShare, 0) / loops.length,
    };
  }

  #send(engine: Engine, { id, paced, creditTick }: OurChannel, nowMs: number): void {
    const to = Math.min(paced.dueTick(nowMs), creditTick - (creditTick % 800));
    if (to <= paced.sentTick) return;
    const arrivalUs = Math.round(nowMs * MS);
    for (const part of paced.loop.parts(paced.offset, paced.sentTick, to)) {
      if (part.audio === null) engine.gap(id, 1, part.to);
      else engine.audio(id, 1, part.from, arrivalUs, bytesOf(part.audio));
    }
    paced.sentTick = to;
  }

  async raw(order: Extract<Order, { order: 'raw' }>, { tape }: Loop): Promise<RawReport> {
    const { chunkSamples } = this.#model.timing;
    const pcm = tape.pcm;
    const ticks = new Map<ChannelId, number>();
    let audioSeconds = 0;
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const nothing = (): void => undefined;
    const sink = {
      congested: false,
      blocked: false,
      partial: nothing,
      final: nothing,
      progress: nothing,
      ended: nothing,
    };
    const engine = this.#engine(sink, (_rows, samples) => {
      audioSeconds += samples / 8000;
      if (audioSeconds >= order.audioSeconds) finish();
    });
    const owner = {
      credit: (id: ChannelId, _attempt: number, uptoTick: number): void => {
        let tick = ticks.get(id) ?? 0;
        for (; tick + chunkSamples <= uptoTick; tick += chunkSamples) {
          const place = (tick + offsetOf(id)) % (pcm.length - chunkSamples);
          engine.audio(id, 1, tick, 0, bytesOf(pcm.subarray(place, place + chunkSamples)));
        }
        ticks.set(id, tick);
      },
      lost: (id: ChannelId, _attempt: number, code: string): void => {
        throw new Error(`${id} lost: ${code}`);
      },
    };
    const cpu = cpuSeconds(process.cpuUsage());
    const startMs = monoUs() / MS;
    for (let i = 0; i < order.channels; i++) {
      const id = idOf(i);
      engine.open(openingOf(id), owner);
      // The first credit comes while the channel is being opened: ask again.
      ticks.delete(id);
      owner.credit(id, 1, CREDIT_WINDOW_TICKS);
    }
    await finished;
    const seconds = (monoUs() / MS - startMs) / MS;
    const used = cpuSeconds(process.cpuUsage()) - cpu;
    engine.stop();
    await this.#running;
    return {
      channels: order.channels,
      audioSeconds: Math.round(audioSeconds),
      perCore: audioSeconds / used,
      perSecond: audioSeconds / seconds,
    };
  }
}
