import type { LegCodec } from '@earshot/contracts';
import { SourceLatch, type NamedRemote } from '../rtp/latch.ts';
import { copyPacket, newRtpPacket, parseRtp, type RejectReason, type RtpPacket } from '../rtp/packet.ts';
import { SequenceTracker } from '../rtp/sequence.ts';
import type { ChannelCounters } from './counters.ts';
import type { PacketStage } from './stage.ts';

/** Datagrams in, valid packets of the latched source with extended sequence numbers out. */
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

  constructor(
    codecs: readonly LegCodec[],
    remote: NamedRemote | null,
    nowUs: number,
    counters: ChannelCounters,
    next: PacketStage,
  ) {
    this.#next = next;
    this.#counters = counters;
    this.#latch = new SourceLatch(remote, nowUs);
    this.setCodecs(codecs);
  }

  setCodecs(codecs: readonly LegCodec[]): void {
    this.#codecs = codecs;
    this.#taken.fill(0);
    for (const codec of codecs) this.#taken[codec.payloadType & 0x7f] = 1;
  }

  relatch(remote: NamedRemote | null, nowUs: number): void {
    this.#latch.relatch(remote, nowUs);
  }

  restore(ssrc: number, extended: number): void {
    this.#sequence.restore(ssrc, extended);
  }

  /** @returns whether the packet was taken */
  receive(bytes: Uint8Array, address: string, port: number, arrivalUs: number): boolean {
    const packet = this.#packet;
    const fault = parseRtp(bytes, packet);
    if (fault !== null) return this.#reject(fault);
    if (!this.#latch.accept(address, port, arrivalUs)) return this.#reject('source');
    return this.#accept(address, port, arrivalUs);
  }

  /** As receive, for a packet that a predecessor of this process had taken. */
  replay(bytes: Uint8Array, address: string, port: number, arrivalUs: number): void {
    if (parseRtp(bytes, this.#packet) !== null) return;
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
    if (this.#paused) {
      this.#reject('paused');
      return;
    }
    if (this.#taken[packet.payloadType] === 0) {
      // A type that was not agreed on: not for us, but its place in the sequence is no loss.
      this.#reject('payload_type');
      packet.end = packet.start;
    } else {
      this.#counters.received++;
    }
    this.#next.packet(packet);
  }

  #reject(reason: RejectReason): false {
    this.#counters.rejected[reason]++;
    return false;
  }

  toString(): string {
    const names = this.#codecs.map((codec) => `${codec.name}/${codec.clockRate ?? 8000}`).join(', ');
    return `Rtp(${names}) -> ${String(this.#next)}`;
  }
}
