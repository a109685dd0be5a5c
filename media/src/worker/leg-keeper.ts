import {
  type ChannelId,
  type ChannelPorts,
  type ChannelTotals,
  EarshotError,
  type Leg,
  type LegId,
} from '@earshot/contracts';
import { type HostLink, LendError, type LentSocket, type Log } from '@earshot/platform';
import type { AsrLink } from '../asr-link/asr-link.ts';
import { Channel } from '../leg/channel.ts';
import type { LegRecord } from '../spool/leg-file.ts';
import type { Wal } from '../spool/wal.ts';
import { nowUs } from './clock.ts';
import { MediaLeg } from './media-leg.ts';
import type { MediaMetrics } from './metrics.ts';
import { type Inheritance, replayWal, restoreFromBlocks } from './restore.ts';
import { ChannelSockets, discard, type LentPair } from './sockets.ts';
import type { SpoolRoom } from './spool-room.ts';

/** A disk that hangs must not hold up the end of a call for longer. */
const FLUSH_LIMIT_MS = 2000;
const ATTEMPTS_OF_A_PROCESS = 1000;

export interface KeeperParts {
  readonly host: HostLink;
  readonly spool: SpoolRoom;
  readonly wal: Wal;
  readonly metrics: MediaMetrics;
  readonly log: Log;
  /** Since when sockets are read without a stall. */
  dryUs(): number;
}

/** The legs of this worker, from open (or adopted) to committed. */
export class LegKeeper {
  readonly legs = new Map<LegId, MediaLeg>();
  readonly #byChannel = new Map<ChannelId, { leg: MediaLeg; channel: Channel }>();
  readonly #opening = new Set<LegId>();
  readonly #parts: KeeperParts;
  /** Sockets lent to the predecessor that no leg has claimed. */
  readonly #unclaimed = new Map<ChannelId, { rtp?: LentSocket; rtcp?: LentSocket }>();
  #asr: AsrLink | null = null;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    for (const lent of parts.host.lentAtStart) {
      if (lent.channel === null || (lent.kind !== 'rtp' && lent.kind !== 'rtcp')) continue;
      const pair = this.#unclaimed.get(lent.channel) ?? {};
      pair[lent.kind] = lent;
      this.#unclaimed.set(lent.channel, pair);
    }
  }

  /** Set once, before anything is opened. */
  set asr(link: AsrLink) {
    this.#asr = link;
  }

  /** Up to which arrival a channel's packets are in its files; Infinity for one that is gone. */
  coveredUs(id: ChannelId): number {
    return this.#byChannel.get(id)?.channel.coveredUs ?? Infinity;
  }

  get channelCount(): number {
    return this.#byChannel.size;
  }

  /** Each turn. */
  advance(now: number): void {
    const dryUs = this.#parts.dryUs();
    for (const leg of this.legs.values()) {
      if (leg.state !== 'open') continue;
      for (const channel of leg.channels) channel.advance(now, dryUs);
    }
  }

  gatewayConnected(): void {
    for (const leg of this.legs.values()) leg.timeoutTold = false;
  }

  /** @throws EarshotError REQUEST_INVALID when the leg is here already, RTP_PORTS_EXHAUSTED */
  async open(leg: Leg): Promise<readonly ChannelPorts[]> {
    if (this.legs.has(leg.legId) || this.#opening.has(leg.legId)) {
      throw new EarshotError('REQUEST_INVALID', `leg ${leg.legId} is open already`);
    }
    this.#opening.add(leg.legId);
    try {
      const mediaLeg = this.#newLeg(leg);
      const sockets = await this.#lendAll(leg);
      // Read before the gateway is told the ports: nothing can come before, and a lent socket may have a backlog.
      this.#attach(mediaLeg, sockets);
      this.legs.set(leg.legId, mediaLeg);
      await this.#save(mediaLeg);
      for (const channel of mediaLeg.channels) this.#recognise(mediaLeg, channel);
      this.#parts.log.info({ legId: leg.legId, channels: mediaLeg.channels.map(String) }, 'leg opened');
      return portsOf(mediaLeg);
    } catch (error) {
      for (const { channel } of leg.channels) this.#byChannel.delete(channel);
      throw error;
    } finally {
      this.#opening.delete(leg.legId);
    }
  }

  /** @throws EarshotError CALL_NOT_FOUND */
  async update(leg: Leg): Promise<void> {
    const mediaLeg = this.#known(leg.legId);
    const now = nowUs();
    mediaLeg.leg = leg;
    for (const update of leg.channels) {
      mediaLeg.channels.find((channel) => channel.id === update.channel)?.update(update, now);
    }
    this.#confirm(mediaLeg);
    await this.#save(mediaLeg);
  }

  /** Closing a leg again gives the same answer, until it is forgotten. @throws EarshotError CALL_NOT_FOUND */
  close(legId: LegId): Promise<readonly ChannelTotals[]> {
    const leg = this.legs.get(legId) ?? this.#known(legId);
    leg.ending ??= this.#end(leg);
    return leg.ending;
  }

  async #end(leg: MediaLeg): Promise<readonly ChannelTotals[]> {
    const { legId } = leg.leg;
    leg.state = 'closing';
    await Promise.all([...leg.sockets.values()].map((sockets) => sockets.readDry()));
    const now = nowUs();
    for (const channel of leg.channels) channel.finish(now, this.#parts.dryUs());
    leg.totals = leg.channels.map((channel) => channel.totals());
    for (const [channel, sockets] of leg.sockets) {
      sockets.close();
      this.#parts.host.giveBack(channel);
    }
    leg.sockets.clear();
    await this.#flush(leg);
    await this.#save(leg);
    leg.state = 'closed';
    for (const channel of leg.channels) {
      this.#parts.metrics.channel(channel);
      this.#asr?.ended(channel.id, channel.timeline.endTick);
    }
    this.#parts.log.info({ legId, totals: leg.totals }, 'leg closed');
    return leg.totals;
  }

  /** Brings the worker to what the gateway has: what it does not list is closed, what is not here is opened. */
  async sync(legs: readonly Leg[]): Promise<void> {
    const listed = new Map(legs.map((leg) => [leg.legId, leg]));
    const work: Promise<unknown>[] = [];
    for (const leg of this.legs.values()) {
      const wanted = listed.get(leg.leg.legId);
      if (leg.state !== 'open') continue;
      work.push(wanted === undefined ? this.close(leg.leg.legId) : this.update(wanted));
    }
    for (const leg of legs) {
      if (!this.legs.has(leg.legId) && !this.#opening.has(leg.legId)) work.push(this.open(leg));
    }
    for (const result of await Promise.allSettled(work)) {
      if (result.status === 'rejected') {
        this.#parts.log.error({ err: result.reason as Error }, 'leg could not be brought in line');
      }
    }
    for (const [channel, { rtp, rtcp }] of this.#unclaimed) {
      if (rtp !== undefined) discard(rtp);
      if (rtcp !== undefined) discard(rtcp);
      this.#parts.host.giveBack(channel);
    }
    this.#unclaimed.clear();
  }

  /** Takes over what a predecessor left; see restore.ts. */
  async adopt(inheritance: Inheritance): Promise<void> {
    const { spool, wal, log, metrics } = this.#parts;
    const restored: { channel: Channel; last: Awaited<ReturnType<typeof restoreFromBlocks>> }[] = [];
    for (const record of inheritance.legs) {
      const leg = this.#newLeg(record.leg);
      this.legs.set(record.leg.legId, leg);
      if (record.closed !== null) {
        restoreClosed(leg, record.closed);
        continue;
      }
      for (const channel of leg.channels) {
        channel.confirmed = false;
        const last = await restoreFromBlocks(channel, spool.folder, record, log);
        metrics.adopted(channel);
        restored.push({ channel, last });
      }
    }
    const { packets } = await replayWal(inheritance, restored, wal, log);
    for (const record of inheritance.legs) {
      const leg = this.legs.get(record.leg.legId)!;
      const now = nowUs();
      for (const channel of leg.channels) channel.lastArrivalUs = now;
      leg.firstAttempt = nextGeneration(Object.values(record.attempts));
      await this.#save(leg);
      if (record.closed === null) this.#attach(leg, await this.#lendSome(record.leg));
      for (const channel of leg.channels) {
        this.#recognise(leg, channel);
        if (record.closed !== null) this.#asr?.ended(channel.id, channel.timeline.endTick);
      }
    }
    if (inheritance.legs.length > 0) {
      log.info(
        { legs: inheritance.legs.length, channels: restored.length, packets },
        'took over from a predecessor',
      );
    }
  }

  /** A channel is committed to its end. */
  settled(id: ChannelId): void {
    const entry = this.#byChannel.get(id);
    if (entry === undefined) return;
    const { leg } = entry;
    leg.unsettled.delete(id);
    if (leg.unsettled.size > 0) return;
    this.legs.delete(leg.leg.legId);
    for (const channel of leg.channels) {
      this.#byChannel.delete(channel.id);
      this.#asr?.remove(channel.id);
    }
    const last = ![...this.legs.values()].some((other) => other.leg.callId === leg.leg.callId);
    void this.#parts.spool.forgetLeg(leg.leg, last);
  }

  committed(id: ChannelId, neededTick: number): void {
    const entry = this.#byChannel.get(id);
    if (entry === undefined || entry.leg.leg.record || neededTick <= 0) return;
    if (entry.channel.mayDropFiles(neededTick)) {
      void this.#parts.spool.dropFiles(entry.leg.leg, entry.channel, neededTick);
    }
  }

  #known(legId: LegId): MediaLeg {
    const leg = this.legs.get(legId);
    if (leg?.state !== 'open') throw new EarshotError('CALL_NOT_FOUND', `leg ${legId} is not on this worker`);
    return leg;
  }

  #newLeg(leg: Leg): MediaLeg {
    const now = nowUs();
    const channels = leg.channels.map((each) => {
      const index = Number(each.channel.slice(each.channel.lastIndexOf(':') + 1));
      return new Channel(each, leg.zero, this.#parts.spool.writerFor(leg, index), this.#parts.wal, now);
    });
    const mediaLeg = new MediaLeg(leg, channels);
    for (const channel of channels) this.#byChannel.set(channel.id, { leg: mediaLeg, channel });
    return mediaLeg;
  }

  #recognise(leg: MediaLeg, channel: Channel): void {
    this.#asr?.add(channel, this.#parts.spool.windowsFor(leg.leg, channel.index), leg.firstAttempt);
  }

  #attach(leg: MediaLeg, sockets: ReadonlyMap<ChannelId, LentPair>): void {
    for (const channel of leg.channels) {
      const pair = sockets.get(channel.id);
      if (pair === undefined) continue;
      leg.sockets.set(
        channel.id,
        new ChannelSockets(
          pair,
          (datagram, address, port, arrivalUs) => channel.receive(datagram, address, port, arrivalUs),
          this.#parts.log,
        ),
      );
    }
  }

  #confirm(leg: MediaLeg): void {
    for (const channel of leg.channels) channel.confirmed = true;
  }

  /** All of a leg's sockets, or none. @throws EarshotError RTP_PORTS_EXHAUSTED, MEDIA_UNAVAILABLE */
  async #lendAll(leg: Leg): Promise<Map<ChannelId, LentPair>> {
    const ids = leg.channels.map((channel) => channel.channel);
    const results = await Promise.allSettled(ids.map((id) => this.#lend(id)));
    const failure = results.find((result) => result.status === 'rejected');
    const lent = new Map<ChannelId, LentPair>();
    results.forEach((result, i) => {
      if (result.status === 'fulfilled') lent.set(ids[i]!, result.value);
    });
    if (failure === undefined) return lent;
    for (const [id, pair] of lent) {
      discard(pair.rtp);
      discard(pair.rtcp);
      this.#parts.host.giveBack(id);
    }
    const error = failure.reason as Error;
    const exhausted = error instanceof LendError && error.code === 'RTP_PORTS_EXHAUSTED';
    throw new EarshotError(exhausted ? 'RTP_PORTS_EXHAUSTED' : 'MEDIA_UNAVAILABLE', error.message, {
      cause: error,
    });
  }

  /** As many of an adopted leg's sockets as there are: a channel without one ends by its time-out. */
  async #lendSome(leg: Leg): Promise<Map<ChannelId, LentPair>> {
    const lent = new Map<ChannelId, LentPair>();
    await Promise.all(
      leg.channels.map(async ({ channel }) => {
        try {
          lent.set(channel, await this.#lend(channel));
        } catch (error) {
          this.#parts.log.error({ err: error, channel }, 'no socket for an adopted channel');
        }
      }),
    );
    return lent;
  }

  async #lend(channel: ChannelId): Promise<LentPair> {
    const pair = this.#unclaimed.get(channel);
    this.#unclaimed.delete(channel);
    if (pair?.rtp !== undefined && pair.rtcp !== undefined) return { rtp: pair.rtp, rtcp: pair.rtcp };
    return this.#parts.host.lend(channel);
  }

  async #flush(leg: MediaLeg): Promise<void> {
    const limit = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_LIMIT_MS).unref());
    await Promise.race([Promise.all(leg.channels.map((channel) => channel.writer.close())), limit]);
  }

  async #save(leg: MediaLeg): Promise<void> {
    const attempts: Record<string, number> = {};
    for (const { id } of leg.channels) {
      attempts[id] = Math.max(leg.firstAttempt, this.#asr?.attemptOf(id) ?? 0);
    }
    await this.#parts.spool.saveLeg(leg.leg, attempts satisfies LegRecord['attempts'], leg.totals);
  }
}

/**
 * The first attempt of a replacement: in a thousand that its predecessor did not use, since attempts rise between two writes of
 * the leg file.
 */
const nextGeneration = (attempts: readonly number[]): number =>
  (Math.floor(Math.max(0, ...attempts) / ATTEMPTS_OF_A_PROCESS) + 1) * ATTEMPTS_OF_A_PROCESS + 1;

function restoreClosed(leg: MediaLeg, totals: readonly ChannelTotals[]): void {
  leg.state = 'closed';
  leg.totals = totals;
  leg.ending = Promise.resolve(totals);
  for (const channel of leg.channels) {
    const total = totals.find((each) => each.channel === channel.id);
    channel.restoreEnded(total?.endTick ?? 0);
  }
}

const portsOf = (leg: MediaLeg): ChannelPorts[] =>
  [...leg.sockets].map(([channel, { rtpPort, rtcpPort }]) => ({ channel, rtpPort, rtcpPort }));
