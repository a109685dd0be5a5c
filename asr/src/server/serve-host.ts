import { sockets } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { join } from 'node:path';
import type { ChannelHost } from '../engine/channel-host.ts';
import type { WordsSink } from '../engine/sink.ts';
import { serveAudio } from './audio-server.ts';
import { Vocabulary } from './vocabulary.ts';
import { WordsLink } from './words-link.ts';

const TICK_MS = 100;

export interface ServeHostOptions {
  /** Folder of the Unix sockets. */
  readonly runDir: string;
  readonly instance: number;
  /** Of the model, for hellos. */
  readonly model: string;
  /** Audio of a step, for media's hello. */
  readonly chunkMs: number;
  readonly log: Log;
  /** Called once, before the sockets are opened. */
  readonly makeHost: (sink: WordsSink) => ChannelHost;
}

export interface ServedHost {
  /** Gives all channels back and closes the sockets. The host is stopped, not closed: that is its maker's. */
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
    hello: { type: 'hello', engine: instance, pid: process.pid, model, chunkMs },
    // Without the vocabulary lists a channel would be opened without phrases, maybe for its whole call.
    wordsUp: () => words.up && vocabulary.known && !draining,
    phrasesOf: (names) => vocabulary.phrasesOf(names),
    log,
  });
  const ticker = setInterval(() => host.tick(), TICK_MS);
  return {
    drain: async () => {
      draining = true;
      clearInterval(ticker);
      host.stop();
      host.loseAll('ENGINE_DRAINING');
      words.close();
      await listener.close();
    },
  };
}
