import { BLOCK_TICKS, VAD_FRAME_TICKS, linearToUlaw } from '@earshot/contracts';
import { type AudioSource, Tape } from '../../../media/src/spool/tape.ts';
import { type TapeBlock, addSpeech, endOf, newTapeBlock } from '../../../media/src/spool/tape-block.ts';
import { EnergyVad } from '../../../media/src/vad/energy-vad.ts';
import { Gate, HANGOVER_TICKS } from '../../../media/src/vad/gate.ts';

/** Read at once, as from the spool's files: 30 s. */
const WINDOW_BLOCKS = 60;

/** Minutes of audio that many channels play in a loop, each from a place of its own. */
export class Loop {
  readonly codes: Uint8Array;

  constructor(pcm: Int16Array) {
    this.codes = Uint8Array.from(pcm, (sample) => linearToUlaw(sample));
  }

  /** Copies what a channel that begins at offset plays from a tick on. */
  copy(offset: number, tick: number, out: Uint8Array, ticks: number): void {
    const { codes } = this;
    for (let i = 0, at = (offset + tick) % codes.length; i < ticks; i++, at++) {
      if (at === codes.length) at = 0;
      out[i] = codes[at]!;
    }
  }

  /** Share of the time that the gate is open. */
  openShare(): number {
    const gate = new Gate();
    const vad = new EnergyVad('PCMU');
    const { length } = this.codes;
    for (let at = 0; at + VAD_FRAME_TICKS <= length; at += VAD_FRAME_TICKS) {
      if (vad.frame(this.codes, at, at + VAD_FRAME_TICKS)) gate.speech(at, at + VAD_FRAME_TICKS);
    }
    let open = 0;
    for (let at = 0; at < length; at += 800) if (gate.openUntil(at) >= 0) open++;
    return open / (length / 800);
  }
}

/** A channel's audio as a media worker has it: the tape of the last 20 s, and all of it to be read again. */
export class Recorded {
  readonly tape: Tape;
  readonly #loop: Loop;
  readonly #offset: number;
  /** Raw speech of each block. */
  readonly #vads: number[];
  readonly #bytes = new Uint8Array(8000);
  readonly #mark = {
    ssrc: 1,
    extended: 0,
    previousExtended: 0,
    timestampAtEnd: 0,
    unitsPerTick: 1,
    arrivalUs: 0,
  };

  /** @param gated false: everything counts as speech @param of what was recorded of another: nothing of it is on the tape */
  constructor(loop: Loop, offset: number, gated: boolean, of: Recorded | null = null) {
    this.#loop = loop;
    this.#offset = offset;
    this.#vads = of === null ? [] : [...of.#vads];
    const vad = new EnergyVad('PCMU');
    this.tape = new Tape('PCMU', {
      frame: (block, _index, start, end) => !gated || vad.frame(block.payload, start, end),
      block: (block) => this.#vads.push(block.vad),
    });
    if (of !== null) this.tape.restore([], of.tape.endTick, of.tape.endTick);
  }

  /** The channel plays on up to a tick, a second at most. */
  playTo(tick: number, nowUs: number): void {
    const ticks = tick - this.tape.endTick;
    this.#loop.copy(this.#offset, this.tape.endTick, this.#bytes, ticks);
    this.#mark.arrivalUs = nowUs;
    this.tape.audio(this.tape.endTick, this.#bytes, 0, ticks, this.#mark);
  }

  /** As media's spool: from the hangover before a tick on, 30 s at most. */
  window(fromTick: number, upToTick: number): AudioSource {
    const first = Math.max(0, Math.floor((fromTick - HANGOVER_TICKS - VAD_FRAME_TICKS) / BLOCK_TICKS));
    const blocks: TapeBlock[] = [];
    const gate = new Gate();
    const endOfTape = this.tape.endTick;
    for (let i = first; i < first + WINDOW_BLOCKS && i < this.#vads.length; i++) {
      const block = newTapeBlock('PCMU');
      block.startTick = i * BLOCK_TICKS;
      block.ticks = Math.min(BLOCK_TICKS, endOfTape - block.startTick);
      block.vad = this.#vads[i]!;
      this.#loop.copy(this.#offset, block.startTick, block.payload, block.ticks);
      blocks.push(block);
      addSpeech(gate, block);
    }
    const last = blocks.at(-1);
    const full = blocks.length === WINDOW_BLOCKS && last !== undefined;
    const endTick = full ? Math.min(endOf(last), upToTick) : upToTick;
    return {
      firstTick: first * BLOCK_TICKS,
      endTick,
      decidedTick: endTick,
      gate,
      blockFrom: (tick) => blocks.find((block) => endOf(block) > tick) ?? null,
    };
  }
}
