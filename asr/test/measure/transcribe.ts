import { type CallId, type VocabularyPhrase, type Word, channelIdOf } from '@earshot/contracts';
import type { FinalSegment } from '../../src/decode/channel-decoder.ts';
import { Channel } from '../../src/engine/channel.ts';
import { shareBuffers } from '../../src/engine/shared-step.ts';
import type { ChannelOwner, WordsSink } from '../../src/engine/sink.ts';
import { loadModel } from '../../src/models/folder.ts';
import type { ModelDescription, Recogniser, StepBuffers } from '../../src/models/model.ts';
import { bytesOf } from '../support/speech.ts';

export interface Utterance {
  readonly pcm: Int16Array;
  readonly phrases?: readonly VocabularyPhrase[];
  readonly maxDelayMs?: number;
}

export interface Shown {
  /** Audio that had been recognised when it was shown, ms. */
  readonly atMs: number;
  readonly words: readonly Word[];
}

export interface Transcript {
  readonly words: readonly Word[];
  readonly finals: readonly FinalSegment[];
  readonly partials: readonly Shown[];
  /** Best token of each frame. */
  readonly ids: readonly number[];
  /** Its log-probability. */
  readonly best: readonly number[];
  /** Log-probabilities of all tokens, frame by frame; empty where the channel did not want them. */
  readonly all: readonly number[];
  /** Audio that had been recognised at the last final, ms. */
  readonly finalsAtMs: number;
  readonly partialWords: { readonly shown: number; readonly changed: number };
}

const ROWS = 16;
const OWNER: ChannelOwner = { credit: () => undefined, lost: () => undefined };

/** One utterance on its way through a channel of the engine. */
class Job {
  readonly channel: Channel;
  readonly finals: FinalSegment[] = [];
  readonly partials: Shown[] = [];
  readonly ids: number[] = [];
  readonly best: number[] = [];
  readonly all: number[] = [];
  readonly #utterance: Utterance;
  readonly #chunk: number;
  readonly #vocabulary: number;
  #chunks = 0;
  #finalsAtMs = 0;
  #sent = 0;

  constructor(utterance: Utterance, index: number, row: number, model: ModelDescription) {
    this.#utterance = utterance;
    this.#chunk = model.timing.chunkSamples;
    this.#vocabulary = model.pieces.length;
    const sink: WordsSink = {
      congested: false,
      blocked: false,
      partial: (_id, _attempt, { words }) => this.partials.push({ atMs: this.#heardMs, words }),
      final: (_id, _attempt, segment) => {
        this.finals.push(segment);
        this.#finalsAtMs = this.#heardMs;
      },
      progress: () => undefined,
      ended: () => undefined,
    };
    const { phrases = [], maxDelayMs = null } = utterance;
    const channel = channelIdOf('measure' as CallId, index);
    const opening = { channel, attempt: 1, fromTick: 0, outputFromTick: 0, live: true, maxDelayMs, phrases };
    this.channel = new Channel(opening, row, OWNER, sink, model);
  }

  /** @returns whether a chunk is ready; if not, the channel has ended */
  advance(): boolean {
    const { pcm } = this.#utterance;
    const part = pcm.subarray(this.#sent, this.#sent + this.#chunk);
    if (part.length > 0) {
      this.channel.audio(this.#sent, 0, bytesOf(part));
      this.#sent += part.length;
      if (this.#sent === pcm.length) this.channel.end(pcm.length);
    }
    return this.channel.advance(0) === 'chunk';
  }

  take(buffers: StepBuffers, row: number, frames: number, real: number): void {
    this.#chunks++;
    for (let k = row * frames; k < (row + 1) * frames; k++) {
      this.ids.push(buffers.ids[k]!);
      this.best.push(buffers.best[k]!);
    }
    if (this.channel.wantsFull) {
      const values = frames * this.#vocabulary;
      for (const value of buffers.logprobs.subarray(row * values, (row + 1) * values)) this.all.push(value);
    }
    this.channel.take(buffers, row, frames, real);
    this.channel.report(0, { stepped: true });
  }

  get #heardMs(): number {
    return (this.#chunks * this.#chunk) / 8;
  }

  get transcript(): Transcript {
    const { finals, partials, ids, best, all } = this;
    const words = finals.flatMap((final) => [...final.words]);
    const { shown, changed } = this.channel.partialWords;
    return {
      words,
      finals,
      partials,
      ids,
      best,
      all,
      finalsAtMs: this.#finalsAtMs,
      partialWords: { shown, changed },
    };
  }
}

/** A model in this process, without sockets and threads, behind the engine's own channels. */
export class Bench {
  readonly model: ModelDescription;
  readonly #recogniser: Recogniser;
  readonly #buffers: StepBuffers;

  static async load(model: ModelDescription): Promise<Bench> {
    return new Bench(model, await loadModel(model, ROWS, [1, 4, ROWS]));
  }

  private constructor(model: ModelDescription, recogniser: Recogniser) {
    this.model = model;
    this.#recogniser = recogniser;
    this.#buffers = shareBuffers(model, ROWS);
  }

  /** Each utterance as a channel of its own, in batches. @param model with other settings than it was loaded with */
  async transcribe(utterances: readonly Utterance[], model = this.model): Promise<Transcript[]> {
    const results: Transcript[] = [];
    for (let from = 0; from < utterances.length; from += ROWS) {
      const jobs = utterances
        .slice(from, from + ROWS)
        .map((one, row) => new Job(one, from + row, row, model));
      let open = jobs.filter((job) => job.advance());
      while (open.length > 0) {
        await this.#step(open);
        open = open.filter((job) => job.advance());
      }
      results.push(...jobs.map(({ transcript }) => transcript));
    }
    return results;
  }

  async #step(jobs: readonly Job[]): Promise<void> {
    const { framesPerChunk, timing } = this.model;
    const real = jobs.map(({ channel }, row) => {
      this.#buffers.full[row] = channel.wantsFull ? 1 : 0;
      return channel.fill(this.#buffers, row, timing.chunkSamples);
    });
    const size = [1, 4, ROWS].find((candidate) => candidate >= jobs.length) ?? ROWS;
    await this.#recogniser.step(this.#buffers, jobs.length, size);
    for (const [row, job] of jobs.entries()) job.take(this.#buffers, row, framesPerChunk, real[row]!);
  }
}
