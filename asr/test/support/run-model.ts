import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CtcCollapse } from '../../src/decode/ctc.ts';
import { shareBuffers } from '../../src/engine/shared-step.ts';
import { describeModel, loadModel } from '../../src/models/folder.ts';
import type { ModelDescription, Recogniser, StepBuffers } from '../../src/models/model.ts';

/** A token and the frame (of the network's output) that it came in. */
export interface Emission {
  readonly symbol: string;
  readonly frame: number;
}

/** A stream that is being recognised: which channel's state it has and how far it is. */
interface Stream {
  readonly channel: number;
  readonly pcm: Int16Array;
  at: number;
  readonly ids: number[];
}

/** A loaded model and its buffers; streams are stepped in any company. */
export class ModelRun {
  readonly description: ModelDescription;
  readonly buffers: StepBuffers;
  readonly #recogniser: Recogniser;
  readonly #symbols: readonly string[];

  static async load(folder: string, maxChannels: number, sizes: readonly number[]): Promise<ModelRun> {
    const description = describeModel(folder);
    return new ModelRun(description, await loadModel(description, maxChannels, sizes), Math.max(...sizes));
  }

  private constructor(description: ModelDescription, recogniser: Recogniser, capacity: number) {
    this.description = description;
    this.#recogniser = recogniser;
    this.buffers = shareBuffers(description, capacity);
    this.#symbols = symbolsOf(description.folder);
  }

  open(channel: number, pcm: Int16Array): Stream {
    return { channel, pcm, at: 0, ids: [] };
  }

  /** Takes each of the streams one chunk on, in this order of rows, in a batch of `size`. */
  async step(streams: readonly Stream[], size: number): Promise<void> {
    const { framesPerChunk, timing } = this.description;
    streams.forEach((stream, row) => {
      this.buffers.channels[row] = stream.channel;
      this.buffers.fresh[row] = stream.at === 0 ? 1 : 0;
      const chunk = stream.pcm.subarray(stream.at, stream.at + timing.chunkSamples);
      this.buffers.pcm.fill(0, row * timing.chunkSamples, (row + 1) * timing.chunkSamples);
      this.buffers.pcm.set(chunk, row * timing.chunkSamples);
      stream.at += timing.chunkSamples;
    });
    await this.#recogniser.step(this.buffers, streams.length, size);
    streams.forEach((stream, row) => {
      const at = row * framesPerChunk;
      stream.ids.push(...this.buffers.ids.subarray(at, at + framesPerChunk));
    });
  }

  /** A stream from its beginning to its end, alone. */
  async alone(channel: number, pcm: Int16Array): Promise<Emission[]> {
    const stream = this.open(channel, pcm);
    while (stream.at < pcm.length) await this.step([stream], 1);
    return this.emissions(stream, 1);
  }

  /** @param slots how many ids a frame of the network has */
  emissions(stream: Stream, slots: number): Emission[] {
    const collapse = new CtcCollapse(this.description.blank);
    return stream.ids.flatMap((id, i) => {
      const kind = collapse.next(id);
      const counts = kind === 'token' || (kind === 'repeat' && this.description.repeats === 'each');
      return counts ? [{ symbol: this.#symbols[id]!, frame: Math.floor(i / slots) }] : [];
    });
  }
}

/** Symbols as sherpa-onnx shows them: a space for the word mark. */
function symbolsOf(folder: string): string[] {
  const symbols: string[] = [];
  for (const line of readFileSync(join(folder, 'tokens.txt'), 'utf8').split('\n')) {
    const space = line.lastIndexOf(' ');
    if (space < 0) continue;
    symbols[Number(line.slice(space + 1))] = space === 0 ? ' ' : line.slice(0, space).replace('\u2581', ' ');
  }
  return symbols;
}
