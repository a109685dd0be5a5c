import { JitterBuffer } from '../jitter/jitter-buffer.ts';
import type { RtpPacket } from '../rtp/packet.ts';
import type { ChannelCounters } from './counters.ts';
import type { PacketStage } from './stage.ts';

export class JitterStage implements PacketStage {
  readonly buffer: JitterBuffer;
  readonly #counters: ChannelCounters;
  readonly #next: PacketStage;

  constructor(counters: ChannelCounters, next: PacketStage) {
    this.buffer = new JitterBuffer(next);
    this.#counters = counters;
    this.#next = next;
  }

  packet(packet: RtpPacket): void {
    const verdict = this.buffer.push(packet);
    if (verdict === 'late') this.#counters.late++;
    else if (verdict === 'duplicate') this.#counters.duplicate++;
  }

  toString(): string {
    return `Jitter(adaptive) -> ${String(this.#next)}`;
  }
}
