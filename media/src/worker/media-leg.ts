import type { ChannelId, ChannelPorts, ChannelTotals, Leg, RecognitionState } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { align } from '../leg/alignment.ts';
import type { Channel } from '../leg/channel.ts';
import type { OutgoingReport } from '../leg/rtcp-session.ts';
import type { Predecessor } from './predecessor.ts';
import type { SocketReader } from './socket-reader.ts';
import { type ChannelHandlers, ChannelSockets, type LentPair } from './sockets.ts';

/** A disk that hangs must not hold up the end of a call for longer. */
const FLUSH_LIMIT_MS = 2000;

/** A leg on this worker: its channels, their sockets, and how far its end is. */
export class MediaLeg {
  leg: Leg;
  readonly channels: readonly Channel[];
  readonly sockets = new Map<ChannelId, ChannelSockets>();
  /** `open`, then `closing` while the last packets are read and written, then `closed` until all is committed. */
  state: 'open' | 'closing' | 'closed' = 'open';
  totals: readonly ChannelTotals[] | null = null;
  /** The disk was nearly full when the call began: that is why it is not recorded. */
  diskLow = false;
  /** How recognition goes with its call. */
  recognition: RecognitionState = 'current';
  /** Attempts of its channels begin with this one. */
  firstAttempt = 1;
  inherited = false;
  /** The gateway was told that no RTP comes. */
  timeoutTold = false;
  /** Resolves when its file is written and its channels are with the recogniser. */
  ready: Promise<void> = Promise.resolve();
  /** Writes of its file, one after the other. */
  saved: Promise<void> = Promise.resolve();
  /** The answer to leg.close, once that was asked. */
  ending: Promise<readonly ChannelTotals[]> | null = null;
  readonly unsettled: Set<ChannelId>;

  constructor(leg: Leg, channels: readonly Channel[]) {
    this.leg = leg;
    this.channels = channels;
    this.unsettled = new Set(channels.map((channel) => channel.id));
  }

  /** A worker before this one had it, and may have told of its streams and of the disk. */
  inherit(): void {
    this.inherited = true;
    for (const { watch } of this.channels) watch.tellAgain();
  }

  /**
   * No packet on any active channel for the leg's time-out. Never for a held leg, nor for one that the
   * gateway has not confirmed after a restart.
   */
  isSilent(nowUs: number): boolean {
    let lastUs = -Infinity;
    for (const channel of this.channels) {
      if (channel.state === 'active' && channel.confirmed) lastUs = Math.max(lastUs, channel.lastArrivalUs);
    }
    return lastUs > -Infinity && nowUs - lastUs > this.leg.rtpTimeoutS * 1e6;
  }

  get ports(): ChannelPorts[] {
    return [...this.sockets].map(([channel, { rtpPort, rtcpPort }]) => ({ channel, rtpPort, rtcpPort }));
  }

  /** Brings its channels to what the leg says. */
  pauseOrGoOn(nowUs: number): void {
    for (const channel of this.channels) channel.pause(this.leg.paused === true, nowUs);
  }

  /** What a predecessor's log has of the time since its last packets was a pause, if the leg is paused. @param ticks since when */
  wasPaused(ticks: Readonly<Record<string, number>>): void {
    if (this.leg.paused !== true || this.state !== 'open') return;
    for (const channel of this.channels) channel.wasPaused(ticks[channel.id] ?? 0);
  }

  /** The gateway has said that it knows of it. */
  confirm(): void {
    for (const channel of this.channels) channel.confirmed = true;
  }

  /** Begins to read its sockets. */
  attach(
    lent: ReadonlyMap<ChannelId, LentPair>,
    log: Log,
    reader: SocketReader | null,
    predecessor: Predecessor,
  ): void {
    for (const channel of this.channels) {
      const pair = lent.get(channel.id);
      if (pair === undefined) continue;
      const handlers: ChannelHandlers = {
        rtp: (datagram, address, port, arrivalUs) => channel.receive(datagram, address, port, arrivalUs),
        rtcp: (datagram, address, port, arrivalUs) => channel.receiveRtcp(datagram, address, port, arrivalUs),
      };
      const sockets = new ChannelSockets(pair, handlers, log, reader, (datagram, handedOnUs) =>
        predecessor.has(channel.id, datagram, handedOnUs),
      );
      this.sockets.set(channel.id, sockets);
    }
  }

  /** Sends the reports that are due, and keeps its channels in step by the senders'. */
  report(nowUs: number): void {
    align(this.channels.map(({ timeline, rtcp }) => ({ timeline, clock: rtcp.clock })));
    for (const channel of this.channels) this.#send(channel, channel.report(nowUs));
  }

  /** Tells the senders that we leave. */
  sayGoodbye(nowUs: number): void {
    for (const channel of this.channels) this.#send(channel, channel.goodbye(nowUs));
  }

  #send(channel: Channel, report: OutgoingReport | null): void {
    if (report === null) return;
    this.sockets.get(channel.id)?.sendRtcp(report.bytes, report.address, report.port, report.from);
  }

  /** What its channels have is in their files, or the disk hangs. */
  async flushed(): Promise<void> {
    const limit = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_LIMIT_MS).unref());
    await Promise.race([Promise.all(this.channels.map((channel) => channel.writer.close())), limit]);
  }
}
