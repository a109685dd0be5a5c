import type { CallZero, CodecName } from '@earshot/contracts';
import type { RtpPacket } from '../rtp/packet.ts';
import { Timeline } from '../timeline/timeline.ts';
import type { AudioStage, PacketStage } from './stage.ts';

export class TimelineStage implements PacketStage {
  readonly timeline: Timeline;
  readonly #next: AudioStage;

  constructor(zero: CallZero, encoding: CodecName, next: AudioStage) {
    this.timeline = new Timeline(zero, encoding, next);
    this.#next = next;
  }

  packet(packet: RtpPacket): void {
    this.timeline.packet(packet);
  }

  toString(): string {
    return `Timeline -> ${String(this.#next)}`;
  }
}
