import type { LegCodec } from '@earshot/contracts';
import { SourceLatch, type NamedRemote } from '../rtp/latch.ts';
import {
  copyPacket,
  isRtcp,
  newRtpPacket,
  parseRtp,
  type RejectReason,
  type RtpPacket,
} from '../rtp/packet.ts';
import { SequenceTracker } from '../rtp/sequence.ts';
import type { ReceptionStatistics } from '../rtcp/reception.ts';
import { type SrtpReceiver, srtpFault } from '../srtp/receiver.ts';
import type { ChannelCounters } from './counters.ts';
import type { PacketStage } from './stage.ts';
import { COMFORT_NOISE_TYPE, streamRateOf } from './stream-rate.ts';

/** What a channel's RTP stage is made with. */
export interface RtpStageParts {
  readonly codecs: readonly LegCodec[];
  readonly remote: NamedRemote | null;
  readonly nowUs: number;
  readonly counters: ChannelCounters;
  readonly statistics: ReceptionStatistics;
  /** RTCP on the RTP port (RFC 5761). @returns whether that was agreed on */
  onRtcp(bytes: Uint8Array, address: string, port: number, arrivalUs: number): boolean;
}

/**
 * Where protected packets are opened, one at a time. Not where they lie: what a process had read and not logged when it was
 * killed is handed to its replacement as it came (native/reader.c), which opens it again.
 */
const OPENED = new Uint8Array(4096);

/** Datagrams in, valid packets of the latched source, opened, with extended sequence numbers out. */
export class RtpStage {
  readonly #next: PacketStage;
  readonly #counters: ChannelCounters;
  readonly #latch: SourceLatch;
  readonly #sequence = new SequenceTracker();
  readonly #packet = newRtpPacket();
  /** The first packet of an SSRC that is on probation. */
  readonly #kept = newRtpPacket();
  readonly #taken = new Uint8Array(128);
  /** Packets are followed and go no further. */
  #paused = false;
  #codecs: readonly LegCodec[] = [];

  readonly #parts: RtpStageParts;
  readonly #clockRates = new Int32Array(128);
  /** Opens protected packets; null where they are plain. */
  srtp: SrtpReceiver | null = null;
  /** Views of OPENED, kept while lengths stay the same. */
  #sealed = OPENED;
  #plain = OPENED;

  constructor(parts: RtpStageParts, next: PacketStage) {
    this.#parts = parts;
    this.#next = next;
    this.#counters = parts.counters;
    this.#latch = new SourceLatch(parts.remote, parts.nowUs);
    this.setCodecs(parts.codecs);
  }

  setCodecs(codecs: readonly LegCodec[]): void {
    this.#codecs = codecs;
    this.#taken.fill(0);
    this.#taken[COMFORT_NOISE_TYPE] = 1;
    for (const codec of codecs) {
      this.#taken[codec.payloadType & 0x7f] = 1;
      this.#clockRates[codec.payloadType & 0x7f] = streamRateOf(codec, codecs);
    }
  }

  relatch(remote: NamedRemote | null, nowUs: number): void {
    this.#latch.relatch(remote, nowUs);
  }

  restore(ssrc: number, extended: number): void {
    this.#sequence.restore(ssrc, extended);
  }

  /** @returns whether the packet was taken */
  receive(bytes: Uint8Array, address: string, port: number, arrivalUs: number): boolean {
    if (isRtcp(bytes)) {
      return this.#parts.onRtcp(bytes, address, port, arrivalUs) ? false : this.#reject('rtcp');
    }
    const plain = this.srtp === null ? bytes : this.#opened(this.srtp, bytes, arrivalUs);
    if (plain === null) return false;
    const fault = parseRtp(plain, this.#packet);
    if (fault !== null) return this.#reject(fault);
    if (!this.#latch.accept(address, port, arrivalUs)) return this.#reject('source');
    return this.#accept(address, port, arrivalUs);
  }

  /** A copy without what protected it, or null when it is not taken. The datagram stays as it came: see OPENED. */
  #opened(srtp: SrtpReceiver, bytes: Uint8Array, arrivalUs: number): Uint8Array | null {
    if (bytes.length > OPENED.length) return this.#none('size');
    if (this.#sealed.length !== bytes.length) this.#sealed = OPENED.subarray(0, bytes.length);
    this.#sealed.set(bytes);
    const length = srtp.openRtp(this.#sealed, arrivalUs);
    if (length >= 0) {
      if (this.#plain.length !== length) this.#plain = OPENED.subarray(0, length);
      return this.#plain;
    }
    const fault = srtpFault(length);
    if (fault === 'srtp_replay') this.#counters.duplicate++;
    else this.#reject(fault === 'srtp_malformed' ? 'garbage' : 'authentication');
    return null;
  }

  #none(reason: RejectReason): null {
    this.#reject(reason);
    return null;
  }

  /** As receive, for a packet that a predecessor of this process had taken. */
  replay(bytes: Uint8Array, address: string, port: number, arrivalUs: number): void {
    const packet = this.#packet;
    if (parseRtp(bytes, packet) !== null) return;
    // The log has packets as they were opened.
    this.srtp?.replayed(packet.ssrc, packet.sequence, arrivalUs);
    this.#latch.take(address, port, arrivalUs);
    this.#accept(address, port, arrivalUs);
  }

  #accept(address: string, port: number, arrivalUs: number): boolean {
    const packet = this.#packet;
    packet.arrivalUs = arrivalUs;
    packet.address = address;
    packet.port = port;
    const verdict = this.#sequence.accept(packet);
    if (verdict === 'jump') return this.#reject('sequence');
    if (verdict === 'stale') {
      this.#counters.late++;
      return false;
    }
    if (verdict === 'probation') {
      copyPacket(packet, this.#kept);
      // The datagram is the socket's; this one is kept over the call, which is rare enough to copy.
      this.#kept.bytes = Uint8Array.from(packet.bytes);
      return false;
    }
    if (verdict === 'restart-with-kept') this.#deliverWithKept(packet);
    else this.#deliver(packet);
    return true;
  }

  /** The kept packet and the one that confirmed it begin the stream, in the order of their sequence numbers. */
  #deliverWithKept(confirming: RtpPacket): void {
    const kept = this.#kept;
    kept.extended = this.#sequence.extend(kept.sequence);
    kept.restart = kept.extended < confirming.extended;
    confirming.restart = !kept.restart;
    this.#deliver(kept.restart ? kept : confirming);
    this.#deliver(kept.restart ? confirming : kept);
  }

  /** The extended number of the newest packet; -1 before the first. */
  get highest(): number {
    return this.#sequence.highest;
  }

  pause(paused: boolean): void {
    this.#paused = paused;
  }

  #deliver(packet: RtpPacket): void {
    const clockRate = this.#clockRates[packet.payloadType]!;
    if (clockRate > 0) this.#parts.statistics.update(packet, clockRate);
    const taken = this.#taken[packet.payloadType] === 1;
    // A type that was not agreed on goes on all the same: its place in the sequence is no loss on the way.
    if (!taken) this.#reject('payload_type');
    else if (this.#paused) this.#reject('paused');
    else this.#counters.received++;
    if (this.#paused) return;
    if (!taken) packet.end = packet.start;
    this.#next.packet(packet);
  }

  #reject(reason: RejectReason): false {
    this.#counters.rejected[reason]++;
    return false;
  }

  toString(): string {
    const names = this.#codecs.map((codec) => `${codec.name}/${codec.clockRate ?? 8000}`).join(', ');
    const protection = this.srtp === null ? '' : `${String(this.srtp)} -> `;
    return `${protection}Rtp(${names}) -> ${String(this.#next)}`;
  }
}
