import type { CallZero, Encoding } from '@earshot/contracts';
import { Concealment } from '../codec/concealment.ts';
import type { RtpPacket } from '../rtp/packet.ts';
import { Timeline } from '../timeline/timeline.ts';
import { powerOf } from '../vad/power.ts';
import type { AudioStage, DecodedStage } from './stage.ts';

export class TimelineStage implements DecodedStage {
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

  unusable(packet: RtpPacket): void {
    this.timeline.unusable(packet);
  }

  toString(): string {
    return `Timeline -> ${String(this.#next)}`;
  }
}
