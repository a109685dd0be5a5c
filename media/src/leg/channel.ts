import {
  type CallZero,
  type ChannelId,
  type ChannelTotals,
  type Encoding,
  type LedgerPart,
  type LegChannel,
  partsOfChannel,
  TICKS_PER_FILE,
} from '@earshot/contracts';
import type { BlockWriter } from '../spool/block-writer.ts';
import type { LastBlock } from '../spool/last-block.ts';
import type { Tape } from '../spool/tape.ts';
import { tapeBlockOf } from '../spool/tape-block.ts';
import type { Wal, WalChannel } from '../spool/wal.ts';
import type { SrtpFault } from '../srtp/receiver.ts';
import { encodingFor } from '../stages/codec-stage.ts';
import { type ChannelCounters, newCounters, rejectedOf } from '../stages/counters.ts';
import { Ledger } from '../timeline/ledger.ts';
import type { Timeline } from '../timeline/timeline.ts';
import { HANGOVER_TICKS } from '../vad/gate.ts';
import { MediaWatch } from './media-watch.ts';
import { Protection } from './protection.ts';
import { type OutgoingReport, RtcpSession } from './rtcp-session.ts';
import { buildPipeline, type Pipeline } from './pipeline.ts';

/** A block that no packet continued for so long goes to the files as it is. */
const OPEN_BLOCK_US = 1_000_000;

/** One audio stream of a call, from its datagrams to its tape. Time is passed in; sockets are the worker's. */
export class Channel {
  readonly id: ChannelId;
  readonly index: number;
  readonly zero: CallZero;
  /** Of everything after the codec stage, while this process has the channel. */
  readonly encoding: Encoding;
  readonly counters: ChannelCounters = newCounters();
  readonly rtcp: RtcpSession;
  #protection: Protection | null = null;
  readonly writer: BlockWriter;
  state: LegChannel['state'];
  /** When the last packet came, monotonic microseconds; at first, when the channel was opened or adopted. */
  lastArrivalUs: number;
  /** Since when audio could come: it is read, and not paused. */
  #listeningUs: number;
  /** When the last packet is known to have come that could be used, or could have been but for the pause; -Infinity: none. */
  #usableUs = -Infinity;
  #passedOver = 0;
  #paused = false;
  /** From which tick on its time is a pause; null while it is not paused. */
  pausedTick: number | null = null;
  /** Another process had it before. */
  #restored = false;
  /** What the spool of a predecessor says of the last seconds before this process took the channel over. */
  inherited: LedgerPart | null = null;
  readonly watch: MediaWatch;
  /** The clock does not move a channel on that the gateway has not confirmed after a restart. */
  confirmed = true;
  readonly #pipeline: Pipeline;
  readonly #wal: Wal;
  readonly #walChannel: WalChannel;
  #channel: LegChannel;
  #clockLoggedTick = 0;
  #lostBefore = 0;
  #droppedFile = 0;

  constructor(channel: LegChannel, zero: CallZero, writer: BlockWriter, wal: Wal, nowUs: number) {
    this.id = channel.channel;
    this.index = partsOfChannel(channel.channel).index;
    this.zero = zero;
    this.encoding = encodingFor(channel.codecs[0]);
    this.state = channel.state;
    this.writer = writer;
    this.lastArrivalUs = nowUs;
    this.#listeningUs = nowUs;
    this.watch = new MediaWatch(nowUs);
    this.#channel = channel;
    this.#wal = wal;
    this.#walChannel = { id: channel.channel, file: null, number: 0 };
    this.rtcp = new RtcpSession(zero, channel.rtcp ?? null, nowUs);
    this.#pipeline = buildPipeline(channel, this.index, zero, {
      encoding: this.encoding,
      counters: this.counters,
      statistics: this.rtcp.statistics,
      bursts: this.rtcp.bursts,
      onRtcp: (bytes, address, port, arrivalUs) => {
        if (this.rtcp.mux) this.receiveRtcp(bytes, address, port, arrivalUs);
        return this.rtcp.mux;
      },
      writer,
      wal,
      walChannel: this.#walChannel,
      lostBefore: () => this.#lostBefore,
      nowUs,
    });
    this.#protect(channel, nowUs);
    // A predecessor may have had it.
    this.#showState(zero.monoUs);
  }

  get tape(): Tape {
    return this.#pipeline.tape;
  }
  get timeline(): Timeline {
    return this.#pipeline.timeline;
  }
  get lost(): number {
    return this.#lostBefore + this.#pipeline.jitter.lost;
  }

  /** What of SRTP and SRTCP was refused, by reason; null where packets are plain. */
  get refused(): Readonly<Record<SrtpFault, number>> | null {
    return this.#protection?.receiver.refused ?? null;
  }

  /** The pipeline in words. */
  toString(): string {
    return String(this.#pipeline.rtp);
  }

  receive(datagram: Uint8Array, address: string, port: number, arrivalUs: number): void {
    if (this.#pipeline.rtp.receive(datagram, address, port, arrivalUs)) {
      this.lastArrivalUs = arrivalUs;
      this.rtcp.left = false;
    }
  }

  /** A datagram of the RTCP port, or RTCP of the RTP port where both share one. */
  receiveRtcp(datagram: Uint8Array, address: string, port: number, arrivalUs: number): void {
    const srtp = this.#protection?.receiver;
    const length = srtp === undefined ? datagram.length : srtp.openRtcp(datagram, arrivalUs);
    if (length < 0) this.counters.rejected.authentication++;
    else this.rtcp.receive(datagram.subarray(0, length), address, port, arrivalUs);
  }

  /** The report to be sent now, if there is one. Asked once a second. */
  report(nowUs: number): OutgoingReport | null {
    return this.rtcp.due(nowUs, this.#protection?.sender ?? null);
  }

  /** To be sent when its sockets are about to be closed. */
  goodbye(nowUs: number): OutgoingReport | null {
    return this.rtcp.goodbye(nowUs, this.#protection?.sender ?? null);
  }

  #protect({ srtp }: LegChannel, nowUs: number): void {
    if (srtp === undefined) this.#protection = null;
    else if (this.#protection === null) this.#protection = Protection.of(srtp);
    else this.#protection.update(srtp, nowUs);
    this.#pipeline.rtp.srtp = this.#protection?.receiver ?? null;
  }

  /** Its sockets are about to be read, after a time in which nobody did. */
  readingBegins(nowUs: number): void {
    this.lastArrivalUs = nowUs;
    this.#listeningUs = nowUs;
    if (this.counters.received > 0) this.#usableUs = nowUs;
    this.#pipeline.jitter.unreadUntil(nowUs);
    if (this.state === 'held' && this.confirmed && this.timeline.endTick === 0) {
      // It was added to its call on hold: before, it was not there.
      this.timeline.passesAs('absent', this.zero.monoUs);
      this.#showState(nowUs);
    }
  }

  /** When audio last came, or since when it could. */
  get #heardUs(): number {
    return Math.max(this.timeline.heardUs, this.#listeningUs);
  }

  /**
   * A packet that a predecessor had taken, from its log.
   * @param endTick of the timeline when it arrived
   * @param dryUs as for advance
   */
  replay(
    datagram: Uint8Array,
    address: string,
    port: number,
    arrivalUs: number,
    endTick: number,
    dryUs: number,
  ): void {
    const { rtp, wal, jitter, timeline } = this.#pipeline;
    jitter.unreadUntil(dryUs);
    jitter.advance(arrivalUs);
    timeline.gapTo(endTick);
    wal.replaying = true;
    rtp.replay(datagram, address, port, arrivalUs);
    wal.replaying = false;
  }

  /** The predecessor's clock had moved the timeline on to there. */
  replayClock(nowUs: number, endTick: number, dryUs: number): void {
    this.#pipeline.jitter.unreadUntil(dryUs);
    this.#pipeline.jitter.advance(nowUs);
    this.#pipeline.timeline.gapTo(endTick);
    this.#clockLoggedTick = endTick;
  }

  /** Goes on from a predecessor's last block. */
  restore(last: LastBlock, processId: number): void {
    this.#restored = true;
    const { block } = last;
    const endTick = block.startTick + block.ticks;
    const { rtp, jitter, timeline, tape } = this.#pipeline;
    rtp.restore(block.ssrc, block.extendedSequence);
    rtp.srtp?.restore(block.ssrc, block.srtpRollover, block.extendedSequence & 0xffff);
    jitter.restore(block.extendedSequence);
    timeline.restore(endTick, block.ssrc, block.extendedSequence, block.rtpTimestampAtEnd);
    timeline.ledger.note('worker', processId);
    tape.restore([tapeBlockOf(block)], endTick, endTick);
    this.writer.restore(last, endTick);
    this.counters.received = block.packetsReceived;
    this.counters.late = block.packetsLate;
    this.#lostBefore = block.packetsLost;
    this.rtcp.statistics.restore(block.maxJitterMs ?? 0);
    this.rtcp.bursts.restore(
      block.packetsReceived - block.packetsLate,
      block.packetsLost,
      block.lossBursts ?? 0,
    );
  }

  /** Its predecessor had been paused when it died. @param fromTick since then, as far as is known: not before its last packet */
  wasPaused(fromTick: number): void {
    this.timeline.passedAs('paused', fromTick);
    this.pausedTick = fromTick;
  }

  /** The seconds before the block that it was restored from: not needed to take packets, so that it is done when those are taken. */
  recall(last: LastBlock): void {
    const { blocks, whole } = last.recent();
    const firstTick = blocks[0]?.startTick ?? 0;
    const endTick = last.block.startTick + last.block.ticks;
    // Speech before the first of them holds the gate open into it: the tape is complete from a hangover later.
    const completeTick = whole ? 0 : Math.min(endTick, firstTick + HANGOVER_TICKS);
    this.tape.recall(blocks.slice(0, -1).map(tapeBlockOf), completeTick);
    this.inherited = partOf(blocks);
  }

  /** Restores a channel whose timeline has ended: its audio is in the files. */
  restoreEnded(endTick: number): void {
    this.timeline.gapTo(endTick);
    this.tape.restore([], endTick, endTick);
  }

  update(channel: LegChannel, nowUs: number): void {
    const remote = channel.remote;
    const before = this.#channel.remote;
    if (remote?.address !== before?.address || remote?.port !== before?.port) {
      this.#pipeline.rtp.relatch(remote, nowUs);
    }
    // A decoder loses its state with this, and a key that is held down its press.
    if (JSON.stringify(channel.codecs) !== JSON.stringify(this.#channel.codecs)) {
      // What waits behind a hole came as agreed before.
      this.#pipeline.jitter.flush();
      this.#pipeline.rtp.setCodecs(channel.codecs);
      this.#pipeline.codec.setCodecs(channel.codecs);
    }
    this.rtcp.configure(channel.rtcp ?? null);
    this.#protect(channel, nowUs);
    // A channel that was held had no packets: its time-out begins now.
    if (this.state === 'held' && channel.state === 'active') {
      this.lastArrivalUs = Math.max(this.lastArrivalUs, nowUs);
      this.watch.promised(nowUs);
    }
    this.state = channel.state;
    this.#showState(nowUs);
    this.#channel = channel;
  }

  /** While paused its packets are followed, and nothing of them goes on: not to the log, the spool, or the recogniser. */
  pause(paused: boolean, nowUs: number): void {
    if (paused === this.#paused) return;
    const { rtp, jitter, timeline, tape } = this.#pipeline;
    jitter.flush();
    tape.close();
    this.#paused = paused;
    rtp.pause(paused);
    if (paused) {
      if (this.pausedTick === null) this.pausedTick = timeline.passesAs('paused', nowUs);
      else timeline.passesFrom('paused', this.pausedTick);
    } else {
      this.pausedTick = null;
      // What was passed over is no loss.
      if (rtp.highest >= 0) jitter.restore(rtp.highest);
      this.#listeningUs = nowUs;
      this.#showState(nowUs);
    }
  }

  /** From nowUs on. A paused call stays that, whatever the signalling says. */
  #showState(nowUs: number): void {
    if (!this.#paused) this.timeline.passesAs(this.state === 'held' ? 'held' : 'absent', nowUs);
  }

  /** Once a second. @returns whether packets that can be used stopped or began to come, and somebody has to be told */
  mediaChanged(nowUs: number): boolean {
    const { rejected, comfortNoise } = this.counters;
    if (rejected.paused !== this.#passedOver) this.#usableUs = this.lastArrivalUs;
    this.#passedOver = rejected.paused;
    this.#usableUs = Math.max(this.#usableUs, this.timeline.usableUs);
    const active = this.state === 'active' && this.confirmed && !this.rtcp.left;
    return this.watch.changed(nowUs, active, this.#usableUs, comfortNoise > 0);
  }

  /**
   * Every 20 ms: gives up old holes, moves an idle timeline on.
   * @param dryUs since when the sockets are known to be read as packets come
   */
  advance(nowUs: number, dryUs: number): void {
    const { jitter, timeline, tape } = this.#pipeline;
    jitter.unreadUntil(dryUs);
    jitter.advance(nowUs);
    if (nowUs - tape.openSinceUs > OPEN_BLOCK_US) tape.close();
    if (this.confirmed && jitter.held === 0) timeline.clock(nowUs, Math.max(this.#heardUs, dryUs));
  }

  /** Logs how far the clock moved the timeline, before anyone is told. */
  logClock(nowUs: number): void {
    const { endTick } = this.timeline;
    if (endTick === this.#clockLoggedTick || nowUs - this.#heardUs < OPEN_BLOCK_US / 4) return;
    this.#clockLoggedTick = endTick;
    this.#wal.clock(this.#walChannel, nowUs, endTick);
  }

  /** Ends the timeline: no packet will come. */
  finish(nowUs: number, dryUs: number): void {
    this.#pipeline.jitter.flush();
    if (this.confirmed) this.timeline.finish(nowUs, Math.max(this.#heardUs, dryUs));
    this.tape.close();
  }

  /** Gives native memory back. */
  close(): void {
    this.#pipeline.codec.close();
  }

  /** Up to which arrival its packets are in its files. */
  get coveredUs(): number {
    const idle = this.#pipeline.jitter.held === 0 && this.tape.openSinceUs === Infinity && this.writer.idle;
    return idle ? Infinity : this.writer.coveredUs;
  }

  /** The files have all that the tape has. */
  get inFiles(): boolean {
    const { tape, writer } = this;
    return tape.openSinceUs === Infinity && writer.idle && writer.lostTick <= tape.firstTick;
  }

  /** Asked with each commit; says yes once a file, so that folders are not read for nothing. */
  mayDropFiles(neededTick: number): boolean {
    const file = Math.floor(neededTick / TICKS_PER_FILE);
    if (file <= this.#droppedFile) return false;
    this.#droppedFile = file;
    return true;
  }

  totals(): ChannelTotals {
    return {
      channel: this.id,
      endTick: this.timeline.endTick,
      packetsReceived: this.counters.received,
      packetsLost: this.lost,
      packetsLate: this.counters.late,
      packetsDuplicate: this.counters.duplicate,
      packetsRejected: rejectedOf(this.counters),
      quality: this.rtcp.quality(this.#channel.codecs[0]?.name ?? 'PCMU'),
      levels: this.#restored ? null : this.#pipeline.levels.totals(),
    };
  }
}

/**
 * Blocks as spans; why there is nothing between two of them is not in them.
 * @param fromTick where they are all from; left out: from the first of them
 */
export function partOf(
  blocks: Iterable<{ readonly startTick: number; readonly ticks: number }>,
  fromTick?: number,
): LedgerPart | null {
  let ledger: Ledger | null = null;
  for (const { startTick, ticks } of blocks) {
    ledger ??= new Ledger(fromTick ?? startTick);
    ledger.span('absent', startTick);
    ledger.span('received', startTick + ticks);
  }
  return ledger?.tell() ?? null;
}
