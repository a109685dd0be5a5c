import type { ChannelId, ToLive } from '@earshot/contracts';
import { type Connection, Dialer } from '@earshot/platform';

type Partial = Extract<ToLive, { type: 'partial' }>;

/** A reader that is this far behind gets the newest partial of each channel only. */
const BACKED_UP_BYTES = 256 * 1024;

/**
 * The live bus to one dashboard-api: partials, newest only, and the wake-up after each commit. Nothing here is
 * durable: a reader that was away asks the call log.
 */
export class LiveBus {
  readonly #dialer: Dialer<never, ToLive>;
  readonly #held = new Map<ChannelId, Partial>();
  readonly #sent: (partial: Partial) => void;
  #loggedSeq = 0;
  #loggedHeld = false;
  #draining = false;

  /** @param sent is called as a partial goes out */
  constructor(path: string, sent: (partial: Partial) => void) {
    this.#sent = sent;
    this.#dialer = new Dialer<never, ToLive>(path, {
      open: (connection) => {
        if (this.#loggedSeq > 0) connection.send({ type: 'logged', seq: this.#loggedSeq });
      },
      message: () => undefined,
      lost: () => {
        this.#held.clear();
        this.#loggedHeld = false;
      },
    });
  }

  partial(channel: ChannelId, partial: Partial): void {
    const { connection } = this.#dialer;
    if (connection === null) return;
    if (this.#draining || connection.bufferedBytes > BACKED_UP_BYTES) {
      this.#held.set(channel, partial);
      this.#waitFor(connection);
      return;
    }
    connection.send(partial);
    this.#sent(partial);
  }

  /** A final took the channel's place: what is held of it is stale. */
  settled(channel: ChannelId): void {
    this.#held.delete(channel);
  }

  logged(seq: number): void {
    this.#loggedSeq = seq;
    const { connection } = this.#dialer;
    if (connection === null) return;
    if (this.#draining) this.#loggedHeld = true;
    else connection.send({ type: 'logged', seq });
  }

  close(): void {
    this.#dialer.close();
  }

  #waitFor(connection: Connection<never, ToLive>): void {
    if (this.#draining) return;
    this.#draining = true;
    void connection.drained().then(() => {
      this.#draining = false;
      if (this.#loggedHeld) this.logged(this.#loggedSeq);
      this.#loggedHeld = false;
      const held = [...this.#held];
      this.#held.clear();
      for (const [channel, partial] of held) this.partial(channel, partial);
    });
  }
}
