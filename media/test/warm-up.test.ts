import { BLOCK_TICKS, VAD_FRAME_TICKS } from '@earshot/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextStep, type Step } from '../src/asr-link/step.ts';
import { WARM_UP_TICKS, warmUpFrom } from '../src/asr-link/warm-up.ts';
import { Tape } from '../src/spool/tape.ts';
import { endOf, newTapeBlock } from '../src/spool/tape-block.ts';

/** Seconds of speech, of silence and of nothing at all in turn. */
interface Stretch {
  readonly kind: 'speech' | 'silence' | 'hole';
  readonly frames: number;
}

const mark = {
  ssrc: 1,
  extended: 0,
  previousExtended: 0,
  timestampAtEnd: 0,
  unitsPerTick: 1,
  arrivalUs: 1,
};

function tapeOf(stretches: readonly Stretch[]): Tape {
  let speech = false;
  const tape = new Tape('PCMU', { frame: () => speech, block: () => undefined });
  const frame = new Uint8Array(VAD_FRAME_TICKS);
  for (const { kind, frames } of stretches) {
    speech = kind === 'speech';
    if (kind === 'hole') tape.gap(tape.endTick + frames * VAD_FRAME_TICKS);
    else for (let i = 0; i < frames; i++) tape.audio(tape.endTick, frame, 0, VAD_FRAME_TICKS, mark);
  }
  return tape;
}

/** All that a first run is sent, message by message. */
function sent(tape: Tape, fromTick: number): { kind: Step['kind']; from: number; to: number }[] {
  const out: { kind: Step['kind']; from: number; to: number }[] = [];
  const step: Step = { kind: 'gap', to: fromTick };
  for (let at = fromTick; ; at = step.to) {
    nextStep(tape, at, tape.endTick, 8000, true, step);
    if (step.to <= at) return out;
    out.push({ kind: step.kind, from: at, to: step.to });
  }
}

const stretches = fc.array(
  fc.record({
    kind: fc.constantFrom<Stretch['kind']>('speech', 'silence', 'hole'),
    frames: fc.integer({ min: 1, max: 200 }),
  }),
  { minLength: 1, maxLength: 12 },
);

test('a channel begins anew at the last gap of the last 4 s, or 4 s before', () => {
  fc.assert(
    fc.property(stretches, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
      const tape = tapeOf(list);
      // What was forgotten already is not known of: not what this is about.
      fc.pre(tape.firstTick === 0);
      const resumeTick = Math.floor(share * tape.endTick);
      const earliest = Math.max(0, resumeTick - WARM_UP_TICKS);
      const gaps = sent(tape, 0).filter(
        ({ kind, from, to }) => kind === 'gap' && from < resumeTick && to > earliest,
      );
      const last = gaps.at(-1);
      const expected = last === undefined ? earliest : Math.min(resumeTick, last.to);
      expect(warmUpFrom(tape, resumeTick, true)).toBe(expected);
      expect(warmUpFrom(tape, resumeTick, false)).toBe(earliest);
    }),
    { numRuns: 500 },
  );
});

test('where the tape begins it is not taken for a gap that speech before it held open', () => {
  const firstTick = 20 * BLOCK_TICKS;
  const blocks = Array.from({ length: 20 }, (_, i) => {
    const block = newTapeBlock('PCMU');
    block.startTick = firstTick + i * BLOCK_TICKS;
    block.ticks = BLOCK_TICKS;
    // Half a second of silence, which is less than the hangover, and then speech.
    block.vad = i === 0 ? 0 : 2 ** 25 - 1;
    return block;
  });
  const tape = new Tape('PCMU', { frame: () => true, block: () => undefined });
  tape.restore(blocks, firstTick, endOf(blocks.at(-1)!));
  for (let tick = firstTick; tick < firstTick + 2 * WARM_UP_TICKS; tick += 1000) {
    expect(warmUpFrom(tape, tick, true)).toBe(tick - WARM_UP_TICKS);
  }
});
