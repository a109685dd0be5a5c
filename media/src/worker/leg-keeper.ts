import {
  type ChannelId,
  type ChannelPorts,
  type ChannelTotals,
  EarshotError,
  type Leg,
  type LegId,
  type RecognitionState,
} from '@earshot/contracts';
import { Channel } from '../leg/channel.ts';
import { inBatches } from './batches.ts';
import { nowUs } from './clock.ts';
import type { KeeperParts, LegFailure, Opening } from './keeper-parts.ts';
import { fillLedgers } from './ledger-fill.ts';
import { Lender } from './lender.ts';
import { MediaLeg } from './media-leg.ts';
import { Predecessor } from './predecessor.ts';
import {
  type Inheritance,
  nextGeneration,
  type Owned,
  recallAll,
  replayWal,
  restoreChannels,
  restoreClosed,
  type Restored,
} from './restore.ts';
import { Recognition } from './recognition.ts';
import type { Stages } from './stages.ts';

/** Legs between two moments at which other things may have their turn: some 50 us. */
const AT_ONCE = 16;

/** The legs of this worker, from open (or adopted) to committed. */
export class LegKeeper {
  readonly legs = new Map<LegId, MediaLeg>();
  readonly recognition: Recognition;
  readonly #opening = new Map<LegId, Opening>();
  readonly #parts: KeeperParts;
  readonly #lender: Lender;
  /** A predecessor's logs, until the gateway has said which legs there are: one without a leg file may need them. */
  #heldWal: Inheritance['walPaths'] = [];
  readonly #predecessor = new Predecessor();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#lender = new Lender(parts.host, parts.log);
    this.recognition = new Recognition(parts, this.legs);
  }

  /** Up to which arrival a channel's packets are in its files; Infinity for one that is gone. */
  coveredUs(id: ChannelId): number {
    if (this.#heldWal.length > 0) return -Infinity;
    return this.recognition.coveredUs(id);
  }

  /** Each turn. Yields in between. */
  *advance(now: number): Generator<void, void> {
    const dryUs = this.#parts.dryUs();
    let done = 0;
    for (const leg of this.legs.values()) {
      if (leg.state !== 'open') continue;
      for (const channel of leg.channels) channel.advance(now, dryUs);
      if (++done % AT_ONCE === 0) yield;
    }
  }

  gatewayConnected(): void {
    for (const leg of this.legs.values()) leg.timeoutTold = false;
  }

  /** @throws EarshotError REQUEST_INVALID when the leg is here already, RTP_PORTS_EXHAUSTED, MEDIA_UNAVAILABLE when cancelled */
  open(leg: Leg): Promise<readonly ChannelPorts[]> {
    const sibling = [...this.legs.values()].find((other) => other.leg.callId === leg.callId);
    const kept = this.#parts.spool.asRoomIs(leg, sibling?.leg ?? null);
    return this.#openAs(kept, async () => {
      const diskLow = leg.record && !kept.record;
      if (diskLow) await this.#parts.spool.markNotRecorded(leg.callId);
      return this.#newLeg(kept, diskLow);
    });
  }

  async #openAs(leg: Leg, make: () => MediaLeg | Promise<MediaLeg>): Promise<readonly ChannelPorts[]> {
    const before = this.#opening.get(leg.legId);
    if (before?.cancelled === true) await before.done;
    if (this.legs.has(leg.legId) || this.#opening.has(leg.legId)) {
      throw new EarshotError('REQUEST_INVALID', `leg ${leg.legId} is open already`);
    }
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const opening: Opening = { cancelled: false, done };
    this.#opening.set(leg.legId, opening);
    let mediaLeg: MediaLeg | null = null;
    try {
      mediaLeg = await make();
      const sockets = await this.#lender.all(leg);
      if (opening.cancelled) {
        this.#lender.giveBack(sockets);
        throw new EarshotError('MEDIA_UNAVAILABLE', `leg ${leg.legId} was closed before it was open`);
      }
      // What a restored channel has had no reader for is not lost.
      const now = nowUs();
      for (const channel of mediaLeg.channels) channel.readingBegins(now);
      mediaLeg.pauseOrGoOn(now);
      // Read before the gateway is told the ports: nothing can come before, and a lent socket may have a backlog.
      mediaLeg.attach(sockets, this.#parts.log, this.#parts.reader, this.#predecessor);
      mediaLeg.leg = { ...mediaLeg.leg, ports: mediaLeg.ports };
      // In one turn: a call may be begun while sockets are lent.
      mediaLeg.recognition = this.recognition.stateOf(leg.callId) ?? mediaLeg.recognition;
      this.legs.set(leg.legId, mediaLeg);
      mediaLeg.ready = this.recognition.begin(mediaLeg);
      await mediaLeg.ready;
      this.#parts.log.info({ legId: leg.legId, channels: mediaLeg.channels.map(String) }, 'leg opened');
      return mediaLeg.ports;
    } catch (error) {
      this.recognition.forget(leg);
      for (const { writer } of mediaLeg?.channels ?? []) void writer.close();
      throw error;
    } finally {
      this.#opening.delete(leg.legId);
      resolve();
    }
  }

  /** @throws EarshotError CALL_NOT_FOUND, RTP_PORTS_EXHAUSTED when the ports that its peer was told are lost */
  async update(leg: Leg): Promise<void> {
    const mediaLeg = this.#known(leg.legId);
    // An earlier run of all had them, and another program was quicker.
    if (mediaLeg.sockets.size === 0)
      throw new EarshotError('RTP_PORTS_EXHAUSTED', `the ports of leg ${leg.legId} are taken by others`);
    // What came before is taken as agreed before.
    for (const sockets of mediaLeg.sockets.values()) sockets.catchUp();
    const now = nowUs();
    mediaLeg.leg = {
      ...leg,
      record: leg.record && mediaLeg.leg.record,
      ports: leg.ports ?? mediaLeg.ports,
    };
    for (const update of leg.channels) {
      mediaLeg.channels.find((channel) => channel.id === update.channel)?.update(update, now);
    }
    mediaLeg.pauseOrGoOn(now);
    mediaLeg.confirm();
    this.recognition.askedFor(leg, mediaLeg);
    await this.recognition.save(mediaLeg);
  }

  /**
   * Closing a leg again gives the same answer, until it is forgotten. One that is being opened never had a channel.
   * @throws EarshotError CALL_NOT_FOUND
   */
  async close(legId: LegId): Promise<readonly ChannelTotals[]> {
    const opening = this.#opening.get(legId);
    if (opening !== undefined && !this.legs.has(legId)) {
      opening.cancelled = true;
      return [];
    }
    const leg = this.legs.get(legId) ?? this.#known(legId);
    leg.ending ??= this.#end(leg);
    return leg.ending;
  }

  async #end(leg: MediaLeg): Promise<readonly ChannelTotals[]> {
    const { legId } = leg.leg;
    leg.state = 'closing';
    await leg.ready;
    await Promise.all([...leg.sockets.values()].map((sockets) => sockets.readDry()));
    const now = nowUs();
    leg.sayGoodbye(now);
    for (const channel of leg.channels) channel.finish(now, this.#parts.dryUs());
    leg.totals = leg.channels.map((channel) => channel.totals());
    for (const totals of leg.totals) this.#parts.metrics.ended(totals);
    for (const [channel, sockets] of leg.sockets) {
      this.#parts.metrics.dropped(sockets.newDrops());
      sockets.close();
      this.#parts.host.giveBack(channel);
    }
    leg.sockets.clear();
    await leg.flushed();
    await this.recognition.save(leg);
    leg.state = 'closed';
    for (const channel of leg.channels) {
      this.#parts.metrics.channel(channel);
      channel.close();
      this.#parts.ledgers.ended(channel.id);
    }
    this.recognition.ended(leg);
    this.#parts.log.info({ legId, totals: leg.totals }, 'leg closed');
    return leg.totals;
  }

  /**
   * Brings the worker to what the gateway has: what it does not list is closed, what is not here is opened.
   * @returns the legs that could not be
   */
  async sync(legs: readonly Leg[]): Promise<readonly LegFailure[]> {
    const failures: LegFailure[] = [];
    const attempt = async (legId: LegId, work: Promise<unknown>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        failures.push({ legId, error: error as Error });
      }
    };
    const listed = new Map(legs.map((leg) => [leg.legId, leg]));
    const work: Promise<void>[] = [];
    for (const [legId, leg] of this.legs) {
      const wanted = listed.get(legId);
      if (leg.state !== 'open') continue;
      work.push(attempt(legId, wanted === undefined ? this.close(legId) : this.update(wanted)));
    }
    for (const [legId, opening] of this.#opening) {
      if (!listed.has(legId) && !this.legs.has(legId)) opening.cancelled = true;
    }
    const lacking = legs.filter(
      ({ legId }) => !this.legs.has(legId) && this.#opening.get(legId)?.cancelled !== false,
    );
    const before = Promise.all(lacking.flatMap(({ legId }) => this.#opening.get(legId)?.done ?? []));
    let restored: Promise<ReadonlyMap<LegId, MediaLeg>> | null = null;
    for (const leg of lacking) {
      const make = async (): Promise<MediaLeg> =>
        (await (restored ??= before.then(() => this.#restoreAll(lacking)))).get(leg.legId)!;
      work.push(attempt(leg.legId, this.#openAs(leg, make)));
    }
    await Promise.all(work);
    this.#heldWal = [];
    this.#predecessor.forget();
    this.#parts.reader?.forgetLeftovers();
    this.#lender.returnUnclaimed();
    return failures;
  }

  /** Legs without a leg file: a predecessor could not write it. Blocks and logs may have their audio all the same. */
  async #restoreAll(legs: readonly Leg[]): Promise<ReadonlyMap<LegId, MediaLeg>> {
    const made = new Map(legs.map((leg) => [leg.legId, this.#newLeg(leg)]));
    const channels = [...made.values()].flatMap((leg) => leg.channels.map((channel) => ({ channel, leg })));
    const restored = await this.#restoreChannels(channels);
    let packets = 0;
    for (const paths of this.#heldWal) {
      const replayed = replayWal(paths, restored, this.#parts.log);
      packets += replayed.packets;
      this.#predecessor.logged(replayed.files);
    }
    await recallAll(restored, this.#parts.log);
    for (const leg of made.values()) {
      leg.inherit();
      leg.wasPaused({});
      if (leg.channels.every((channel) => channel.timeline.endTick === 0)) continue;
      leg.firstAttempt = nextGeneration([]);
      this.#parts.log.warn({ legId: leg.leg.legId, packets }, 'leg without a leg file restored');
    }
    return made;
  }

  async #restoreChannels(channels: readonly Owned[]): Promise<Restored[]> {
    const { spool, log, metrics } = this.#parts;
    const restored = await restoreChannels(channels, spool.folder, log);
    for (const each of restored) {
      metrics.adopted(each.channel);
      this.#predecessor.restored(each.channel.id, each.last);
    }
    return restored;
  }

  /**
   * Takes over what a predecessor left, up to where its sockets are read; see restore.ts.
   * @param stages how long the start has taken so far
   * @returns what is to be done while they are read: all that is not needed to take packets
   */
  async adopt(inheritance: Inheritance, stages: Stages): Promise<() => Promise<void>> {
    const { wal, log, metrics, reader } = this.#parts;
    const legs: MediaLeg[] = [];
    const live: Owned[] = [];
    for (const record of inheritance.legs) {
      const leg = this.#newLeg(record.leg, record.diskLow, record.recognition ?? 'current');
      leg.inherit();
      leg.firstAttempt = nextGeneration(Object.values(record.attempts));
      this.legs.set(record.leg.legId, leg);
      legs.push(leg);
      if (record.closed !== null) restoreClosed(leg, record.closed);
      else for (const channel of leg.channels) live.push({ channel, leg });
    }
    stages.ended('legs');
    for (const { channel } of live) channel.confirmed = false;
    const restored = await this.#restoreChannels(live);
    stages.ended('blocks');
    let packets = 0;
    let readUs = -Infinity;
    for (const paths of inheritance.walPaths) {
      const replayed = replayWal(paths, restored, log);
      packets += replayed.packets;
      for (const file of replayed.files) {
        wal.inherit(file);
        readUs = Math.max(readUs, ...file.lastUs);
      }
      this.#predecessor.logged(replayed.files);
    }
    this.#heldWal = inheritance.walPaths;
    for (const [n, { pausedTicks = {} }] of inheritance.legs.entries()) legs[n]!.wasPaused(pausedTicks);
    stages.ended('log');
    // First the sockets: their buffers fill up.
    await inBatches(legs, async (leg) => {
      const now = nowUs();
      for (const channel of leg.channels) channel.readingBegins(now);
      leg.pauseOrGoOn(now);
      if (leg.state !== 'open') return;
      leg.attach(await this.#lender.some(leg.leg), log, reader, this.#predecessor);
    });
    // The rest with the first turns.
    reader?.read(nowUs());
    stages.ended('sockets');
    if (live.length > 0) {
      // Its logs may have no packet: then nobody can say since when its sockets were not read.
      const unreadSeconds = readUs > 0 ? (nowUs() - readUs) / 1e6 : null;
      if (unreadSeconds !== null) metrics.takeover.set(unreadSeconds);
      const { stagesMs } = stages;
      const counts = { legs: legs.length, channels: live.length, packets };
      const unreadMs = unreadSeconds === null ? null : Math.round(unreadSeconds * 1000);
      log.info({ ...counts, unreadMs, stagesMs }, 'took over from a predecessor');
    }
    return () => this.#recogniseAdopted(legs, restored);
  }

  async #recogniseAdopted(legs: readonly MediaLeg[], restored: readonly Restored[]): Promise<void> {
    await recallAll(restored, this.#parts.log);
    await inBatches(legs, async (leg) => {
      await this.recognition.begin(leg);
      if (leg.state === 'closed') this.recognition.ended(leg);
    });
    void fillLedgers(legs, this.#parts.spool, this.#parts.ledgers);
  }

  #known(legId: LegId): MediaLeg {
    const leg = this.legs.get(legId);
    if (leg?.state !== 'open') throw new EarshotError('CALL_NOT_FOUND', `leg ${legId} is not on this worker`);
    return leg;
  }

  /** @param recognition null: as the gateway says */
  #newLeg(leg: Leg, diskLow = false, recognition: RecognitionState | null = null): MediaLeg {
    const now = nowUs();
    const channels = leg.channels.map((each) => {
      const index = Number(each.channel.slice(each.channel.lastIndexOf(':') + 1));
      return new Channel(each, leg.zero, this.#parts.spool.writerFor(leg, index), this.#parts.wal, now);
    });
    const mediaLeg = new MediaLeg(leg, channels);
    mediaLeg.diskLow = diskLow;
    mediaLeg.recognition = recognition ?? (leg.deferred === true ? 'waiting' : 'current');
    this.recognition.knows(mediaLeg);
    return mediaLeg;
  }
}
