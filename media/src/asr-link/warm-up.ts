import type { AudioSource } from '../spool/tape.ts';
import { HANGOVER_TICKS } from '../vad/gate.ts';
import { nextStep, type Step } from './step.ts';

/** A channel reopens so long before its committed tick: what the shipped model remembers (3.6 s) is in it (docs/adr/0010). */
export const WARM_UP_TICKS = 4 * 8000;

const step: Step = { kind: 'gap', to: 0 };

/**
 * Where an engine has to begin to hear what the first run heard at a tick. An engine that clears its state at gaps (docs/adr/0007)
 * remembers nothing from before the last gap: it begins there, and without any warm-up where the tick lies in a gap.
 * @param source the channel's audio; of what is older than it has, all is to be heard
 * @param resumeTick up to here it was sent before, so that the gaps are the same
 */
export function warmUpFrom(source: AudioSource, resumeTick: number, clearsAtGap: boolean): number {
  const earliest = Math.max(0, resumeTick - WARM_UP_TICKS);
  if (!clearsAtGap) return earliest;
  let from = earliest;
  // What was said before the source begins may hold the gate open for as long as the hangover.
  const known = source.firstTick === 0 ? 0 : source.firstTick + HANGOVER_TICKS;
  let cursor = Math.max(earliest, known);
  while (cursor < resumeTick) {
    nextStep(source, cursor, resumeTick, WARM_UP_TICKS, true, step);
    if (step.to <= cursor) break;
    cursor = step.to;
    if (step.kind === 'gap') from = cursor;
  }
  return from;
}
