import { sockets } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { join } from 'node:path';
import type { ChannelHost } from '../engine/channel-host.ts';
import type { WordsSink } from '../engine/sink.ts';
import { serveAudio } from './audio-server.ts';
import { Vocabulary } from './vocabulary.ts';
import { WordsLink } from './words-link.ts';

const TICK_MS = 100;
/**
 * While it drains an engine gives this share of the channels that it can carry back each second. Each comes to another with 4 s
 * to warm up and some more of an open segment, so that this is about half of what that one can do.
 */
const GIVEN_BACK_A_SECOND = 0.06;
/** All channels are given back by then, however many. */
const DRAIN_LIMIT_MS = 20_000;

export interface ServeHostOptions {
  /** Folder of the Unix sockets. */
  readonly runDir: string;
  readonly instance: number;
  /** Of the model, for hellos. */
  readonly model: string;
  /** Audio of a step, for media's hello. */
  readonly chunkMs: number;
  /** Channels that it can carry; left out where nobody knows: they are all given back at once. */
  readonly capacity?: number;
  /** For media's hello: a gap wipes out what the recogniser remembers. */
  readonly clearsAtGap?: boolean;
  readonly log: Log;
  /** Called once, before the sockets are opened. */
  readonly makeHost: (sink: WordsSink) => ChannelHost;
}

export interface ServedHost {
  /** No channel is taken any more. */
  readonly draining: boolean;
  /** Gives all channels back, by and by, and closes the sockets. The host is stopped, not closed: that is its maker's. */
  drain(): Promise<void>;
}

/**
 * Puts a channel host between its two sockets: media workers dial in on `audio`, its words go out on `words`. When the words
 * link breaks all channels are given back, and none is taken until it is there again.
 */
export async function serveHost(options: ServeHostOptions): Promise<ServedHost> {
  const { runDir, instance, model, chunkMs, log } = options;
  const vocabulary = new Vocabulary();
  let draining = false;
  const words = new WordsLink({
    path: join(runDir, sockets.words),
    hello: { type: 'hello', engine: instance, pid: process.pid, model },
    onUp: () => log.info('transcripts connected'),
    onLost: () => {
      log.warn({ channels: host.channelCount }, 'transcripts disconnected');
      host.loseAll('TRANSCRIPTS_LINK');
    },
    onDrained: () => host.resume(),
    onVocabulary: (lists) => {
      vocabulary.set(lists);
      log.info({ lists: vocabulary.listCount }, 'vocabulary lists received');
    },
    onFinalise: (channel) => host.finalise(channel),
  });
  const host = options.makeHost(words);
  const listener = await serveAudio({
    path: join(runDir, sockets.audio(instance)),
    host,
    hello: {
      type: 'hello',
      engine: instance,
      pid: process.pid,
      model,
      chunkMs,
      clearsAtGap: options.clearsAtGap ?? false,
    },
    // Without the vocabulary lists a channel would be opened without phrases, maybe for its whole call.
    refusal: () => {
      if (draining) return 'ENGINE_DRAINING';
      return words.up && vocabulary.known ? null : 'TRANSCRIPTS_LINK';
    },
    phrasesOf: (names) => vocabulary.phrasesOf(names),
    log,
  });
  const ticker = setInterval(() => host.tick(), TICK_MS);
  const giveBack = async (): Promise<void> => {
    const ticks = DRAIN_LIMIT_MS / TICK_MS;
    const least = ((options.capacity ?? Infinity) * GIVEN_BACK_A_SECOND * TICK_MS) / 1000;
    let due = 0;
    for (let left = ticks; host.channelCount > 0; left--) {
      due += Math.max(least, host.channelCount / Math.max(1, left));
      const count = Math.min(host.channelCount, Math.floor(due));
      host.lose(count, 'ENGINE_DRAINING');
      due -= count;
      if (host.channelCount > 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  };
  return {
    get draining() {
      return draining;
    },
    drain: async () => {
      draining = true;
      await giveBack();
      clearInterval(ticker);
      host.stop();
      words.close();
      await listener.close();
    },
  };
}
