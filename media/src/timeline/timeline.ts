import { type CallZero, type CodecName, tickAt } from '@earshot/contracts';
import { Concealment } from '../codec/concealment.ts';
import type { PacketSink, RtpPacket } from '../rtp/packet.ts';

/**
 * Where in the RTP stream a piece of audio ends: what a spool block needs to be a checkpoint. The object is used again for
 * the next piece.
 */
export interface RtpMark {
  ssrc: number;
  /** Extended sequence of the packet that the piece completes. */
  extended: number;
  /** The packet before it: the checkpoint while the piece is only partly stored. */
  previousExtended: number;
  /** RTP timestamp right after the piece. */
  timestampAtEnd: number;
  /** Arrival of the packet, monotonic microseconds. */
  arrivalUs: number;
}

/** The next room for placed audio. Ticks rise and never overlap; what lies between two pieces is a gap. */
export interface AudioSink {
  /** bytes[start..end) are codes for the ticks from tick on. */
  audio(tick: number, bytes: Uint8Array, start: number, end: number, mark: RtpMark): void;
  /** Nothing was heard up to toTick, and nothing will be placed before it. */
  gap(toTick: number): void;
}

/** Holes up to 200 ms are filled: concealed when packets were lost, silence when none was sent. Longer ones are gaps. */
export const MAX_FILLED_TICKS = 1600;
/** A timestamp may run this far ahead of arrival before it is not believed. */
const MAX_AHEAD_TICKS = 8000;
/** The clock moves an idle timeline on, this far behind now, and not before it was idle for as long. */
export const CLOCK_DELAY_US = 500_000;
const CLOCK_DELAY_TICKS = 4000;

/**
 * RTP to ticks (ARCHITECTURE.md, rule 1). The first packet's END is put at its arrival, since a packet is sent when its
 * last sample was taken; later ones go by RTP timestamp, one tick a unit at 8 kHz, however late they arrive. A new start by
 * arrival is made when the stream restarts, when a timestamp goes back by a packet or more, when it runs over a second ahead
 * of arrival, or when the clock has already stamped its ticks; never before the end of what is stamped.
 */
export class Timeline implements PacketSink {
  /** Everything before it is stamped for good. */
  endTick = 0;
  /** Times that the timeline was put by arrival. */
  rebases = 0;
  readonly #zero: CallZero;
  readonly #next: AudioSink;
  readonly #concealment: Concealment;
  readonly #filler = new Uint8Array(MAX_FILLED_TICKS);
  readonly #mark: RtpMark = {
    ssrc: 0,
    extended: 0,
    previousExtended: 0,
    timestampAtEnd: 0,
    arrivalUs: 0,
  };
  #mapped = false;
  /** The tick of #mark.timestampAtEnd. */
  #mappedTick = 0;

  constructor(zero: CallZero, encoding: CodecName, next: AudioSink) {
    this.#zero = zero;
    this.#next = next;
    this.#concealment = new Concealment(encoding);
  }

  /** Goes on from a checkpoint: the RTP timestamp and the extended sequence at endTick. */
  restore(endTick: number, ssrc: number, extended: number, timestampAtEnd: number): void {
    this.endTick = endTick;
    this.#mappedTick = endTick;
    this.#mapped = true;
    this.#mark.ssrc = ssrc;
    this.#mark.extended = extended;
    this.#mark.timestampAtEnd = timestampAtEnd;
  }

  packet(packet: RtpPacket): void {
    const mark = this.#mark;
    mark.previousExtended = packet.restart ? packet.extended - 1 : mark.extended;
    mark.ssrc = packet.ssrc;
    mark.arrivalUs = packet.arrivalUs;
    if (packet.end <= packet.start) {
      // A packet without audio for us (telephone-event, comfort noise): its time shows in the next one's timestamp.
      mark.extended = packet.extended;
      return;
    }
    const start = this.#startOf(packet);
    const skipped = start < this.endTick ? this.endTick - start : 0;
    if (start > this.endTick) this.#hole(start, packet);
    mark.extended = packet.extended;
    mark.timestampAtEnd = (packet.timestamp + packet.end - packet.start) >>> 0;
    const tick = start + skipped;
    this.endTick = start + packet.end - packet.start;
    this.#mappedTick = this.endTick;
    this.#mapped = true;
    this.#concealment.heard(packet.bytes, packet.start, packet.end);
    this.#next.audio(tick, packet.bytes, packet.start + skipped, packet.end, mark);
  }

  /**
   * Moves an idle timeline on as a gap.
   * @param idleSinceUs when the last packet came, or since when it is known that none waits unread
   * @returns whether it moved
   */
  clock(nowUs: number, idleSinceUs: number): boolean {
    if (nowUs - idleSinceUs < CLOCK_DELAY_US) return false;
    return this.gapTo(tickAt(this.#zero, nowUs) - CLOCK_DELAY_TICKS);
  }

  /** @returns whether the end moved */
  gapTo(tick: number): boolean {
    if (tick <= this.endTick) return false;
    this.endTick = tick;
    this.#next.gap(tick);
    return true;
  }

  /** Where the packet begins. Less than endTick only for a packet whose first part a checkpoint already has. */
  #startOf(packet: RtpPacket): number {
    const length = packet.end - packet.start;
    if (this.#mapped && !packet.restart) {
      const step = (packet.timestamp - this.#mark.timestampAtEnd) | 0;
      const start = this.#mappedTick + step;
      const partlyStored = step < 0 && step > -length && this.#mappedTick === this.endTick;
      if (partlyStored) return start;
      const ahead = step > 0 && start + length > tickAt(this.#zero, packet.arrivalUs) + MAX_AHEAD_TICKS;
      if (step >= 0 && start >= this.endTick && !ahead) return start;
    }
    this.rebases++;
    this.#mapped = false;
    return Math.max(this.endTick, tickAt(this.#zero, packet.arrivalUs) - length);
  }

  #hole(start: number, packet: RtpPacket): void {
    const ticks = start - this.endTick;
    // #startOf unmaps when it goes by arrival: then the two sides have no common clock, and nothing is made up between.
    if (!this.#mapped || ticks > MAX_FILLED_TICKS) {
      this.#next.gap(start);
      this.endTick = start;
      return;
    }
    if (packet.lostBefore > 0) this.#concealment.conceal(this.#filler, ticks);
    else this.#filler.fill(this.#concealment.silence, 0, ticks);
    const mark = this.#mark;
    mark.extended = mark.previousExtended;
    mark.timestampAtEnd = packet.timestamp;
    const tick = this.endTick;
    this.endTick = start;
    this.#next.audio(tick, this.#filler, 0, ticks, mark);
  }
}
