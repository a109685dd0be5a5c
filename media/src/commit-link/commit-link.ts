import {
  type CallId,
  type ChannelId,
  type FromCommit,
  type LedgerPart,
  type RecognitionState,
  sockets,
  type ToCommit,
} from '@earshot/contracts';
import { Dialer } from '@earshot/platform';
import { join } from 'node:path';

export interface CommitEvents {
  /** The link is there (again): whoever waits for something asks again. */
  connected(): void;
  resume(channel: ChannelId, attempt: number, tick: number): void;
  committed(channel: ChannelId, tick: number): void;
}

/** Who tells the ledgers. */
export interface LedgerEvents {
  connected(): void;
  ledgered(channel: ChannelId, toTick: number): void;
}

/** The link to transcripts. Nothing is queued while it is down: `connected` starts everything over. */
export class CommitLink {
  /** Asked before the other events: a ledger is told before its channel's end. */
  ledgers: LedgerEvents | null = null;
  readonly #dialer: Dialer<FromCommit, ToCommit>;

  constructor(runDir: string, worker: number, events: CommitEvents) {
    this.#dialer = new Dialer<FromCommit, ToCommit>(join(runDir, sockets.commit), {
      open: (connection) => {
        connection.send({ type: 'hello', worker, pid: process.pid });
        this.ledgers?.connected();
        events.connected();
      },
      message: (message) => {
        if (message.type === 'resume') events.resume(message.channel, message.attempt, message.tick);
        else if (message.type === 'committed') events.committed(message.channel, message.tick);
        else if (message.type === 'ledgered') this.ledgers?.ledgered(message.channel, message.toTick);
      },
      lost: () => undefined,
    });
  }

  attempt(channel: ChannelId, attempt: number): void {
    this.#dialer.send({ type: 'attempt', channel, attempt });
  }

  ended(channel: ChannelId, endTick: number): void {
    this.#dialer.send({ type: 'ended', channel, endTick });
  }

  /** @returns false when there is no link */
  ledger(channel: ChannelId, fill: boolean, part: LedgerPart): boolean {
    return this.#send({ type: 'ledger', channel, fill, ...part });
  }

  /** It is to be said again when there is a link. */
  recognition(callId: CallId, state: RecognitionState): void {
    this.#send({ type: 'recognition', callId, state });
  }

  /** @returns false when there is no link */
  media(channel: ChannelId, state: 'missing' | 'present', tick: number): boolean {
    return this.#send({ type: 'media', channel, state, tick });
  }

  /** @returns false when there is no link */
  disk(channel: ChannelId, state: 'low' | 'full' | 'writable', tick: number): boolean {
    return this.#send({ type: 'disk', channel, state, tick });
  }

  #send(message: ToCommit): boolean {
    if (this.#dialer.connection === null) return false;
    this.#dialer.send(message);
    return true;
  }

  close(): void {
    this.#dialer.close();
  }
}
