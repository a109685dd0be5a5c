import type { Encoding } from '@earshot/contracts';
import { Tape } from '../spool/tape.ts';
import type { RtpMark } from '../timeline/timeline.ts';
import type { AudioStage, TapeStage } from './stage.ts';

export class TapeRoom implements AudioStage {
  readonly tape: Tape;
  readonly #next: TapeStage;

  constructor(encoding: Encoding, next: TapeStage) {
    this.tape = new Tape(encoding, next);
    this.#next = next;
  }

  audio(tick: number, bytes: Uint8Array, start: number, end: number, mark: RtpMark): void {
    this.tape.audio(tick, bytes, start, end, mark);
  }

  gap(toTick: number): void {
    this.tape.gap(toTick);
  }

  toString(): string {
    return `Tape(20s) -> ${String(this.#next)}`;
  }
}
