import { type ChannelId, EarshotError, type Leg } from '@earshot/contracts';
import { type HostLink, LendError, type LentSocket, type Log } from '@earshot/platform';
import type { LentPair } from './sockets.ts';

/** The channels' sockets, from host: those lent to the predecessor first, others when they are asked for. */
export class Lender {
  readonly #host: HostLink;
  readonly #log: Log;
  /** Lent to the predecessor, and claimed by no leg so far. */
  readonly #unclaimed = new Map<ChannelId, { rtp?: LentSocket; rtcp?: LentSocket }>();

  constructor(host: HostLink, log: Log) {
    this.#host = host;
    this.#log = log;
    for (const lent of host.lentAtStart) {
      if (lent.channel === null || (lent.kind !== 'rtp' && lent.kind !== 'rtcp')) continue;
      const pair = this.#unclaimed.get(lent.channel) ?? {};
      pair[lent.kind] = lent;
      this.#unclaimed.set(lent.channel, pair);
    }
  }

  /** All of a leg's sockets, or none. @throws EarshotError RTP_PORTS_EXHAUSTED, MEDIA_UNAVAILABLE */
  async all(leg: Leg): Promise<Map<ChannelId, LentPair>> {
    const ids = leg.channels.map((channel) => channel.channel);
    const lendOne = (id: ChannelId): Promise<LentPair> => this.#inherited(id) ?? this.#ask(id, leg);
    const results = await Promise.allSettled(ids.map(lendOne));
    const failure = results.find((result) => result.status === 'rejected');
    const lent = new Map<ChannelId, LentPair>();
    results.forEach((result, i) => {
      if (result.status === 'fulfilled') lent.set(ids[i]!, result.value);
    });
    if (failure === undefined) return lent;
    this.giveBack(lent);
    const error = failure.reason as Error;
    const exhausted = error instanceof LendError && error.code === 'RTP_PORTS_EXHAUSTED';
    const code = exhausted ? 'RTP_PORTS_EXHAUSTED' : 'MEDIA_UNAVAILABLE';
    throw new EarshotError(code, error.message, { cause: error });
  }

  /** Sockets that nobody reads and no leg is to have. */
  giveBack(sockets: ReadonlyMap<ChannelId, LentPair>): void {
    for (const [id, pair] of sockets) this.#discard(id, pair);
  }

  /**
   * As many of an adopted leg's sockets as can be had: those that host kept, or, of an earlier run of host, others on the same ports.
   * On a channel without one nothing is heard; on other ports it would be the packets of other calls.
   */
  async some(leg: Leg): Promise<Map<ChannelId, LentPair>> {
    const lent = new Map<ChannelId, LentPair>();
    const lendOne = async (channel: ChannelId): Promise<void> => {
      try {
        const inherited = this.#inherited(channel);
        if (inherited === null && leg.ports === undefined)
          throw new EarshotError('MEDIA_UNAVAILABLE', 'nobody knows its port');
        lent.set(channel, await (inherited ?? this.#ask(channel, leg)));
      } catch (error) {
        this.#log.error({ err: error, channel }, 'no socket for an adopted channel');
      }
    };
    await Promise.all(leg.channels.map(({ channel }) => lendOne(channel)));
    return lent;
  }

  /** Gives back what the predecessor had and no leg claims. */
  returnUnclaimed(): void {
    for (const [channel, pair] of this.#unclaimed) this.#discard(channel, pair);
    this.#unclaimed.clear();
  }

  /** What host lent to the predecessor for the channel; null where it lent nothing. */
  #inherited(channel: ChannelId): Promise<LentPair> | null {
    const pair = this.#unclaimed.get(channel);
    this.#unclaimed.delete(channel);
    if (pair?.rtp === undefined || pair.rtcp === undefined) return null;
    return Promise.resolve({ rtp: pair.rtp, rtcp: pair.rtcp });
  }

  #ask(channel: ChannelId, { ports }: Leg): Promise<LentPair> {
    return this.#host.lend(channel, ports?.find((known) => known.channel === channel)?.rtpPort);
  }

  #discard(channel: ChannelId, pair: { rtp?: LentSocket; rtcp?: LentSocket }): void {
    // Our end of a raw handle that no dgram socket was made of.
    for (const lent of [pair.rtp, pair.rtcp]) (lent?.handle as { close(): void } | undefined)?.close();
    this.#host.giveBack(channel);
  }
}
