import { bytesPerTick, type CallZero, type Encoding, type SpanKind, tickAt } from '@earshot/contracts';
import type { PacketSink, RtpPacket } from '../rtp/packet.ts';
import { Backlog } from './backlog.ts';
import { ClockDrift } from './clock-drift.ts';
import { IdleTime } from './idle-time.ts';
import { Ledger } from './ledger.ts';

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
  /** RTP timestamp units a tick. */
  unitsPerTick: number;
  /** Arrival of the packet, monotonic microseconds. */
  arrivalUs: number;
}

/** The next room for placed audio. Ticks rise and never overlap; what lies between two pieces is a gap. */
export interface AudioSink {
  /** bytes[start..end) is audio in the channel's encoding for the ticks from tick on. */
  audio(tick: number, bytes: Uint8Array, start: number, end: number, mark: RtpMark): void;
  /** Nothing was heard up to toTick, and nothing will be placed before it. */
  gap(toTick: number): void;
}

/** What a lost packet may have sounded like, from what was heard before it. */
export interface Concealer {
  /** bytes[start..end) was heard; after a concealment its beginning is blended in place with what was made up. */
  heard(bytes: Uint8Array, start: number, end: number): void;
  /** Makes ticks of audio, written from the front of out on. */
  conceal(out: Uint8Array, ticks: number): void;
  /** Makes ticks in which the sender has nothing to say: its comfort noise, or silence. */
  quiet(out: Uint8Array, ticks: number): void;
}

/** Holes up to 200 ms are filled: concealed when packets were lost, silence when none was sent. Longer ones are gaps. */
export const MAX_FILLED_TICKS = 1600;
/** A timestamp may run this far ahead of arrival before it is not believed. */
const MAX_AHEAD_TICKS = 8000;
/** After so long without audio the clock says that nothing is heard: words end. */
export const CLOCK_DELAY_US = 500_000;
const CLOCK_DELAY_TICKS = 4000;
/** How much of the silence it stamps then. The rest may still be filled by packets that were held up: 1 ms is lost of them. */
const HUSH_TICKS = 8;
/**
 * Packets that were held up for so long still find their ticks free; from then on the clock stamps what passed without one, this far
 * behind now. A virtual machine that is moved and a bridge that is paused stand still for less.
 */
export const MAX_STALL_US = 5_000_000;
const MAX_STALL_TICKS = 40_000;
/** A clock that is further off than this is corrected without waiting for silence. */
const FORCED_TICKS = 1600;
/** Below about -50 dBFS a packet is silence, which may be shortened or lengthened. */
const SILENCE_POWER = 100 ** 2;

/**
 * RTP to ticks (ARCHITECTURE.md, rule 1). The first packet's END is put at its arrival, since a packet is sent when its
 * last sample was taken; later ones go by RTP timestamp, however late they arrive. A new start by
 * arrival is made when the stream restarts, when a timestamp goes back by a packet or more, when it runs over a second ahead
 * of arrival, when the clock has already stamped its ticks, or when a sender's clock stood still (backlog.ts); never before the end
 * of what is stamped. A sender whose clock drifts is brought back by what silence is put in or left out (clock-drift.ts).
 */
export class Timeline implements PacketSink {
  /** Everything before it is stamped for good. */
  endTick = 0;
  /** Times that the timeline was put by arrival. */
  rebases = 0;
  /** When the last audio came, monotonic microseconds. */
  heardUs = -Infinity;
  /** When the last packet came that could be used: audio, or what means silence. */
  usableUs = -Infinity;
  readonly ledger = new Ledger();
  readonly #zero: CallZero;
  readonly #next: AudioSink;
  readonly #bytes: 1 | 2;
  readonly #concealer: Concealer;
  readonly #powerOf: (bytes: Uint8Array, start: number, end: number) => number;
  readonly #drift = new ClockDrift();
  readonly #backlog = new Backlog();
  readonly #idleTime = new IdleTime();
  readonly #filler: Uint8Array;
  readonly #mark: RtpMark = {
    ssrc: 0,
    extended: 0,
    previousExtended: 0,
    timestampAtEnd: 0,
    unitsPerTick: 1,
    arrivalUs: 0,
  };
  #mapped = false;
  /** The tick of #mark.timestampAtEnd. */
  #mappedTick = 0;
  /** Packets that never became audio since the last one that did. */
  #lostBefore = 0;
  /** Time was stamped as passed since the last audio. */
  #idle = false;

  /** @param powerOf mean square of the samples in bytes[start..end) */
  constructor(
    zero: CallZero,
    encoding: Encoding,
    concealer: Concealer,
    powerOf: (bytes: Uint8Array, start: number, end: number) => number,
    next: AudioSink,
  ) {
    this.#zero = zero;
    this.#next = next;
    this.#bytes = bytesPerTick(encoding);
    this.#concealer = concealer;
    this.#powerOf = powerOf;
    this.#filler = new Uint8Array(MAX_FILLED_TICKS * this.#bytes);
  }

  /** Goes on from a checkpoint: the RTP timestamp and the extended sequence at endTick. */
  restore(endTick: number, ssrc: number, extended: number, timestampAtEnd: number): void {
    this.endTick = endTick;
    this.ledger.restart(endTick);
    this.#mappedTick = endTick;
    this.#mapped = true;
    this.#mark.ssrc = ssrc;
    this.#mark.extended = extended;
    this.#mark.timestampAtEnd = timestampAtEnd;
    this.#drift.reset(endTick);
  }

  packet(packet: RtpPacket): void {
    const mark = this.#mark;
    this.#follow(packet);
    this.usableUs = packet.arrivalUs;
    if (packet.end <= packet.start) {
      // Telephone-event, comfort noise, nothing: the next one's timestamp shows how long, if it comes soon.
      mark.extended = packet.extended;
      const tick = tickAt(this.#zero, packet.arrivalUs);
      this.#idleTime.quiet(tick, this.#mapped ? this.#since(tick) : tick);
      return;
    }
    const { bytes } = packet;
    this.heardUs = packet.arrivalUs;
    const ticks = (packet.end - packet.start) / this.#bytes;
    const start = this.#corrected(this.#startOf(packet, ticks), ticks, packet);
    if (start > this.endTick) this.#hole(start, packet);
    this.#lostBefore = 0;
    this.#idle = false;
    mark.extended = packet.extended;
    mark.unitsPerTick = packet.unitsPerTick;
    mark.timestampAtEnd = (packet.timestamp + ticks * packet.unitsPerTick) >>> 0;
    const end = start + ticks;
    this.#mapped = true;
    this.#mappedTick = end;
    // All of it was left out, to catch up with a fast clock.
    if (end <= this.endTick) return;
    const skippedBytes = Math.max(0, this.endTick - start) * this.#bytes;
    const tick = Math.max(start, this.endTick);
    this.endTick = end;
    this.#idleTime.audioTo(end);
    this.ledger.span('received', end);
    // What was held up says nothing of the clocks.
    if (!this.#backlog.draining) this.#drift.packet(tickAt(this.#zero, packet.arrivalUs) - end, end);
    this.#concealer.heard(bytes, packet.start, packet.end);
    this.#next.audio(tick, bytes, packet.start + skippedBytes, packet.end, mark);
  }

  /** A packet of the stream that cannot be used. The next one's lostBefore has it. */
  unusable(packet: RtpPacket): void {
    this.#follow(packet);
    this.#mark.extended = packet.extended;
    const tick = tickAt(this.#zero, packet.arrivalUs);
    this.#idleTime.unusable(tick, this.#mapped ? this.#since(tick) : tick);
  }

  #follow(packet: RtpPacket): void {
    const mark = this.#mark;
    mark.previousExtended = packet.restart ? packet.extended - 1 : mark.extended;
    if (packet.ssrc !== mark.ssrc && this.#mapped) this.ledger.note('ssrc', packet.ssrc);
    mark.ssrc = packet.ssrc;
    mark.arrivalUs = packet.arrivalUs;
    this.#lostBefore += packet.lostBefore;
  }

  /** Where begins what is known at this tick: at the end of what is stamped, if that was a moment ago. */
  #since(tick: number): number {
    return tick - this.endTick < CLOCK_DELAY_TICKS ? this.endTick : tick;
  }

  /** An RTP timestamp and its tick; null while none has one. */
  get anchor(): { readonly timestamp: number; readonly tick: number } | null {
    return this.#mapped ? { timestamp: this.#mark.timestampAtEnd, tick: this.#mappedTick } : null;
  }

  /** Moves what comes by so many ticks, when that cannot be heard. */
  realign(ticks: number): void {
    if (this.#drift.pending === 0) this.#drift.realign(ticks);
  }

  /**
   * Time without audio passes as this from nowUs on: `held`, `paused`, or `absent` where packets are expected. What passed before stays
   * what it was; but where audio came a moment ago, a hold or a pause begins at its end.
   * @returns the tick from which on
   */
  passesAs(kind: SpanKind, nowUs: number): number {
    const tick = Math.max(this.endTick, tickAt(this.#zero, nowUs));
    const fromTick = kind === 'absent' ? tick : this.#since(tick);
    this.passesFrom(kind, fromTick);
    return fromTick;
  }

  /** As passesAs, where the tick is known. */
  passesFrom(kind: SpanKind, fromTick: number): void {
    this.#idleTime.passesAs(kind, fromTick);
  }

  /** The time since the last packet passed as this, from fromTick on: a predecessor knew, and what it left does not say. */
  passedAs(kind: SpanKind, fromTick: number): void {
    if (this.#idle) this.ledger.rename(kind, fromTick);
  }

  /**
   * Moves a timeline without audio on as a gap: a little after half a second, so that words end; as far as packets cannot come any more when
   * those that were held up would be 5 s late. At once as far where none can be held up: before the first one, and while
   * the stream is known to be interrupted.
   * @param idleSinceUs when the last audio came, or since when it is known that no packet waits unread
   * @returns whether it moved
   */
  clock(nowUs: number, idleSinceUs: number): boolean {
    const idleUs = nowUs - idleSinceUs;
    if (idleUs < CLOCK_DELAY_US) return false;
    const tick = tickAt(this.#zero, nowUs);
    if (!this.#mayBeHeldUp) return this.gapTo(tick - CLOCK_DELAY_TICKS);
    if (idleUs >= MAX_STALL_US) return this.gapTo(tick - MAX_STALL_TICKS);
    return this.#idle ? false : this.gapTo(Math.min(this.endTick + HUSH_TICKS, tick - CLOCK_DELAY_TICKS));
  }

  /** As clock, where no packet will come that goes on: at the end of the stream, or of a part of it. */
  finish(nowUs: number, idleSinceUs: number): void {
    if (nowUs - idleSinceUs >= CLOCK_DELAY_US) this.gapTo(tickAt(this.#zero, nowUs) - CLOCK_DELAY_TICKS);
  }

  get #mayBeHeldUp(): boolean {
    return this.#mapped && this.#idleTime.kind === 'absent';
  }

  /** @returns whether the end moved */
  gapTo(tick: number): boolean {
    if (tick <= this.endTick) return false;
    this.#idle = true;
    this.#pass(tick);
    return true;
  }

  /** Where the packet begins. Less than endTick only for a packet whose first part a checkpoint already has. */
  #startOf(packet: RtpPacket, length: number): number {
    const { unitsPerTick } = packet;
    if (this.#mapped && !packet.restart) {
      const step = Math.round(((packet.timestamp - this.#mark.timestampAtEnd) | 0) / unitsPerTick);
      const start = this.#mappedTick + step;
      const partlyStored = step < 0 && step > -length && this.#mappedTick === this.endTick;
      if (partlyStored) return start;
      const ahead = step > 0 && start + length > tickAt(this.#zero, packet.arrivalUs) + MAX_AHEAD_TICKS;
      // After a fast clock's audio was left out, the map is behind the end for a while.
      const catchingUp = this.#mappedTick < this.endTick && !this.#idle;
      // After a silence: it was held up, or its clock stood still. The first packets of it may be lost, or have no audio.
      const heldUp = this.#idle && start + length > this.endTick;
      if (heldUp) this.#backlog.begins(packet.arrivalUs);
      const lateTicks = tickAt(this.#zero, packet.arrivalUs) - (start + length);
      const stoodStill = !heldUp && this.#backlog.isNone(packet.arrivalUs, length, lateTicks);
      const placed = start >= this.endTick || catchingUp || heldUp;
      if (step >= 0 && !ahead && !stoodStill && placed) return start;
    }
    if (this.#mapped) this.ledger.note('rebased', 0);
    this.rebases++;
    this.#mapped = false;
    this.#backlog.ends();
    const start = Math.max(this.endTick, tickAt(this.#zero, packet.arrivalUs) - length);
    this.#drift.reset(start + length);
    return start;
  }

  /** Moves the start by what the sender's clock is off, where that cannot be heard. */
  #corrected(start: number, ticks: number, packet: RtpPacket): number {
    const { pending } = this.#drift;
    if (pending === 0 || !this.#mapped || start !== this.endTick) return start;
    const silent = this.#powerOf(packet.bytes, packet.start, packet.end) < SILENCE_POWER;
    if (!silent && Math.abs(pending) < FORCED_TICKS) return start;
    if (pending > 0) {
      const added = Math.min(pending, MAX_FILLED_TICKS);
      this.#drift.corrected(added);
      this.#fill(start + added, 'corrected', packet.timestamp);
      return start + added;
    }
    const dropped = Math.min(-pending, ticks);
    this.#drift.corrected(-dropped);
    this.ledger.note('dropped', dropped);
    return start - dropped;
  }

  #hole(start: number, packet: RtpPacket): void {
    const ticks = start - this.endTick;
    const lost = this.#lostBefore > 0;
    // #startOf unmaps when it goes by arrival: then the two sides have no common clock, and nothing is made up between. Nor is it over a
    // hold or a pause.
    if (this.#idle || !this.#mapped || this.#idleTime.changes) {
      this.#idleTime.audioFrom(start, lost);
      this.#pass(start);
    } else if (ticks <= MAX_FILLED_TICKS) {
      this.#fill(start, lost ? 'concealed' : 'dtx', packet.timestamp);
    } else {
      this.ledger.span(lost ? 'lost' : 'dtx', start);
      this.#gap(start);
    }
  }

  /** Stamps what passed without audio, each part as what it was. */
  #pass(toTick: number): void {
    for (let tick = this.endTick; tick < toTick;) {
      const kind = this.#idleTime.kindAt(tick);
      tick = Math.min(toTick, this.#idleTime.changeAfter(tick));
      this.ledger.span(kind, tick);
    }
    this.#gap(toTick);
    this.#idleTime.stamped(toTick);
  }

  #gap(toTick: number): void {
    this.endTick = toTick;
    this.#next.gap(toTick);
  }

  /** @param timestamp at the end of what is filled */
  #fill(toTick: number, kind: SpanKind, timestamp: number): void {
    const ticks = toTick - this.endTick;
    if (kind === 'concealed') this.#concealer.conceal(this.#filler, ticks);
    else this.#concealer.quiet(this.#filler, ticks);
    const mark = this.#mark;
    mark.extended = mark.previousExtended;
    mark.timestampAtEnd = timestamp;
    const tick = this.endTick;
    this.endTick = toTick;
    this.ledger.span(kind, toTick);
    this.#next.audio(tick, this.#filler, 0, ticks * this.#bytes, mark);
  }
}
