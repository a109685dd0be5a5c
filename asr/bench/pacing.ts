import { PRE_ROLL_TICKS } from '@earshot/contracts';
import { Gated } from '../src/batch/gated.ts';
import type { Tape } from './protocol.ts';

/** As media workers do: each channel sends every 100 ms, a fifth of the channels in each turn of 20 ms. */
export const MESSAGE_TICKS = 800;
export const TURN_MS = 20;
const TURNS = 5;
/** Channels begin within this time, so that neither their messages nor their chunks come all at once. */
const SPREAD_MS = 1000;
const FRAME_TICKS = 160;
/** Words of so many channels are looked at. */
export const WATCHED = 64;
/** Before it is measured. */
export const WARM_UP_MS = 2500;
/** So far behind (ms), a trial is lost and broken off. */
export const LOST_MS = 2500;

/** Audio of (from, to], or a stretch that is left out. Ticks of the channel. */
export interface Part {
  readonly audio: Int16Array | null;
  readonly from: number;
  readonly to: number;
}

/** A tape that is played in a loop. */
export class Loop {
  readonly tape: Tape;
  /** Of each 20 ms of the tape: 0 left out, 1 audio before speech (sent late by the pre-roll), 2 audio. */
  readonly #kinds: Uint8Array;

  /** @param gated whether silence is left out as the live path does it */
  constructor(tape: Tape, gated: boolean) {
    // A whole number of frames, so that the loop's frames stay where they are.
    const whole = tape.pcm.length - (tape.pcm.length % FRAME_TICKS);
    this.tape = { ...tape, pcm: tape.pcm.subarray(0, whole) };
    this.#kinds = new Uint8Array(whole / FRAME_TICKS).fill(gated ? 0 : 2);
    if (!gated) return;
    for (const piece of new Gated().push(this.tape.pcm, true)) {
      if (piece.kind === 'gap') continue;
      const first = piece.from / FRAME_TICKS;
      const afterGap = first === 0 || this.#kinds[first - 1] === 0;
      for (let at = first; at * FRAME_TICKS < piece.from + piece.samples.length; at++) {
        this.#kinds[at] = afterGap && at < first + PRE_ROLL_TICKS / FRAME_TICKS ? 1 : 2;
      }
    }
  }

  get audioShare(): number {
    return this.#kinds.reduce((sum, kind) => sum + (kind > 0 ? 1 : 0), 0) / this.#kinds.length;
  }

  /** Whether a latency is to be taken of the audio that ends at a tick of a channel. */
  counts(offset: number, tick: number): boolean {
    const { length } = this.tape.pcm;
    return this.#kinds[Math.floor(((offset + tick - 1) % length) / FRAME_TICKS)] === 2;
  }

  /** What a channel that began at `offset` of the tape is sent of (from, to]; all on frames of 20 ms. */
  *parts(offset: number, from: number, to: number): Generator<Part> {
    const { pcm } = this.tape;
    for (let at = from; at < to;) {
      const place = (offset + at) % pcm.length;
      const open = this.#kinds[place / FRAME_TICKS]! > 0;
      let end = at;
      while (
        end < to &&
        (end === at || (offset + end) % pcm.length !== 0) &&
        this.#kinds[((offset + end) % pcm.length) / FRAME_TICKS]! > 0 === open
      )
        end += FRAME_TICKS;
      yield { audio: open ? pcm.subarray(place, place + end - at) : null, from: at, to: end };
      at = end;
    }
  }
}

/** One channel's clock: what it is due to send, and when its sound was made. */
export class PacedChannel {
  readonly loop: Loop;
  readonly offset: number;
  readonly startMs: number;
  sentTick = 0;

  /** @param baseMs when the first channel begins */
  constructor(index: number, loop: Loop, baseMs: number) {
    this.loop = loop;
    // Golden-ratio steps spread any number of channels evenly.
    const share = (index * 0.6180339887) % 1;
    this.offset = Math.floor((share * loop.tape.pcm.length) / FRAME_TICKS) * FRAME_TICKS;
    const turns = SPREAD_MS / TURN_MS;
    const turn = Math.floor(((index * 0.7548776662) % 1) * (turns / TURNS)) * TURNS + (index % TURNS);
    this.startMs = baseMs + turn * TURN_MS;
  }

  /** Whole messages up to now. */
  dueTick(nowMs: number): number {
    return Math.max(0, Math.floor(((nowMs - this.startMs) * 8) / MESSAGE_TICKS) * MESSAGE_TICKS);
  }
}

/** When the next turn begins. */
export const untilNextTurn = (nowMs: number, baseMs: number): number =>
  TURN_MS - ((nowMs - baseMs) % TURN_MS);
