import { type ChannelId, type FromCommit, sockets, type ToCommit } from '@earshot/contracts';
import { Dialer } from '@earshot/platform';
import { join } from 'node:path';

export interface CommitEvents {
  /** The link is there (again): whoever waits for something asks again. */
  connected(): void;
  resume(channel: ChannelId, attempt: number, tick: number): void;
  committed(channel: ChannelId, tick: number): void;
}

/** The link to transcripts. Nothing is queued while it is down: `connected` starts everything over. */
export class CommitLink {
  readonly #dialer: Dialer<FromCommit, ToCommit>;

  constructor(runDir: string, worker: number, events: CommitEvents) {
    this.#dialer = new Dialer<FromCommit, ToCommit>(join(runDir, sockets.commit), {
      open: (connection) => {
        connection.send({ type: 'hello', worker, pid: process.pid });
        events.connected();
      },
      message: (message) => {
        if (message.type === 'resume') events.resume(message.channel, message.attempt, message.tick);
        else if (message.type === 'committed') events.committed(message.channel, message.tick);
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

  close(): void {
    this.#dialer.close();
  }
}
