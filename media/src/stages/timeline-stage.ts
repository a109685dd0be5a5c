import type { CallZero, Encoding } from '@earshot/contracts';
import { Concealment } from '../codec/concealment.ts';
import type { RtpPacket } from '../rtp/packet.ts';
import { Timeline } from '../timeline/timeline.ts';
import { powerOf } from '../vad/power.ts';
import type { AudioStage, PacketStage } from './stage.ts';

export class TimelineStage implements PacketStage {
  readonly timeline: Timeline;
  readonly concealment: Concealment;
  readonly #next: AudioStage;

  constructor(zero: CallZero, encoding: Encoding, next: AudioStage) {
    this.concealment = new Concealment(encoding);
    this.timeline = new Timeline(zero, encoding, this.concealment, powerOf(encoding), next);
    this.#next = next;
  }

  packet(packet: RtpPacket): void {
    this.timeline.packet(packet);
  }

  toString(): string {
    return `Timeline -> ${String(this.#next)}`;
  }
}
