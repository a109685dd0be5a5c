import { Concealment } from '../../src/codec/concealment.ts';
import { newRtpPacket } from '../../src/rtp/packet.ts';
import { type AudioSink, Timeline } from '../../src/timeline/timeline.ts';
import { powerOf } from '../../src/vad/power.ts';
import { expect } from 'vitest';

const ZERO = { wallMs: 0, monoUs: 1_000_000_000 };
export const usAt = (tick: number): number => ZERO.monoUs + tick * 125;

/** Writes down what was placed, and that it never overlaps. */
class Written implements AudioSink {
  readonly pieces: { kind: 'audio' | 'gap'; from: number; to: number; codes: number[] }[] = [];
  end = 0;
  audio(tick: number, bytes: Uint8Array, start: number, end: number): void {
    expect(tick).toBe(this.end);
    expect(end).toBeGreaterThan(start);
    this.end = tick + end - start;
    this.pieces.push({ kind: 'audio', from: tick, to: this.end, codes: [...bytes.subarray(start, end)] });
  }
  gap(toTick: number): void {
    expect(toTick).toBeGreaterThan(this.end);
    this.pieces.push({ kind: 'gap', from: this.end, to: toTick, codes: [] });
    this.end = toTick;
  }
  get spans(): [string, number, number][] {
    return this.pieces.map(({ kind, from, to }) => [kind, from, to]);
  }
}

/** Packets of 20 ms for a timeline that begins at tick 0. */
export class Stream {
  readonly ledger = new Written();
  readonly timeline = new Timeline(ZERO, 'PCMU', new Concealment('PCMU'), powerOf('PCMU'), this.ledger);
  #restart = true;
  #last = 0;
  send(extended: number, timestamp: number, arrivalTick: number, ticks = 160, code = 5): void {
    const packet = newRtpPacket();
    packet.bytes = new Uint8Array(ticks).fill(code);
    packet.end = ticks;
    packet.extended = extended;
    packet.timestamp = timestamp >>> 0;
    packet.arrivalUs = usAt(arrivalTick);
    packet.lostBefore = this.#restart ? 0 : Math.max(0, extended - this.#last - 1);
    packet.restart = this.#restart;
    this.#restart = false;
    this.#last = extended;
    this.timeline.packet(packet);
  }
  startAnew(): void {
    this.#restart = true;
  }
}
