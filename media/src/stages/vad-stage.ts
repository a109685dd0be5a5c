import { DEFAULT_VAD, type Encoding, type VadKind } from '@earshot/contracts';
import type { TapeBlock } from '../spool/tape-block.ts';
import { GateCount } from '../vad/gate-count.ts';
import { Levels } from '../vad/levels.ts';
import { newVad, type Vad } from '../vad/vad.ts';
import type { FrameStage } from './tee-stage.ts';

/** Of the whole worker. Both are set when it starts, before it has channels. */
export const workerVad: { kind: VadKind; count: GateCount } = {
  kind: DEFAULT_VAD,
  count: new GateCount(),
};

/** The bit goes into the tape's block and gate, which the ASR link reads. */
export class VadStage implements FrameStage {
  readonly levels = new Levels();
  readonly #kind = workerVad.kind;
  readonly #vad: Vad;
  readonly #count = workerVad.count.channel();

  constructor(encoding: Encoding) {
    this.#vad = newVad(this.#kind, encoding);
  }

  frame(block: TapeBlock, start: number, end: number): boolean {
    const speech = this.#vad.frame(block.payload, start, end);
    this.#count(speech);
    this.levels.frame(this.#vad.power, end - start, speech);
    return speech;
  }

  toString(): string {
    return `Vad(${this.#kind}) -> AsrLink`;
  }
}
