import {
  type CallId,
  type ChannelId,
  channelIdOf,
  DEFAULT_VAD,
  type Endpoint,
  monoUs,
  newSpeechJudge,
  type SpeechMarks,
  TICKS_PER_SECOND,
  type VadKind,
  type VocabularyPhrase,
  type Word,
} from '@earshot/contracts';
import { Engine } from '../engine/engine.ts';
import type { ChannelOwner, WordsSink } from '../engine/sink.ts';
import { StepThread } from '../engine/step-thread.ts';
import type { ModelDescription } from '../models/model.ts';
import { Gated, type Piece } from './gated.ts';
import type { AudioFile } from './audio-file.ts';

/** A stretch of words of a recording. Ticks of 1/8000 s from its beginning. */
export interface BatchSegment {
  /** Of the file, from 0. */
  readonly channel: number;
  readonly fromTick: number;
  readonly toTick: number;
  readonly endpoint: Endpoint;
  readonly words: readonly Word[];
}

const RECORDING = 'recording' as CallId;
/** A file has few channels, and they are not in step: small batches. */
const SIZES: readonly number[] = [1, 2, 4, 8];
const READ_TICKS = 2 * TICKS_PER_SECOND;
const TICK_MS = 50;

/**
 * Recognises all channels of a recording.
 * @param marks what was found to be speech while it was a call; null: it is found anew
 * @param vad how
 * @returns segments by channel and time
 * @throws Error when the model fails
 */
export async function recognise(
  file: AudioFile,
  model: ModelDescription,
  phrases: readonly VocabularyPhrase[],
  marks: SpeechMarks | null = null,
  vad: VadKind = DEFAULT_VAD,
): Promise<BatchSegment[]> {
  const sizes = SIZES.filter((_, i) => i === 0 || (SIZES[i - 1] ?? 0) < file.channels);
  const thread = await StepThread.start(model, file.channels, sizes);
  const channels = Array.from({ length: file.channels }, (_, index) => new BatchChannel(index));
  const byId = new Map(channels.map((channel) => [channel.id, channel]));
  const sink: WordsSink = {
    congested: true, // nobody looks at partials
    blocked: false,
    partial: () => undefined,
    final: (id, _attempt, { fromTick, toTick, endpoint, words }) => {
      if (words.length > 0)
        byId.get(id)?.segments.push({ channel: byId.get(id)!.index, fromTick, toTick, endpoint, words });
    },
    progress: () => undefined,
    ended: (id) => byId.get(id)?.finish(),
  };
  const owner: ChannelOwner = {
    credit: (id, _attempt, uptoTick) => byId.get(id)?.credit(uptoTick),
    lost: (id, _attempt, code) => byId.get(id)?.fail(new Error(`the engine gave a channel back: ${code}`)),
  };
  const engine = new Engine({
    model,
    thread,
    maxChannels: file.channels,
    sizes,
    sink,
    gatherMs: 0,
    nowMs: () => monoUs() / 1000,
    onStep: () => undefined,
    onFailure: (error) => {
      for (const channel of channels) channel.fail(error);
    },
  });
  const ticker = setInterval(() => engine.tick(), TICK_MS);
  try {
    await Promise.all(
      channels.map(async (channel) => {
        engine.open(
          {
            channel: channel.id,
            attempt: 1,
            fromTick: 0,
            outputFromTick: 0,
            live: false,
            maxDelayMs: null,
            phrases,
          },
          owner,
        );
        const gated = new Gated(marks?.channels[channel.index] ?? null, newSpeechJudge(vad));
        await feed(file, channel, engine, gated);
        await channel.finished;
      }),
    );
  } finally {
    clearInterval(ticker);
    engine.stop();
    await thread.close();
  }
  return channels.flatMap((channel) => channel.segments);
}

async function feed(file: AudioFile, channel: BatchChannel, engine: Engine, gated: Gated): Promise<void> {
  for (let from = 0; from < file.samples; from += READ_TICKS) {
    const samples = await file.read(channel.index, from, READ_TICKS);
    for (const piece of gated.push(samples, from + READ_TICKS >= file.samples))
      await send(piece, channel, engine);
  }
  engine.end(channel.id, 1, file.samples);
}

async function send(piece: Piece, channel: BatchChannel, engine: Engine): Promise<void> {
  if (piece.kind === 'audio') {
    const { from, samples } = piece;
    await channel.mayGoTo(from + samples.length);
    // Copied: as bytes in the order that this machine, like all that Node runs on, has.
    engine.audio(channel.id, 1, from, 0, new Uint8Array(samples.slice().buffer));
    return;
  }
  // A gap as long as the recording is cut to what there is credit for.
  for (let at = piece.from; at < piece.to;) {
    await channel.mayGoTo(at + 1);
    at = Math.min(piece.to, channel.creditTick);
    engine.gap(channel.id, 1, at);
  }
}

/** One channel of the file: how far it may be sent, and what was heard. */
class BatchChannel {
  readonly index: number;
  readonly id: ChannelId;
  readonly segments: BatchSegment[] = [];
  readonly finished: Promise<void>;
  creditTick = 0;
  finish: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #failure: Error | null = null;
  #wake: () => void = () => undefined;

  constructor(index: number) {
    this.index = index;
    this.id = channelIdOf(RECORDING, index);
    this.finished = new Promise((resolve, reject) => {
      this.finish = resolve;
      this.#reject = reject;
    });
    // Looked at once the channel is fed; a failure before that is thrown by mayGoTo.
    this.finished.catch(() => undefined);
  }

  credit(uptoTick: number): void {
    this.creditTick = Math.max(this.creditTick, uptoTick);
    this.#wake();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#reject(error);
    this.#wake();
  }

  /** Waits for credit. @throws the channel's failure */
  async mayGoTo(tick: number): Promise<void> {
    while (this.#failure === null && this.creditTick < tick) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failure !== null) throw this.#failure;
  }
}
