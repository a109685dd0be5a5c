import {
  BLOCK_TICKS,
  HANGOVER_TICKS,
  powerOfSamples,
  PRE_ROLL_TICKS,
  type SpeechJudge,
  type SpeechMark,
  VAD_FRAME_TICKS,
} from '@earshot/contracts';
import { round } from '../statistics.ts';
import type { Word } from './material.ts';

const PRE_ROLL_FRAMES = PRE_ROLL_TICKS / VAD_FRAME_TICKS;
const HANGOVER_FRAMES = HANGOVER_TICKS / VAD_FRAME_TICKS;
/** A cut that is shorter is not heard. */
const CLIPPED_TICKS = 320;

/** Raw speech of each frame. */
export function bitsOf(pcm: Int16Array, judge: SpeechJudge): Uint8Array {
  const bits = new Uint8Array(Math.floor(pcm.length / VAD_FRAME_TICKS));
  for (let i = 0; i < bits.length; i++)
    bits[i] = judge.frame(pcm, i * VAD_FRAME_TICKS, (i + 1) * VAD_FRAME_TICKS) ? 1 : 0;
  return bits;
}

/** What a judge that knows the words would say. */
export function bitsOfWords(length: number, words: readonly Word[]): Uint8Array {
  const bits = new Uint8Array(Math.floor(length / VAD_FRAME_TICKS));
  for (const { start, end } of words)
    bits.fill(1, Math.floor(start / VAD_FRAME_TICKS), Math.ceil(end / VAD_FRAME_TICKS));
  return bits;
}

/** Frames for which the gate is open: the rule of contracts' Gate, all of whose times are whole frames. */
export function openFrames(bits: Uint8Array): Uint8Array {
  const open = new Uint8Array(bits.length);
  for (const [i, bit] of bits.entries())
    if (bit === 1) open.fill(1, Math.max(0, i - PRE_ROLL_FRAMES), i + 1 + HANGOVER_FRAMES);
  return open;
}

/** Frames within 20 dB of the loudest: in a good recording of a person they are speech. */
export function loudFrames(pcm: Int16Array): Uint8Array {
  const powers = Array.from({ length: Math.floor(pcm.length / VAD_FRAME_TICKS) }, (_, i) =>
    powerOfSamples(pcm, i * VAD_FRAME_TICKS, (i + 1) * VAD_FRAME_TICKS),
  );
  const least = powers.reduce((most, power) => Math.max(most, power), 0) / 100;
  return Uint8Array.from(powers, (power) => (power > least ? 1 : 0));
}

/** How many of the frames lie outside the open gate. */
export const closedOf = (open: Uint8Array, frames: Uint8Array): number =>
  frames.reduce((sum, bit, i) => sum + (bit === 1 && open[i] === 0 ? 1 : 0), 0);

/** As the spool and a recording's marks keep them. */
export function marksOf(bits: Uint8Array): SpeechMark[] {
  const each = BLOCK_TICKS / VAD_FRAME_TICKS;
  const marks: SpeechMark[] = [];
  for (let at = 0; at < bits.length; at += each) {
    const part = bits.subarray(at, at + each);
    marks.push([
      at * VAD_FRAME_TICKS,
      part.length * VAD_FRAME_TICKS,
      part.reduce((sum, bit, i) => sum + bit * 2 ** i, 0),
    ]);
  }
  return marks;
}

/** What a gate does to words and to what lies between them. */
export class GateTally {
  #words = 0;
  #missed = 0;
  #clippedStarts = 0;
  #clippedEnds = 0;
  #lost = 0;
  #quietFrames = 0;
  #gatedFrames = 0;
  #frames = 0;
  #openFrames = 0;

  add(open: Uint8Array, words: readonly Word[]): void {
    const isOpen = (tick: number): boolean => open[Math.floor(tick / VAD_FRAME_TICKS)] === 1;
    for (const { start, end } of words) {
      this.#words++;
      const clippedAt = (from: number, step: number): number => {
        let ticks = 0;
        while (ticks < end - start && !isOpen(from + step * ticks)) ticks++;
        return ticks;
      };
      const cutStart = clippedAt(start, 1);
      const cutEnd = clippedAt(end - 1, -1);
      let outside = false;
      for (let tick = start; tick < end && !outside; tick++) outside = !isOpen(tick);
      if (outside) this.#missed++;
      if (cutStart > CLIPPED_TICKS) this.#clippedStarts++;
      if (cutEnd > CLIPPED_TICKS) this.#clippedEnds++;
      if (cutStart === end - start) this.#lost++;
    }
    const spoken = bitsOfWords(open.length * VAD_FRAME_TICKS, words);
    for (const [i, bit] of spoken.entries()) {
      this.#frames++;
      this.#openFrames += open[i]!;
      if (bit === 1) continue;
      this.#quietFrames++;
      this.#gatedFrames += 1 - open[i]!;
    }
  }

  get figure() {
    return {
      words: this.#words,
      missedPercent: round((100 * this.#missed) / Math.max(1, this.#words), 2),
      clippedStarts: this.#clippedStarts,
      clippedEnds: this.#clippedEnds,
      wholeWordsLost: this.#lost,
      silenceGatedPercent: round((100 * this.#gatedFrames) / Math.max(1, this.#quietFrames), 1),
      passedPercent: round((100 * this.#openFrames) / Math.max(1, this.#frames), 1),
    };
  }
}

/** Share of the time, after the first second, that the gate is open. */
export function passedPercent(open: Uint8Array): number {
  const rest = open.subarray(8000 / VAD_FRAME_TICKS);
  return round((100 * rest.reduce((sum, bit) => sum + bit, 0)) / Math.max(1, rest.length), 1) ?? 0;
}
