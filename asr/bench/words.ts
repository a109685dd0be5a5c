/** Recordings to words through the engine, many at once: batching, chunks and all, as fast as it goes. */
import { type CallId, type ChannelId, channelIdOf, monoUs, type SpeechMark } from '@earshot/contracts';
import { readFileSync } from 'node:fs';
import { Gated } from '../src/batch/gated.ts';
import { Engine } from '../src/engine/engine.ts';
import type { ChannelOwner, WordsSink } from '../src/engine/sink.ts';
import { StepThread } from '../src/engine/step-thread.ts';
import { describeModel } from '../src/models/folder.ts';
import { BATCH_SIZES } from '../src/server/service.ts';
import { readTape } from './protocol.ts';

const AT_ONCE = 64;
const TICK_MS = 50;
const MESSAGE_TICKS = 800;

/** On standard input. */
interface Job {
  /** Folder of the model. */
  readonly model: string;
  /** Whether silence is left out as the live path does it. */
  readonly gated: boolean;
  /** 16-bit PCM, mono, 8 kHz, without headers. */
  readonly files: readonly string[];
  /** What of each file is speech, found by others; nothing else is then recognised. */
  readonly marks?: readonly (readonly SpeechMark[])[] | null;
}

interface Told {
  readonly text: string;
  readonly startTick: number;
  readonly endTick: number;
}

interface Part {
  readonly audio: Int16Array | null;
  readonly from: number;
  readonly to: number;
}

/** In messages as media workers send them. */
function* partsOf(pcm: Int16Array, gated: boolean, marks: readonly SpeechMark[] | null): Generator<Part> {
  if (gated || marks !== null) {
    for (const piece of new Gated(marks).push(pcm, true)) {
      if (piece.kind === 'gap') yield { audio: null, from: piece.from, to: piece.to };
      else yield* messages(piece.samples, piece.from);
    }
  } else yield* messages(pcm, 0);
}

function* messages(pcm: Int16Array, from: number): Generator<Part> {
  for (let at = 0; at < pcm.length; at += MESSAGE_TICKS) {
    const audio = pcm.subarray(at, at + MESSAGE_TICKS);
    yield { audio, from: from + at, to: from + at + audio.length };
  }
}

class FileChannel {
  readonly id: ChannelId;
  readonly words: Told[] = [];
  readonly ended: Promise<void>;
  finish: () => void = () => undefined;
  readonly #parts: Generator<Part>;
  readonly #length: number;
  #next: Part | null = null;
  #done = false;

  constructor(index: number, pcm: Int16Array, gated: boolean, marks: readonly SpeechMark[] | null) {
    this.id = channelIdOf('file' as CallId, index);
    this.#parts = partsOf(pcm, gated, marks);
    this.#length = pcm.length;
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  /** Sends what the credit allows. A gap needs none. */
  pump(engine: Engine, creditTick: number): void {
    while (!this.#done) {
      this.#next ??= this.#parts.next().value ?? null;
      if (this.#next === null) {
        this.#done = true;
        engine.end(this.id, 1, this.#length);
        return;
      }
      const { audio, from, to } = this.#next;
      if (audio !== null && to > creditTick) return;
      this.#next = null;
      if (audio === null) engine.gap(this.id, 1, to);
      else
        engine.audio(this.id, 1, from, 0, new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength));
    }
  }
}

/** Reads a Job from standard input, writes `{model, audioSeconds, files: [{words}]}`. */
export async function recogniseFiles(): Promise<void> {
  const job = JSON.parse(readFileSync(0, 'utf8')) as Job;
  const model = describeModel(job.model);
  const thread = await StepThread.start(model, AT_ONCE, BATCH_SIZES);
  const channels = new Map<ChannelId, FileChannel>();
  let engine: Engine | null = null;
  const sink: WordsSink = {
    congested: true, // nobody looks at partials
    blocked: false,
    partial: () => undefined,
    final: (id, _attempt, { words }) =>
      channels
        .get(id)
        ?.words.push(...words.map(({ text, startTick, endTick }) => ({ text, startTick, endTick }))),
    progress: () => undefined,
    ended: (id) => channels.get(id)?.finish(),
  };
  const owner: ChannelOwner = {
    // Not from within the engine's own step.
    credit: (id, _attempt, uptoTick) =>
      setImmediate(() => engine !== null && channels.get(id)?.pump(engine, uptoTick)),
    lost: (id, _attempt, code) => {
      throw new Error(`${id} lost: ${code}`);
    },
  };
  const running = new Engine({
    model,
    thread,
    maxChannels: AT_ONCE,
    sizes: BATCH_SIZES,
    sink,
    nowMs: () => monoUs() / 1000,
    onStep: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
  engine = running;
  const ticker = setInterval(() => running.tick(), TICK_MS);
  const results: { words: Told[] }[] = [];
  let audioSeconds = 0;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < job.files.length) {
      const index = next++;
      const { pcm } = readTape({ path: job.files[index]!, words: [] });
      audioSeconds += pcm.length / 8000;
      const channel = new FileChannel(index, pcm, job.gated, job.marks?.[index] ?? null);
      channels.set(channel.id, channel);
      running.open(
        {
          channel: channel.id,
          attempt: 1,
          fromTick: 0,
          outputFromTick: 0,
          live: true,
          maxDelayMs: null,
          phrases: [],
        },
        owner,
      );
      await channel.ended;
      channels.delete(channel.id);
      results[index] = { words: channel.words };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  clearInterval(ticker);
  running.stop();
  await thread.close();
  process.stdout.write(`${JSON.stringify({ model: model.name, audioSeconds, files: results })}\n`);
}
