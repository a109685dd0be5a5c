import { join } from 'node:path';
import {
  type ChannelId,
  type FromAsr,
  type FromCommit,
  sockets,
  type ToAsr,
  type ToCommit,
} from '@earshot/contracts';
import { listen, type Listener } from '../../../platform/src/index.ts';

/** As an engine's chunk and its credit: an answer each 300 ms of audio, 3 s ahead. */
const ANSWER_TICKS = 2400;
const AHEAD_TICKS = 24_000;
const COMMIT_TICKS = 8000;

/**
 * Takes what the workers feed, as an engine and transcripts would, and understands nothing: so that feeding is part of what is
 * measured, and recognition is not.
 */
export class Sink {
  /** Ticks that were sent as audio, and those that were left out as gaps. */
  audioTicks = 0;
  gapTicks = 0;
  readonly #at = new Map<ChannelId, { at: number; answered: number; committed: number }>();
  readonly #listeners: Listener[] = [];
  readonly #commits = new Set<(message: FromCommit) => void>();

  static async start(runDir: string): Promise<Sink> {
    const sink = new Sink();
    const engine = await listen<ToAsr, FromAsr>(join(runDir, sockets.audio(0)), (connection) => {
      connection.send({ type: 'hello', engine: 0, pid: process.pid, model: 'none', chunkMs: 300 });
      return {
        message: (message, body) => sink.#heard(message, body, (credit) => void connection.send(credit)),
        close: () => undefined,
      };
    });
    const commit = await listen<ToCommit, FromCommit>(join(runDir, sockets.commit), (connection) => {
      const send = (message: FromCommit): void => void connection.send(message);
      sink.#commits.add(send);
      send({ type: 'hello', pid: process.pid });
      return {
        message: (message) => sink.#asked(message, send),
        close: () => void sink.#commits.delete(send),
      };
    });
    sink.#listeners.push(engine, commit);
    return sink;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #heard(message: ToAsr, body: Uint8Array, send: (message: FromAsr) => void): void {
    const { channel, attempt } = message;
    if (message.type === 'close') return;
    const state = this.#at.get(channel) ?? { at: 0, answered: -Infinity, committed: 0 };
    this.#at.set(channel, state);
    if (message.type === 'open') {
      state.at = message.fromTick;
      state.answered = -Infinity;
    } else if (message.type === 'audio') {
      const ticks = body.length >> 1;
      this.audioTicks += ticks;
      state.at = message.startTick + ticks;
    } else if (message.type === 'gap') {
      this.gapTicks += message.toTick - state.at;
      state.at = message.toTick;
    }
    if (message.type === 'end' || state.at - state.committed >= COMMIT_TICKS) {
      state.committed = state.at;
      for (const tell of this.#commits) tell({ type: 'committed', channel, tick: state.at });
    }
    if (state.at - state.answered < ANSWER_TICKS) return;
    state.answered = state.at;
    send({
      type: 'credit',
      channel,
      attempt,
      uptoTick: state.at + AHEAD_TICKS,
      decidedTick: state.at,
    });
  }

  #asked(message: ToCommit, send: (message: FromCommit) => void): void {
    if (message.type !== 'attempt') return;
    const tick = this.#at.get(message.channel)?.committed ?? 0;
    send({ type: 'resume', channel: message.channel, attempt: message.attempt, tick });
  }
}
