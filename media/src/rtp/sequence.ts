import type { RtpPacket } from './packet.ts';

/** RFC 3550 appendix A.1: a step forward of up to this many packets is loss, not a new sequence. */
const MAX_DROPOUT = 3000;
/** RFC 3550 appendix A.1: a step back of up to this many packets is reordering. */
const MAX_MISORDER = 100;
/** Packets of the SSRC that was just left may still be on their way; they do not bring it back. */
const OLD_SSRC_US = 1_000_000;

/**
 * `in-sequence`: extended is set. `restart`: extended is set and the stream begins anew. `stale`: of the SSRC that was just
 * left. `jump`: a sequence number out of range; the next one in its sequence will restart.
 */
export type SequenceVerdict = 'in-sequence' | 'restart' | 'stale' | 'jump';

/**
 * Extended sequence numbers of one stream (RFC 3550 appendix A.1), over SSRC changes. Without A.1's probation: a source is
 * believed from its first packet, because latching chose it and its first words count.
 */
export class SequenceTracker {
  #ssrc = -1;
  #max = -1;
  #expectedAfterJump = -1;
  #leftSsrc = -1;
  #leftUs = 0;

  /** Goes on from a checkpoint. @param extended of the last packet that counts as received */
  restore(ssrc: number, extended: number): void {
    this.#ssrc = ssrc;
    this.#max = extended;
    this.#expectedAfterJump = -1;
  }

  /** Sets packet.extended and packet.restart. */
  accept(packet: RtpPacket): SequenceVerdict {
    packet.restart = false;
    if (packet.ssrc !== this.#ssrc) {
      if (packet.ssrc === this.#leftSsrc && packet.arrivalUs - this.#leftUs < OLD_SSRC_US) return 'stale';
      this.#leftSsrc = this.#ssrc;
      this.#leftUs = packet.arrivalUs;
      this.#ssrc = packet.ssrc;
      return this.#restart(packet);
    }
    const step = ((packet.sequence - (this.#max & 0xffff)) << 16) >> 16;
    if (step > MAX_DROPOUT || step < -MAX_MISORDER) {
      if (packet.sequence === this.#expectedAfterJump) return this.#restart(packet);
      this.#expectedAfterJump = (packet.sequence + 1) & 0xffff;
      return 'jump';
    }
    this.#expectedAfterJump = -1;
    packet.extended = this.#max + step;
    if (step > 0) this.#max = packet.extended;
    return 'in-sequence';
  }

  /** The extended number that a packet of this stream would get, without taking it. */
  extend(sequence: number): number {
    return this.#max + (((sequence - (this.#max & 0xffff)) << 16) >> 16);
  }

  #restart(packet: RtpPacket): SequenceVerdict {
    this.#expectedAfterJump = -1;
    this.#max = packet.sequence;
    packet.extended = packet.sequence;
    packet.restart = true;
    return 'restart';
  }
}
