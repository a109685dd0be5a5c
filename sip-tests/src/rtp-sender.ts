import dgram from 'node:dgram';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { type Impairment, Impairer } from './impairment.ts';
import {
  buildPacketOf,
  buildRtpPacket,
  buildSenderReport,
  PACKET_MS,
  type RtpHeader,
  SAMPLES_PER_PACKET,
} from './rtp-packet.ts';

/** How much one stream may send in one tick when the process was held up: the rest follows in the next ticks. */
const CATCH_UP_PACKETS = 10;
const REPORT_INTERVAL_MS = 5000;

export interface StreamTarget {
  address: string;
  port: number;
  /** Sender reports go here; without it there are none. */
  rtcpPort?: number;
}

/** G.711 in packets of 20 ms. */
export interface LoopedContent {
  /** G.711 bytes at 8000 Hz; they begin again when they end. */
  audio: Uint8Array;
  payloadType: number;
  /** Packets of 20 ms to send. */
  packets: number;
}

/** What one packet carries, in whatever codec. */
export interface MediaFrame {
  payloadType: number;
  payload: Uint8Array;
  /** Until the next packet, milliseconds, and units of the RTP clock. */
  ms: number;
  units: number;
  marker?: boolean;
}

/** Packets that were made beforehand; each is due when those before it are over. */
export interface FramedContent {
  frames: readonly MediaFrame[];
}

export type StreamContent = (LoopedContent | FramedContent) & {
  /** When the first packet is due, on the clock of `performance.now()`. */
  startAtMs: number;
  /** The same for all streams of one call. */
  cname: string;
  impairment?: Impairment;
};

const packetsOf = (content: StreamContent): number =>
  'frames' in content ? content.frames.length : content.packets;

/** One RTP stream with its own sockets, as each m-line of a session border controller has. */
export class RtpStream {
  readonly ssrc = randomBytes(4).readUInt32BE();
  readonly localPort: number;
  readonly localRtcpPort: number;
  /** Packets that left, duplicates included. */
  packetsSent = 0;
  /** Epoch milliseconds at which the first packet left. */
  firstPacketAtMs: number | undefined;
  /** Sends that the kernel refused, e.g. because nobody listens there any more. */
  sendErrors = 0;
  /** Settles when the last packet was sent or the stream was stopped. */
  readonly finished: Promise<void>;
  impairer: Impairer | undefined;
  readonly #rtp: dgram.Socket;
  readonly #rtcp: dgram.Socket;
  // RFC 3550 section 5.1: both start at random.
  readonly #firstSequence = randomBytes(2).readUInt16BE();
  readonly #firstTimestamp = randomBytes(4).readUInt32BE();
  #content: StreamContent | undefined;
  #index = 0;
  /** Of the next packet, from the first. */
  #dueMs = 0;
  #units = 0;
  #octets = 0;
  #reportDueMs = 0;
  #rtcpReady = false;
  #finish!: () => void;

  private constructor(rtp: dgram.Socket, rtcp: dgram.Socket) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    this.localPort = rtp.address().port;
    this.localRtcpPort = rtcp.address().port;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const countError = () => {
      this.sendErrors += 1;
    };
    rtp.on('error', countError);
    rtcp.on('error', countError);
  }

  /** Takes two free ports of an address, for RTP and RTCP. */
  static async open(address: string): Promise<RtpStream> {
    const type = net.isIPv6(address) ? 'udp6' : 'udp4';
    const sockets = [dgram.createSocket(type), dgram.createSocket(type)] as const;
    try {
      for (const socket of sockets) {
        socket.bind(0, address);
        await once(socket, 'listening');
      }
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    return new RtpStream(...sockets);
  }

  /** Says where to send; resolves when the stream can be given to a {@link RtpPacer}. */
  async connect(target: StreamTarget): Promise<void> {
    // A connected socket sends without a name lookup for each packet.
    this.#rtp.connect(target.port, target.address);
    await once(this.#rtp, 'connect');
    if (target.rtcpPort === undefined) return;
    this.#rtcp.connect(target.rtcpPort, target.address);
    await once(this.#rtcp, 'connect');
    this.#rtcpReady = true;
  }

  /** Sets what is sent from when on. Once: when it is over the stream is finished, and its numbers are used. */
  play(content: StreamContent): void {
    this.#content = content;
    this.#reportDueMs = content.startAtMs;
    const packets = packetsOf(content);
    this.impairer = content.impairment && new Impairer(content.impairment, packets);
  }

  /** Sends what is due at `nowMs` (`performance.now()`); false when the stream is over. */
  advance(nowMs: number): boolean {
    const content = this.#content;
    if (content === undefined) return false;
    if (nowMs < content.startAtMs) return true;
    const packets = packetsOf(content);
    const until = Math.min(packets, this.#index + CATCH_UP_PACKETS);
    while (this.#index < until && content.startAtMs + this.#dueMs <= nowMs) this.#sendNext(content);
    this.impairer?.release(nowMs, this.#send);
    if (this.#rtcpReady && nowMs >= this.#reportDueMs) this.#report(content, nowMs);
    if (this.#index < packets || (this.impairer?.waiting ?? 0) > 0) return true;
    this.impairer?.flush(this.#send);
    this.stop();
    return false;
  }

  /** Sends no more. */
  stop(): void {
    this.#content = undefined;
    this.#finish();
  }

  async close(): Promise<void> {
    this.stop();
    const closed = [once(this.#rtp, 'close'), once(this.#rtcp, 'close')];
    this.#rtp.close();
    this.#rtcp.close();
    await Promise.all(closed);
  }

  #sendNext(content: StreamContent): void {
    const dueMs = content.startAtMs + this.#dueMs;
    const packet = this.#build(content);
    this.#index += 1;
    if (this.impairer === undefined) this.#send(packet);
    else this.impairer.pass(packet, this.#send, dueMs);
  }

  /** The next packet; from here on the one after it is next. */
  #build(content: StreamContent): Buffer {
    const frame = 'frames' in content ? content.frames[this.#index] : undefined;
    const header: RtpHeader = {
      payloadType: frame?.payloadType ?? ('frames' in content ? 0 : content.payloadType),
      marker: frame?.marker ?? this.#index === 0,
      sequence: this.#firstSequence + this.#index,
      timestamp: this.#firstTimestamp + this.#units,
      ssrc: this.ssrc,
    };
    this.#dueMs += frame?.ms ?? PACKET_MS;
    this.#units += frame?.units ?? SAMPLES_PER_PACKET;
    if ('frames' in content) return buildPacketOf(header, frame?.payload ?? new Uint8Array());
    return buildRtpPacket(header, content.audio, this.#index * SAMPLES_PER_PACKET);
  }

  readonly #send = (packet: Buffer): void => {
    this.firstPacketAtMs ??= performance.timeOrigin + performance.now();
    this.packetsSent += 1;
    this.#octets += packet.length - 12;
    this.#rtp.send(packet);
  };

  #report(content: StreamContent, nowMs: number): void {
    this.#reportDueMs += REPORT_INTERVAL_MS;
    // The clock's rate is that of what was sent: 8 units a millisecond for all but Opus and L16.
    const unitsPerMs = this.#dueMs > 0 ? this.#units / this.#dueMs : 8;
    this.#rtcp.send(
      buildSenderReport({
        ssrc: this.ssrc,
        wallMs: performance.timeOrigin + nowMs,
        timestamp: this.#firstTimestamp + Math.round((nowMs - content.startAtMs) * unitsPerMs),
        packets: this.packetsSent,
        octets: this.#octets,
        cname: content.cname,
      }),
    );
  }
}

/**
 * One timer for all streams. Each packet has its place on an absolute schedule, so a late tick is caught up
 * and the rate does not drift.
 */
export class RtpPacer {
  readonly #streams = new Set<RtpStream>();
  readonly #tickMs: number;
  #timer: NodeJS.Timeout | undefined;
  #nextTickMs = 0;
  /** The longest that a tick came after its time: above 20 ms the sender itself adds jitter. */
  latestTickMs = 0;

  constructor(tickMs = 5) {
    this.#tickMs = tickMs;
  }

  add(stream: RtpStream): void {
    this.#streams.add(stream);
    if (this.#timer !== undefined) return;
    this.#nextTickMs = performance.now();
    this.#schedule();
  }

  /** Sends no more for any stream. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const stream of this.#streams) stream.stop();
    this.#streams.clear();
  }

  #schedule(): void {
    this.#timer = setTimeout(this.#tick, Math.max(0, this.#nextTickMs - performance.now()));
  }

  readonly #tick = (): void => {
    const nowMs = performance.now();
    this.latestTickMs = Math.max(this.latestTickMs, nowMs - this.#nextTickMs);
    for (const stream of this.#streams) if (!stream.advance(nowMs)) this.#streams.delete(stream);
    this.#nextTickMs = Math.max(this.#nextTickMs + this.#tickMs, nowMs);
    this.#timer = undefined;
    if (this.#streams.size > 0) this.#schedule();
  };
}
