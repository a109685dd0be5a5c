import { BLOCK_TICKS, bytesPerTick, type Encoding, VAD_FRAME_TICKS } from '@earshot/contracts';
import type { AudioSink, RtpMark } from '../timeline/timeline.ts';
import { Gate } from '../vad/gate.ts';
import { addSpeech, endOf, newTapeBlock, type TapeBlock } from './tape-block.ts';

/** Where a recogniser's audio comes from: the ring, or a window of the files. */
export interface AudioSource {
  /** Whatever lies from here on is in the source, blocks and gaps. */
  readonly firstTick: number;
  /** It ends here (for now). */
  readonly endTick: number;
  /** Raw speech is decided up to here. */
  readonly decidedTick: number;
  readonly gate: Gate;
  /** The block that tick lies in, or the next one after it. */
  blockFrom(tick: number): TapeBlock | null;
}

/** The blocks of a source from a tick on, up to another. */
export function* blocksOf(source: AudioSource, fromTick: number, toTick: number): Generator<TapeBlock> {
  for (let tick = fromTick; tick < toTick;) {
    const block = source.blockFrom(tick);
    if (block === null || block.startTick >= toTick) return;
    yield block;
    tick = endOf(block);
  }
}

/** What the tape hands on: each 20 ms frame when it is full, each block when it is. */
export interface TapeSink {
  /** Decides the frame of the block's ticks start..end, the index-th of its block. @returns whether it is raw speech */
  frame(block: TapeBlock, index: number, start: number, end: number): boolean;
  /** The block is full, or a gap follows. It is used again later: copy what is to be kept. */
  block(block: TapeBlock): void;
}

/**
 * Ticks of a block that begins there: up to the next half second of the call, in whole frames. So blocks of calls that began at one
 * moment end at several, and a burst of calls is no burst of writes twice a second ever after.
 */
const roomAt = (tick: number): number => {
  const past = tick % BLOCK_TICKS;
  return BLOCK_TICKS - (past - (past % VAD_FRAME_TICKS));
};

/** 20 s of blocks of 500 ms: an engine's death and the way to the next one, without the disk. */
const MAX_BLOCKS = 40;

/**
 * The last 20 s of a channel in memory, as the blocks that go to its files. The live path reads here and never waits
 * for the disk.
 */
export class Tape implements AudioSink, AudioSource {
  readonly gate = new Gate();
  readonly #blocks: TapeBlock[] = [];
  readonly #spare: TapeBlock[] = [];
  readonly #encoding: Encoding;
  readonly #bytes: 1 | 2;
  readonly #next: TapeSink;
  #open: TapeBlock | null = null;
  /** Ticks that the open block may have. */
  #room = BLOCK_TICKS;
  #framesDecided = 0;
  #firstTick = 0;
  #endTick = 0;

  constructor(encoding: Encoding, next: TapeSink) {
    this.#encoding = encoding;
    this.#bytes = bytesPerTick(encoding);
    this.#next = next;
  }

  get firstTick(): number {
    return this.#firstTick;
  }
  get endTick(): number {
    return this.#endTick;
  }
  get decidedTick(): number {
    return this.#open === null ? this.#endTick : this.#open.startTick + this.#framesDecided * VAD_FRAME_TICKS;
  }

  /**
   * Starts at a checkpoint: what is before firstTick is in the files.
   * @param blocks the last ones before endTick, whose raw speech is known
   */
  restore(blocks: readonly TapeBlock[], firstTick: number, endTick: number): void {
    for (const block of blocks.slice(-MAX_BLOCKS)) {
      this.#blocks.push(block);
      addSpeech(this.gate, block);
    }
    this.#firstTick = firstTick;
    this.#endTick = endTick;
  }

  /**
   * Takes in what lies before a checkpoint that it was restored from.
   * @param blocks which end where its first one begins
   * @param firstTick from where on all is in the tape then
   */
  recall(blocks: readonly TapeBlock[], firstTick: number): void {
    const room = Math.max(0, MAX_BLOCKS - this.#blocks.length);
    const dropped = blocks.length - room;
    this.#blocks.unshift(...blocks.slice(Math.max(0, dropped)));
    this.#firstTick = dropped > 0 ? Math.max(firstTick, endOf(blocks[dropped - 1]!)) : firstTick;
    // Speech is told to the gate in order.
    this.gate.forget(Infinity);
    for (const block of this.#blocks) addSpeech(this.gate, block);
  }

  audio(tick: number, bytes: Uint8Array, start: number, end: number, mark: RtpMark): void {
    let at = start;
    let atTick = tick;
    const size = this.#bytes;
    while (at < end) {
      const block = this.#open ?? this.#newBlock(atTick);
      const count = Math.min((end - at) / size, this.#room - block.ticks);
      const { payload } = block;
      const shift = block.ticks * size - at;
      for (let i = at; i < at + count * size; i++) payload[i + shift] = bytes[i]!;
      block.ticks += count;
      at += count * size;
      atTick += count;
      block.ssrc = mark.ssrc;
      block.arrivalUs = mark.arrivalUs;
      block.complete = at === end;
      block.extended = at < end ? mark.previousExtended : mark.extended;
      block.timestampAtEnd = (mark.timestampAtEnd - ((end - at) / size) * mark.unitsPerTick) >>> 0;
      this.#endTick = block.startTick + block.ticks;
      this.#decideFrames(block, false);
      if (block.ticks === this.#room) this.close();
    }
  }

  gap(toTick: number): void {
    this.close();
    this.#endTick = toTick;
  }

  /** Ends the open block, so that it goes to the files. */
  close(): void {
    const block = this.#open;
    if (block === null) return;
    this.#decideFrames(block, true);
    this.#open = null;
    this.#next.block(block);
  }

  /** Arrival of the newest audio in the open block; Infinity when none is open. */
  get openSinceUs(): number {
    return this.#open === null ? Infinity : this.#open.arrivalUs;
  }

  blockFrom(tick: number): TapeBlock | null {
    const blocks = this.#blocks;
    let found: TapeBlock | null = null;
    for (let i = blocks.length - 1; i >= 0 && endOf(blocks[i]!) > tick; i--) found = blocks[i]!;
    return found;
  }

  /** What lies before tick is not asked for again. */
  release(tick: number): void {
    while (this.#blocks.length > 0 && endOf(this.#blocks[0]!) < tick && this.#blocks[0] !== this.#open) {
      this.#drop();
    }
  }

  /** Gives its memory back: everything up to the end is in the files, and nothing will come. */
  discard(): void {
    this.close();
    this.#blocks.length = 0;
    this.#spare.length = 0;
    this.#firstTick = this.#endTick;
    this.gate.forget(this.#firstTick);
  }

  /** Blocks in memory, the ones to be used again included. */
  get heldBlocks(): number {
    return this.#blocks.length + this.#spare.length;
  }

  #decideFrames(block: TapeBlock, all: boolean): void {
    for (;;) {
      const start = this.#framesDecided * VAD_FRAME_TICKS;
      const end = Math.min(start + VAD_FRAME_TICKS, block.ticks);
      if (start >= end || (!all && end < start + VAD_FRAME_TICKS)) return;
      if (this.#next.frame(block, this.#framesDecided, start, end)) {
        block.vad |= 1 << this.#framesDecided;
        this.gate.speech(block.startTick + start, block.startTick + end);
      }
      this.#framesDecided++;
    }
  }

  #newBlock(tick: number): TapeBlock {
    if (this.#blocks.length >= MAX_BLOCKS) this.#drop();
    const block = this.#spare.pop() ?? newTapeBlock(this.#encoding);
    block.startTick = tick;
    block.ticks = 0;
    block.vad = 0;
    this.#blocks.push(block);
    this.#open = block;
    this.#room = roomAt(tick);
    this.#framesDecided = 0;
    return block;
  }

  #drop(): void {
    const block = this.#blocks.shift()!;
    this.#firstTick = Math.max(this.#firstTick, endOf(block));
    this.gate.forget(this.#firstTick);
    // A restored one may be of another encoding.
    if (block.encoding === this.#encoding) this.#spare.push(block);
  }
}
