import type { ChannelId } from '@earshot/contracts';
import { BindError, type RawHandle, bindUdp } from '@earshot/platform';

export interface PortPair {
  readonly channel: ChannelId;
  readonly rtpPort: number;
  readonly rtp: RawHandle;
  readonly rtcp: RawHandle;
}

/** A freed port rests so that stray packets of its last call do not reach the next one. */
const REST_MS = 30_000;
/** That may be taken in the second or two in which nextPort is not written down. */
const UNSAID_PAIRS = 500;

/**
 * Pairs of RTP and RTCP sockets: an even port and the next (RFC 3550 section 11). Ports are taken round the range,
 * one that another program has is skipped.
 */
export class RtpPorts {
  readonly #address: string;
  readonly #first: number;
  readonly #pairs: number;
  readonly #nowMs: () => number;
  readonly #taken = new Set<number>();
  readonly #restingUntil = new Map<number, number>();
  #next = 0;

  constructor(address: string, min: number, max: number, nowMs: () => number = () => performance.now()) {
    this.#address = address;
    this.#first = min + (min % 2);
    this.#pairs = Math.max(0, Math.floor((max + 1 - this.#first) / 2));
    this.#nowMs = nowMs;
  }

  /** @returns null when every port of the range is taken or resting. */
  take(channel: ChannelId): PortPair | null {
    for (let tried = 0; tried < this.#pairs; tried++) {
      const rtpPort = this.#first + 2 * this.#next;
      this.#next = (this.#next + 1) % this.#pairs;
      if (this.#taken.has(rtpPort) || (this.#restingUntil.get(rtpPort) ?? 0) > this.#nowMs()) continue;
      const pair = this.#bind(channel, rtpPort);
      if (pair === null) continue;
      this.#taken.add(rtpPort);
      this.#restingUntil.delete(rtpPort);
      return pair;
    }
    return null;
  }

  /** The pair that a channel had in an earlier run, whose peer goes on sending to it. @returns null when others have it */
  takeAgain(channel: ChannelId, rtpPort: number): PortPair | null {
    if (this.#taken.has(rtpPort)) return null;
    const pair = this.#bind(channel, rtpPort);
    if (pair !== null) this.#taken.add(rtpPort);
    return pair;
  }

  /** The port that is tried next. */
  get nextPort(): number {
    return this.#first + 2 * this.#next;
  }

  /**
   * Begins behind the ports of an earlier run, of which some were taken since it was last asked for nextPort: peers may go on
   * sending to them for a while.
   */
  goOnFrom(nextPort: number): void {
    const place = Math.floor((nextPort - this.#first) / 2);
    if (place < 0 || place >= this.#pairs) return;
    this.#next = (place + Math.min(UNSAID_PAIRS, Math.floor(this.#pairs / 4))) % this.#pairs;
  }

  giveBack(pair: PortPair): void {
    pair.rtp.close();
    pair.rtcp.close();
    this.#taken.delete(pair.rtpPort);
    this.#restingUntil.set(pair.rtpPort, this.#nowMs() + REST_MS);
  }

  #bind(channel: ChannelId, rtpPort: number): PortPair | null {
    let rtp: RawHandle | null = null;
    try {
      rtp = bindUdp(this.#address, rtpPort);
      return { channel, rtpPort, rtp, rtcp: bindUdp(this.#address, rtpPort + 1) };
    } catch (error) {
      rtp?.close();
      if (error instanceof BindError && error.errno === 'EADDRINUSE') return null;
      throw error;
    }
  }
}
