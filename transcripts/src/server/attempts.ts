import { type CallId, type FromCommit, type ToCommit, partsOfChannel } from '@earshot/contracts';
import type { Connection, Log } from '@earshot/platform';
import type { CallDocument } from '../document/call.ts';
import type { ChannelDocument } from '../document/channel.ts';

export type CommitConnection = Connection<ToCommit, FromCommit>;

/**
 * A database that neither takes nor refuses must not hold up a channel for long: going on from the accepted tick is
 * safe, because the finals before it are in our queue, and if we die too the worker asks again.
 */
const WAIT_LIMIT_MS = 2000;

export interface AttemptsDeps {
  readonly log: Log;
  readonly now: () => number;
  /** The database does not take what is queued. */
  readonly down: () => boolean;
  withCall(callId: CallId, use: (call: CallDocument) => void): void;
  /** The channel's fence is to be written soon. */
  fenced(call: CallDocument, channel: ChannelDocument): void;
  /** The end of the channel's timeline is known. */
  ended(call: CallDocument, channel: ChannelDocument): void;
}

/** The commit arrow: fences attempts, answers where to go on from, tells media workers what is durable. */
export class Attempts {
  readonly #deps: AttemptsDeps;
  /** The connection that announced a channel. */
  readonly #owners = new Map<ChannelDocument, CommitConnection>();
  /** Channels whose answer waits for what was taken of them to be in the database. */
  readonly #waiting = new Map<ChannelDocument, { connection: CommitConnection; sinceMs: number }>();

  constructor(deps: AttemptsDeps) {
    this.#deps = deps;
  }

  receive(connection: CommitConnection, message: ToCommit): void {
    if (message.type === 'hello') {
      this.#deps.log.info({ worker: message.worker, pid: message.pid }, 'media worker connected');
      connection.send({ type: 'hello', pid: process.pid });
      return;
    }
    let callId: CallId;
    try {
      ({ callId } = partsOfChannel(message.channel));
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'message for no channel');
      return;
    }
    this.#deps.withCall(callId, (call) => {
      const channel = call.channel(message.channel);
      this.#owners.set(channel, connection);
      if (message.type === 'attempt') this.#attempt(call, channel, connection, message.attempt);
      else this.#ended(call, channel, message.endTick);
    });
  }

  lost(connection: CommitConnection): void {
    for (const [channel, owner] of this.#owners) if (owner === connection) this.#owners.delete(channel);
    for (const [channel, asker] of this.#waiting)
      if (asker.connection === connection) this.#waiting.delete(channel);
  }

  /** Everything before the channel's committed tick is durable: the owner is told, and whoever waits for it. */
  committed(channel: ChannelDocument): void {
    this.#sayCommitted(channel);
    const waiting = this.#waiting.get(channel);
    if (waiting !== undefined && isDurable(channel)) this.#resume(channel, waiting.connection);
  }

  sweep(): void {
    for (const [channel, { connection, sinceMs }] of this.#waiting) {
      if (this.#deps.down() || this.#deps.now() - sinceMs >= WAIT_LIMIT_MS) this.#resume(channel, connection);
    }
  }

  forget(call: CallDocument): void {
    for (const channel of call.channels.values()) this.#owners.delete(channel);
  }

  #attempt(call: CallDocument, channel: ChannelDocument, connection: CommitConnection, asked: number): void {
    channel.raise(asked);
    this.#deps.fenced(call, channel);
    // What was taken of a call that is not started yet is not on its way into the database.
    if (isDurable(channel) || this.#deps.down() || !call.known) this.#resume(channel, connection);
    else this.#waiting.set(channel, { connection, sinceMs: this.#deps.now() });
  }

  #resume(channel: ChannelDocument, connection: CommitConnection): void {
    this.#waiting.delete(channel);
    connection.send({
      type: 'resume',
      channel: channel.channel,
      attempt: channel.attempt,
      tick: channel.acceptedTick,
    });
    // What was committed while the worker was away was not heard by it.
    if (channel.committedTick > 0) this.#sayCommitted(channel);
  }

  #ended(call: CallDocument, channel: ChannelDocument, endTick: number): void {
    channel.reportEnd(endTick);
    this.#deps.ended(call, channel);
    // Even when it is 0: a channel that received nothing is done with now.
    this.#sayCommitted(channel);
  }

  #sayCommitted(channel: ChannelDocument): void {
    this.#owners.get(channel)?.send({
      type: 'committed',
      channel: channel.channel,
      tick: channel.committedTick,
    });
  }
}

const isDurable = (channel: ChannelDocument): boolean => channel.committedTick >= channel.acceptedTick;
