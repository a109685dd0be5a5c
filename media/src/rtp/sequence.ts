import type { RtpPacket } from './packet.ts';

/** RFC 3550 appendix A.1: a step forward of up to this many packets is loss, not a new sequence. */
const MAX_DROPOUT = 3000;
/** RFC 3550 appendix A.1: a step back of up to this many packets is reordering. */
const MAX_MISORDER = 100;
/** Packets of the SSRC that was just left may still be on their way; they do not bring it back. */
const OLD_SSRC_US = 1_000_000;

/** A new SSRC is believed at its second packet in a row, if that is at most this far in its sequence. */
const MAX_PROBATION_STEP = 10;

/**
 * `in-sequence`: extended is set. `restart`: extended is set and the stream begins anew. `stale`: of the SSRC that was just
 * left. `jump`: a sequence number out of range; the next one in its sequence will restart. `probation`: the first packet of
 * another SSRC, to be kept: if the next one confirms it (`restart-with-kept`), the kept one belongs before it.
 */
export type SequenceVerdict =
  'in-sequence' | 'restart' | 'restart-with-kept' | 'stale' | 'jump' | 'probation';

/**
 * Extended sequence numbers of one stream (RFC 3550 appendix A.1), over SSRC changes. The first SSRC is believed at once,
 * because latching chose its source and its first words count; another one only when two of its packets come in a row (A.1's
 * probation), so that strays of another stream do not tear the channel's own to pieces.
 */
export class SequenceTracker {
  #ssrc = -1;
  #max = -1;
  #expectedAfterJump = -1;
  #leftSsrc = -1;
  #leftUs = 0;
  #candidateSsrc = -1;
  #candidateSequence = 0;

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
      if (this.#ssrc !== -1 && !this.#confirms(packet)) return 'probation';
      const kept = this.#ssrc !== -1;
      this.#leftSsrc = this.#ssrc;
      this.#leftUs = packet.arrivalUs;
      this.#ssrc = packet.ssrc;
      this.#candidateSsrc = -1;
      this.#restart(packet);
      if (!kept) return 'restart';
      // One cycle up: the kept packet may lie before the wrap, and an extended number is never negative.
      packet.extended += 0x10000;
      this.#max = packet.extended;
      return 'restart-with-kept';
    }
    this.#candidateSsrc = -1;
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

  /** The highest so far; -1 before the first packet. */
  get highest(): number {
    return this.#max;
  }

  /** The extended number that a packet of this stream would get, without taking it. */
  extend(sequence: number): number {
    return this.#max + (((sequence - (this.#max & 0xffff)) << 16) >> 16);
  }

  #confirms(packet: RtpPacket): boolean {
    const step = ((packet.sequence - this.#candidateSequence) << 16) >> 16;
    if (packet.ssrc === this.#candidateSsrc && step !== 0 && Math.abs(step) <= MAX_PROBATION_STEP)
      return true;
    this.#candidateSsrc = packet.ssrc;
    this.#candidateSequence = packet.sequence;
    return false;
  }

  #restart(packet: RtpPacket): SequenceVerdict {
    this.#expectedAfterJump = -1;
    this.#max = packet.sequence;
    packet.extended = packet.sequence;
    packet.restart = true;
    return 'restart';
  }
}
