import { type CallId, type FromCommit, type ToCommit, partsOfChannel } from '@earshot/contracts';
import type { Connection, Log } from '@earshot/platform';
import type { CallDocument } from '../document/call.ts';
import type { ChannelDocument } from '../document/channel.ts';
import type { Ledgers } from './ledgers.ts';

export type CommitConnection = Connection<ToCommit, FromCommit>;

/**
 * A database that neither takes nor refuses must not hold up a channel for long: going on from the accepted tick is
 * safe, because the finals before it are in our queue, and if we die too the worker asks again.
 */
const WAIT_LIMIT_MS = 2000;

export interface AttemptsDeps {
  readonly log: Log;
  readonly ledgers: Ledgers;
  readonly now: () => number;
  /** The database does not take what is queued. */
  readonly down: () => boolean;
  withCall(callId: CallId, use: (call: CallDocument) => void): void;
  /** The channel's fence is to be written soon. */
  fenced(call: CallDocument, channel: ChannelDocument): void;
  /** The end of the channel's timeline is known. */
  ended(call: CallDocument, channel: ChannelDocument): void;
}

/** The commit arrow: fences attempts, hands on ledgers, answers where to go on from, tells media workers what is durable. */
export class Attempts {
  readonly #deps: AttemptsDeps;
  /** Which process each connection is of. */
  readonly #pids = new WeakMap<CommitConnection, number>();
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
      this.#pids.set(connection, message.pid);
      connection.send({ type: 'hello', pid: process.pid });
      return;
    }
    if (message.type === 'recognition') {
      this.#deps.withCall(message.callId, (call) => this.#deps.ledgers.recognition(call, message.state));
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
      switch (message.type) {
        case 'attempt':
          this.#attempt(call, channel, connection, message.attempt);
          break;
        case 'ended':
          this.#ended(call, channel, connection, message.endTick);
          break;
        case 'ledger':
          this.#deps.ledgers.part(call, channel, message, this.#pids.get(connection) ?? 0, () => {
            connection.send({ type: 'ledgered', channel: message.channel, toTick: message.toTick });
          });
          break;
        case 'media':
        case 'disk':
          this.#deps.ledgers.state(call, channel, message);
          break;
      }
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

  /**
   * The media workers of a call are to announce its channels again. As after a restart of ours: their links are broken,
   * and all their channels begin anew from what is committed.
   */
  askAgain(call: CallDocument): void {
    const owners = new Set([...call.channels.values()].flatMap((channel) => this.#owners.get(channel) ?? []));
    for (const owner of owners) owner.destroy();
  }

  /** Another connection than this one that announced the channel and is there still. */
  #otherOwner(channel: ChannelDocument, connection: CommitConnection): CommitConnection | null {
    const owner = this.#owners.get(channel);
    return owner === undefined || owner === connection || owner.closed ? null : owner;
  }

  #attempt(call: CallDocument, channel: ChannelDocument, connection: CommitConnection, asked: number): void {
    // The last to announce a channel has it: the one before is fenced out, and has it again when it announces again.
    if (this.#otherOwner(channel, connection) !== null) {
      channel.contest();
      this.#deps.log.warn(
        { channel: channel.channel, from: channel.attempt },
        'channel changes between two live media workers: both have its leg',
      );
    }
    this.#owners.set(channel, connection);
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

  #ended(call: CallDocument, channel: ChannelDocument, connection: CommitConnection, endTick: number): void {
    if (this.#otherOwner(channel, connection) !== null) {
      this.#deps.log.warn(
        { channel: channel.channel },
        'end of a channel from a media worker that has it no more',
      );
      channel.alsoEnds(endTick);
    } else {
      this.#owners.set(channel, connection);
      channel.reportEnd(endTick);
    }
    this.#deps.ended(call, channel);
    // At once when the log has this end already; else it is said when the log has it. Nothing is written of a call that
    // is unknown, maybe for ever because its INVITE was given up: a channel of it that received nothing is done with.
    this.#sayCommitted(channel, call.known);
  }

  #sayCommitted(channel: ChannelDocument, inLog = true): void {
    const tick = inLog ? channel.tellableTick : channel.committedTick;
    if (tick === null) return;
    this.#owners.get(channel)?.send({ type: 'committed', channel: channel.channel, tick });
  }
}

const isDurable = (channel: ChannelDocument): boolean => channel.committedTick >= channel.acceptedTick;
