import type { TapeBlock } from '../spool/tape-block.ts';
import type { Described, TapeStage } from './stage.ts';

/** Frames to the VAD, blocks to the spool. */
export interface FrameStage extends Described {
  frame(block: TapeBlock, start: number, end: number): boolean;
}
export interface BlockStage extends Described {
  block(block: TapeBlock): void;
}

export class TeeStage implements TapeStage {
  readonly #spool: BlockStage;
  readonly #vad: FrameStage;

  constructor(spool: BlockStage, vad: FrameStage) {
    this.#spool = spool;
    this.#vad = vad;
  }

  frame(block: TapeBlock, _index: number, start: number, end: number): boolean {
    return this.#vad.frame(block, start, end);
  }

  block(block: TapeBlock): void {
    this.#spool.block(block);
  }

  toString(): string {
    return `{${String(this.#spool)}, ${String(this.#vad)}}`;
  }
}
