import { tickAt, TICKS_PER_SECOND } from '@earshot/contracts';
import type { ChildContext, Service } from '@earshot/platform';
import { AsrLink } from '../asr-link/asr-link.ts';
import { LedgerTeller } from '../commit-link/ledger-teller.ts';
import type { Channel } from '../leg/channel.ts';
import { DiskHealth } from '../spool/disk-health.ts';
import { Wal } from '../spool/wal.ts';
import { workerVad } from '../stages/vad-stage.ts';
import { GateCount } from '../vad/gate-count.ts';
import { nowUs } from './clock.ts';
import { ControlServer } from './control.ts';
import { DiskTeller } from './disk-teller.ts';
import { LegKeeper } from './leg-keeper.ts';
import { MediaMetrics } from './metrics.ts';
import { openReader, readerMemoryPath, removeReaderMemory } from './open-reader.ts';
import { readInheritance } from './restore.ts';
import { SpoolRoom } from './spool-room.ts';
import { Stages } from './stages.ts';
import { TurnTimer } from './timer.ts';

const SECOND_US = 1_000_000;
/** Block files synced a second at most. */
const MAX_SYNCS = 50;

const LOOK_AT_DISK_EVERY_S = 5;
/** Of each socket; a tenth of them each second. */
const ASK_DROPS_EVERY_S = 10;

/** Puts the worker together, takes over from a predecessor, and starts its timer. */
export async function startWorker(context: ChildContext): Promise<Service> {
  const { config, log, registry, runDir, instance, host } = context;
  workerVad.kind = config.vad;
  workerVad.count = new GateCount();
  const stages = new Stages();
  let timer: TurnTimer | null = null;
  const health = new DiskHealth(log);
  const metrics = new MediaMetrics(registry, health);
  const spool = new SpoolRoom(config.dataDir, instance, health, log, config.diskReserve / 100);
  const inheritance = readInheritance(spool.folder, instance, config.mediaWorkers, log);
  stages.ended('legFiles');
  const wal: Wal = new Wal(spool.walFolder, instance, inheritance.nextWal, health, nowUs, (channel) =>
    legs.coveredUs(channel),
  );
  const reader = await openReader(
    config.rtpReader,
    { path: readerMemoryPath(runDir, instance), inheritedPorts: host.lentAtStart.map(({ port }) => port) },
    log,
  );
  stages.ended('reader');
  if (reader !== null) {
    // Until then what was read is in memory that a replacement has, too.
    reader.safety = wal;
    wal.waitsForFlush = true;
  }
  const ledgers = new LedgerTeller((channel, fill, part) => asr.commit.ledger(channel, fill, part));
  const legs: LegKeeper = new LegKeeper({
    host,
    spool,
    wal,
    metrics,
    ledgers,
    log,
    reader,
    begun: (callId) => control.report({ type: 'recognition.begun', callId }),
    dryUs: () => timer?.dryUs ?? nowUs(),
  });
  const events = {
    reopened: metrics.reopened.bind(metrics),
    committed: legs.recognition.committed.bind(legs.recognition),
    settled: legs.recognition.settled.bind(legs.recognition),
    recognition: legs.recognition.changed.bind(legs.recognition),
  };
  const engines = { serving: config.asrEngines, standby: config.asrStandby };
  const asr = new AsrLink(runDir, instance, engines, events, log, nowUs);
  legs.recognition.asr = asr;
  const diskTeller = new DiskTeller(asr.commit.disk.bind(asr.commit));
  asr.commit.ledgers = {
    connected: () => {
      ledgers.connected();
      diskTeller.connected();
      // At once: a leg that settles is looked at no more.
      for (const leg of legs.legs.values()) diskTeller.look(leg, nowUs());
      legs.recognition.connected();
      for (const leg of legs.legs.values()) for (const { watch } of leg.channels) watch.tellAgain();
    },
    ledgered: (channel, toTick) => ledgers.acknowledged(channel, toTick),
  };
  host.onEngines((rows) => asr.table(rows));
  const recognise = await legs.adopt(inheritance, stages);
  const control: ControlServer = new ControlServer(legs, instance, log);
  let syncing = false;
  let seconds = 0;
  let nextSecondUs = nowUs() + SECOND_US;

  const tellMedia = (channel: Channel): void => {
    const { watch, timeline } = channel;
    const state = watch.missing ? 'missing' : 'present';
    const tick = watch.missing ? Math.round(tickAt(channel.zero, watch.sinceUs)) : timeline.endTick;
    if (asr.commit.media(channel.id, state, Math.max(0, tick))) watch.told();
  };

  const second = function* (now: number): Generator<void, void> {
    const loopDelayUs = timer?.takeDelayUs() ?? 0;
    let live = 0;
    for (const leg of legs.legs.values()) {
      for (const channel of leg.channels) {
        const lagTicks = asr.lagTicks(channel.id);
        if (lagTicks !== null) metrics.lag(lagTicks / TICKS_PER_SECOND);
        metrics.channel(channel);
        if (leg.state !== 'open') continue;
        if (channel.mediaChanged(now)) tellMedia(channel);
        if (++live % ASK_DROPS_EVERY_S === seconds % ASK_DROPS_EVERY_S) {
          metrics.dropped(leg.sockets.get(channel.id)?.newDrops() ?? 0);
        }
      }
      diskTeller.look(leg, now);
      if (leg.state === 'open') leg.report(now);
      const silent = leg.state === 'open' && leg.isSilent(now);
      if (silent && !leg.timeoutTold) control.report({ type: 'leg.timeout', legId: leg.leg.legId });
      leg.timeoutTold = silent;
      yield;
    }
    ledgers.second(now);
    yield;
    metrics.second(live, loopDelayUs / 1e6);
    metrics.space(spool.space);
    if (++seconds % LOOK_AT_DISK_EVERY_S === 0) void spool.space.look();
    const { waiting } = asr;
    metrics.waiting(waiting, Date.now());
    control.report({
      type: 'load',
      channels: live,
      loopDelayMs: loopDelayUs / 1000,
      endedWaiting: waiting.ended,
      catchingUp: waiting.catchingUp,
      diskScarce: spool.space.scarce,
    });
    wal.tend();
    if (!syncing) void sync();
  };

  /**
   * fdatasync of the log, which has everything, and of the block files that wait longest, one at a time: each may cost the
   * disk a journal commit, which PostgreSQL's own commits would wait for.
   */
  const sync = async (): Promise<void> => {
    syncing = true;
    await wal.sync();
    const dirty = [...legs.legs.values()]
      .flatMap((leg) => leg.channels.map((channel) => channel.writer))
      .filter((writer) => writer.dirtySinceMs < Infinity)
      .sort((a, b) => a.dirtySinceMs - b.dirtySinceMs);
    for (const writer of dirty.slice(0, MAX_SYNCS)) await writer.sync();
    syncing = false;
  };

  const turn = function* (now: number): Generator<void, void> {
    yield* legs.advance(now);
    yield* asr.turn(now);
    if (now < nextSecondUs) return;
    nextSecondUs = Math.max(nextSecondUs + SECOND_US, now);
    yield* second(now);
  };
  timer = new TurnTimer(turn, reader === null ? null : (startUs, untilUs) => reader.read(startUs, untilUs));
  await Promise.all([recognise(), spool.space.look()]);
  void spool.removeGoing();
  metrics.space(spool.space);
  await control.start(runDir);

  return {
    info: { channels: legs.recognition.channelCount, reader: reader === null ? 'dgram' : 'native' },
    drain: async () => {
      timer?.stop();
      await control.stop();
      asr.close();
      // Open legs stay as they are, in their files and in the log, for whoever takes over.
      for (const leg of legs.legs.values()) {
        for (const sockets of leg.sockets.values()) sockets.close();
        for (const channel of leg.channels) await channel.writer.flushed();
      }
      wal.close();
      await removeReaderMemory(runDir, instance);
    },
  };
}
