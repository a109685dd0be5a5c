import type { Encoding } from '@earshot/contracts';
import type { TapeBlock } from '../spool/tape-block.ts';
import { EnergyVad } from '../vad/energy-vad.ts';
import type { FrameStage } from './tee-stage.ts';

/** The bit goes into the tape's block and gate, which the ASR link reads. */
export class VadStage implements FrameStage {
  readonly #vad: EnergyVad;

  constructor(encoding: Encoding) {
    this.#vad = new EnergyVad(encoding);
  }

  frame(block: TapeBlock, start: number, end: number): boolean {
    return this.#vad.frame(block.payload, start, end);
  }

  toString(): string {
    return 'Vad(energy) -> AsrLink';
  }
}
