import type { Encoding, VadKind } from '@earshot/contracts';
import { EnergyVad } from './energy-vad.ts';
import { ModelVad } from './model-vad.ts';

export interface Vad {
  /** Mean square of the last frame's 16-bit samples. */
  readonly power: number;
  /** @param bytes the frame is their ticks start..end, at most 160 of them @returns whether it is speech */
  frame(bytes: Uint8Array, start: number, end: number): boolean;
}

export const newVad = (kind: VadKind, encoding: Encoding): Vad =>
  kind === 'energy' ? new EnergyVad(encoding) : new ModelVad(encoding);
