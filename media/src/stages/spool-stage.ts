import { endOf, encodeTapeBlock, type BlockCounters, type TapeBlock } from '../spool/tape-block.ts';
import type { BlockWriter } from '../spool/block-writer.ts';
import type { BlockStage } from './tee-stage.ts';

/** What the pipeline knows when a block ends. */
export interface SpoolFacts {
  /** Counters without the packets that still wait in the jitter buffer, as of this packet. */
  counters(ssrc: number, extended: number): BlockCounters;
  /** Arrival of the packet that waits longest in the jitter buffer; Infinity when none does. */
  oldestHeldUs(): number;
}

export class SpoolStage implements BlockStage {
  readonly #writer: BlockWriter;
  readonly #channelIndex: number;
  readonly #facts: SpoolFacts;

  constructor(writer: BlockWriter, channelIndex: number, facts: SpoolFacts) {
    this.#writer = writer;
    this.#channelIndex = channelIndex;
    this.#facts = facts;
  }

  block(block: TapeBlock): void {
    const bytes = encodeTapeBlock(
      block,
      this.#channelIndex,
      this.#facts.counters(block.ssrc, block.extended),
    );
    // A packet that goes on in the next block is not covered by this one, nor is one that still waits.
    const placedUs = block.complete ? block.arrivalUs : block.arrivalUs - 1;
    const coversUs = Math.min(placedUs, this.#facts.oldestHeldUs() - 1);
    this.#writer.write(block.startTick, endOf(block), coversUs, bytes);
  }

  toString(): string {
    return 'Spool';
  }
}
