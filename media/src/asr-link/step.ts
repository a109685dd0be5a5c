import { toLinear } from '@earshot/contracts';
import type { AudioSource } from '../spool/tape.ts';
import { endOf } from '../spool/tape-block.ts';
import { PRE_ROLL_TICKS } from '../vad/gate.ts';

/** What to send next: audio or a gap from the cursor to `to`; nothing when to is the cursor. Used again. */
export interface Step {
  kind: 'audio' | 'gap';
  to: number;
}

/**
 * Decides what follows the cursor. Audio while the gate is open, a gap while it is closed or nothing was heard.
 * @param limit not beyond: the engine's credit, the channel's end
 * @param maxAudioTicks not more audio than that in one step
 * @param final no more audio will come: what is undecided is decided
 */
export function nextStep(
  source: AudioSource,
  cursor: number,
  limit: number,
  maxAudioTicks: number,
  final: boolean,
  out: Step,
): void {
  const end = Math.min(limit, source.endTick);
  out.kind = 'gap';
  out.to = cursor;
  if (cursor >= end) return;
  const openUntil = source.gate.openUntil(cursor);
  if (openUntil < 0) {
    // Speech that begins within the pre-roll will open the gate back to here.
    const decided = final ? Infinity : source.decidedTick - PRE_ROLL_TICKS;
    out.to = Math.max(cursor, Math.min(end, decided, Math.ceil(source.gate.nextOpen(cursor))));
    return;
  }
  const until = Math.min(end, openUntil);
  let block = source.blockFrom(cursor);
  if (block === null || block.startTick > cursor) {
    out.to = block === null ? until : Math.min(until, block.startTick);
    return;
  }
  out.kind = 'audio';
  const most = Math.min(until, cursor + maxAudioTicks);
  while (block !== null && block.startTick <= out.to && out.to < most) {
    out.to = Math.min(most, endOf(block));
    block = source.blockFrom(out.to);
  }
}

/**
 * [from, to) as linear samples, at the front of out, which has room for them; the source has audio for all of it.
 * @returns that part of out, as bytes in the machine's order
 */
export function pcmOf(source: AudioSource, from: number, to: number, out: Int16Array): Uint8Array {
  let at = from;
  while (at < to) {
    const block = source.blockFrom(at);
    if (block === null || block.startTick > at) break;
    const end = Math.min(to, endOf(block));
    toLinear(block.encoding, block.payload, at - block.startTick, end - block.startTick, out, at - from);
    at = end;
  }
  // What the buffer had before was another channel's.
  if (at < to) out.fill(0, at - from, to - from);
  return new Uint8Array(out.buffer, out.byteOffset, (to - from) * 2);
}
