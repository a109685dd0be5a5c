import { TICKS_PER_MS } from '@earshot/contracts';
import { JitterBuffer } from '../jitter/jitter-buffer.ts';
import type { RtpPacket } from '../rtp/packet.ts';
import type { ChannelCounters } from './counters.ts';
import type { PacketStage } from './stage.ts';

/** 60 ms: three packets of 20 ms, more than a LAN between an SBC and us reorders. */
export const JITTER_DEPTH_TICKS = 60 * TICKS_PER_MS;

export class JitterStage implements PacketStage {
  readonly buffer: JitterBuffer;
  readonly #counters: ChannelCounters;
  readonly #next: PacketStage;

  constructor(counters: ChannelCounters, next: PacketStage) {
    this.buffer = new JitterBuffer(JITTER_DEPTH_TICKS, next);
    this.#counters = counters;
    this.#next = next;
  }

  packet(packet: RtpPacket): void {
    const verdict = this.buffer.push(packet);
    if (verdict === 'late') this.#counters.late++;
    else if (verdict === 'duplicate') this.#counters.duplicate++;
  }

  toString(): string {
    return `Jitter(${JITTER_DEPTH_TICKS / TICKS_PER_MS}ms) -> ${String(this.#next)}`;
  }
}
