import {
  type ChannelId,
  type FromCommit,
  type FromEngine,
  type ToCommit,
  type Word,
  sockets,
} from '@earshot/contracts';
import { type Connection, type Listener, listen } from '@earshot/platform';
import { join } from 'node:path';
import { WordsEnd } from './rig.ts';

/** A channel's transcript: of the current attempt, from the committed tick on. */
export class Transcript {
  attempt = 0;
  committedTick = 0;
  ended = false;
  readonly words: Word[] = [];
  /** How often it was opened again. */
  resumes = 0;
}

/** Stands where transcripts stands, between the engines' words and the media workers' commits: all is durable at once. */
export class TranscriptsEnd {
  readonly transcripts = new Map<ChannelId, Transcript>();
  readonly #owners = new Map<ChannelId, Connection<ToCommit, FromCommit>>();
  #words: WordsEnd | null = null;
  #listener: Listener | null = null;

  static async listen(runDir: string): Promise<TranscriptsEnd> {
    const end = new TranscriptsEnd();
    end.#words = await WordsEnd.listen(runDir);
    end.#words.keep = false;
    end.#words.onMessage = (message) => end.#said(message);
    end.#listener = await listen<ToCommit, FromCommit>(join(runDir, sockets.commit), (connection) => {
      connection.send({ type: 'hello', pid: process.pid });
      return { message: (message) => end.#asked(connection, message), close: () => undefined };
    });
    return end;
  }

  /** Engines that ever connected. */
  get engines(): number {
    return this.#words?.connections ?? 0;
  }

  of(channel: ChannelId): Transcript {
    const known = this.transcripts.get(channel);
    if (known !== undefined) return known;
    const made = new Transcript();
    this.transcripts.set(channel, made);
    return made;
  }

  async close(): Promise<void> {
    await this.#words?.close();
    await this.#listener?.close();
  }

  #asked(connection: Connection<ToCommit, FromCommit>, message: ToCommit): void {
    if (message.type !== 'attempt') return;
    const { channel } = message;
    const transcript = this.of(channel);
    this.#owners.set(channel, connection);
    if (transcript.attempt > 0) transcript.resumes++;
    transcript.attempt = Math.max(message.attempt, transcript.attempt + 1);
    const { attempt, committedTick: tick } = transcript;
    connection.send({ type: 'resume', channel, attempt, tick });
    if (tick > 0) connection.send({ type: 'committed', channel, tick });
  }

  #said(message: FromEngine): void {
    if (message.type === 'hello' || message.type === 'partial') return;
    const { channel } = message;
    const transcript = this.of(channel);
    if (message.attempt !== transcript.attempt) return;
    const before = transcript.committedTick;
    if (message.type === 'final') {
      if (message.fromTick < before) return;
      transcript.words.push(...message.words);
      transcript.committedTick = message.toTick;
    } else if (message.type === 'progress') {
      transcript.committedTick = Math.max(before, message.settledTick);
    } else transcript.ended = true;
    const { committedTick: tick } = transcript;
    if (tick > before) this.#owners.get(channel)?.send({ type: 'committed', channel, tick });
  }
}
