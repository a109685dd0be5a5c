import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_TICKS,
  bytesPerTick,
  type Encoding,
  linearToUlaw,
  ULAW_TO_LINEAR,
  VAD_FRAME_TICKS,
} from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextStep, pcmOf, type Step } from '../src/asr-link/step.ts';
import { type AudioSource, Tape, type TapeSink } from '../src/spool/tape.ts';
import { endOf, encodeTapeBlock, type TapeBlock } from '../src/spool/tape-block.ts';
import { readWindow } from '../src/spool/block-reader.ts';
import { BlockWriter } from '../src/spool/block-writer.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { quietLog } from './support/null-log.ts';
import type { RtpMark } from '../src/timeline/timeline.ts';
import { EnergyVad } from '../src/vad/energy-vad.ts';
import { GateCount } from '../src/vad/gate-count.ts';
import { Gate, HANGOVER_TICKS, PRE_ROLL_TICKS } from '../src/vad/gate.ts';
import { ModelVad } from '../src/vad/model-vad.ts';

const MARK: RtpMark = {
  ssrc: 1,
  extended: 1,
  previousExtended: 0,
  timestampAtEnd: 0,
  unitsPerTick: 1,
  arrivalUs: 1,
};

/** Raw speech is any frame whose first code is even; audio codes are what the test says. */
class Sink implements TapeSink {
  readonly blocks: { startTick: number; ticks: number; vad: number }[] = [];
  frame(block: TapeBlock, _index: number, start: number): boolean {
    return block.payload[start]! % 2 === 0;
  }
  block({ startTick, ticks, vad }: TapeBlock): void {
    this.blocks.push({ startTick, ticks, vad });
  }
}

/** As Sink, and the blocks go to files. */
class FilingSink extends Sink {
  readonly #writer: BlockWriter;
  constructor(writer: BlockWriter) {
    super();
    this.#writer = writer;
  }
  override block(block: TapeBlock): void {
    const bytes = encodeTapeBlock(block, 0, { received: 0, lost: 0, late: 0 });
    this.#writer.write(block.startTick, endOf(block), 0, bytes);
  }
}

/** A timeline as pieces: audio of whole frames that are speech or not, and gaps. */
interface Piece {
  readonly kind: 'speech' | 'noise' | 'gap';
  readonly ticks: number;
}
const pieces = fc.array(
  fc.record({
    kind: fc.constantFrom<Piece['kind']>('speech', 'noise', 'noise', 'gap'),
    ticks: fc.oneof(
      fc.integer({ min: 1, max: 40 }).map((frames) => frames * VAD_FRAME_TICKS),
      fc.integer({ min: 1, max: 500 }),
    ),
  }),
  { minLength: 1, maxLength: 40 },
);

function put(tape: Tape, piece: Piece): void {
  if (piece.kind === 'gap') return tape.gap(tape.endTick + piece.ticks);
  tape.audio(
    tape.endTick,
    new Uint8Array(piece.ticks).fill(piece.kind === 'speech' ? 2 : 3),
    0,
    piece.ticks,
    MARK,
  );
}

/** 1 a tick that is sent as audio, 0 that is in a gap. */
function feed(source: AudioSource, from: number, limit: number, final: boolean, out: number[]): number {
  const step: Step = { kind: 'gap', to: 0 };
  let cursor = from;
  for (;;) {
    nextStep(source, cursor, limit, 8000, final, step);
    if (step.to <= cursor) return cursor;
    if (step.kind === 'audio') {
      expect(step.to - cursor).toBeLessThanOrEqual(8000);
      expect(pcmOf(source, cursor, step.to, new Int16Array(8000)).length).toBe(2 * (step.to - cursor));
    }
    for (; cursor < step.to; cursor++) out.push(step.kind === 'audio' ? 1 : 0);
  }
}

describe('gate', () => {
  it('is open exactly where a frame of raw speech lies within the hangover before or the pre-roll after', () => {
    const frames = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 160 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(frames, (list) => {
        const gate = new Gate();
        const speech: [number, number][] = [];
        let at = 3000;
        for (const [skip, ticks] of list) {
          at += skip * 160;
          speech.push([at, at + ticks]);
          gate.speech(at, at + ticks);
          at += ticks;
        }
        for (let tick = 0; tick < at + 6000; tick += 37) {
          const open = speech.some(
            ([start, end]) => tick >= start - PRE_ROLL_TICKS && tick < end + HANGOVER_TICKS,
          );
          expect(gate.openUntil(tick) > tick).toBe(open);
          if (!open) {
            const next = speech.find(([start]) => start - PRE_ROLL_TICKS > tick);
            expect(gate.nextOpen(tick)).toBe(next === undefined ? Infinity : next[0] - PRE_ROLL_TICKS);
          }
        }
      }),
    );
  });
});

describe('feeding', () => {
  it('sends the same ticks live, piece by piece, as a replay of the whole does', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const live = new Tape('PCMU', new Sink());
        const whole = new Tape('PCMU', new Sink());
        const sentLive: number[] = [];
        let cursor = 0;
        for (const piece of list) {
          put(live, piece);
          cursor = feed(live, cursor, Infinity, false, sentLive);
        }
        live.close();
        feed(live, cursor, Infinity, true, sentLive);
        for (const piece of list) put(whole, piece);
        whole.close();
        const sentWhole: number[] = [];
        feed(whole, 0, Infinity, true, sentWhole);
        expect(sentLive.join('')).toBe(sentWhole.join(''));
        expect(sentLive.length).toBe(live.endTick);
      }),
      { numRuns: 300 },
    );
  });

  it('sends the same ticks again from the files', async () => {
    const replay = fc.asyncProperty(pieces, async (list) => {
      const folder = mkdtempSync(join(tmpdir(), 'es-'));
      try {
        const writer = new BlockWriter(folder, 0, new DiskHealth(quietLog));
        const live = new Tape('PCMU', new FilingSink(writer));
        const sentLive: number[] = [];
        let cursor = 0;
        for (const piece of list) {
          put(live, piece);
          cursor = feed(live, cursor, Infinity, false, sentLive);
        }
        live.close();
        feed(live, cursor, Infinity, true, sentLive);
        await writer.close();
        const sentAgain: number[] = [];
        for (let at = 0; at < live.endTick; at = sentAgain.length) {
          const { window } = await readWindow(folder, 0, at, live.endTick + 2 * PRE_ROLL_TICKS);
          feed(window, at, live.endTick, false, sentAgain);
        }
        expect(sentAgain.join('')).toBe(sentLive.join(''));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
    await fc.assert(replay, { numRuns: 40 });
  });

  it('never goes beyond the credit, and says nothing while it is used up', () => {
    const tape = new Tape('PCMU', new Sink());
    put(tape, { kind: 'speech', ticks: 4000 });
    const sent: number[] = [];
    expect(feed(tape, 0, 1234, false, sent)).toBe(1234);
    expect(feed(tape, 1234, 1234, false, sent)).toBe(1234);
    expect(feed(tape, 1234, 9999, false, sent)).toBe(4000);
  });

  it('holds noise back by the pre-roll only, and sends the onset of speech with its pre-roll at once', () => {
    const tape = new Tape('PCMU', new Sink());
    put(tape, { kind: 'noise', ticks: 8000 });
    const sent: number[] = [];
    const cursor = feed(tape, 0, Infinity, false, sent);
    expect(cursor).toBe(8000 - PRE_ROLL_TICKS);
    put(tape, { kind: 'speech', ticks: 160 });
    expect(feed(tape, cursor, Infinity, false, sent)).toBe(8160);
    expect(sent.filter((tick) => tick === 1).length).toBe(160 + PRE_ROLL_TICKS);
  });
});

describe('tape', () => {
  it('cuts blocks of at most 500 ms that cover all audio once, with a bit a frame', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const sink = new Sink();
        const tape = new Tape('PCMU', sink);
        for (const piece of list) put(tape, piece);
        tape.close();
        const audio = list
          .filter((piece) => piece.kind !== 'gap')
          .reduce((sum, piece) => sum + piece.ticks, 0);
        expect(sink.blocks.reduce((sum, block) => sum + block.ticks, 0)).toBe(audio);
        let end = 0;
        for (const block of sink.blocks) {
          expect(block.startTick).toBeGreaterThanOrEqual(end);
          expect(block.ticks).toBeLessThanOrEqual(BLOCK_TICKS);
          expect(block.vad >>> Math.ceil(block.ticks / VAD_FRAME_TICKS)).toBe(0);
          end = block.startTick + block.ticks;
        }
        expect(tape.endTick).toBe(list.reduce((sum, piece) => sum + piece.ticks, 0));
      }),
    );
  });

  it('keeps 20 s and says from where on', () => {
    const tape = new Tape('PCMU', new Sink());
    for (let n = 0; n < 60; n++) put(tape, { kind: 'speech', ticks: BLOCK_TICKS });
    expect(tape.endTick - tape.firstTick).toBe(40 * BLOCK_TICKS);
    expect(tape.blockFrom(0)!.startTick).toBe(tape.firstTick);
    expect(tape.blockFrom(tape.endTick)).toBeNull();
  });

  it('gives back what is released, not the open block', () => {
    const tape = new Tape('PCMU', new Sink());
    put(tape, { kind: 'speech', ticks: BLOCK_TICKS });
    put(tape, { kind: 'speech', ticks: 1000 });
    tape.release(1e6);
    expect(endOf(tape.blockFrom(0)!)).toBe(BLOCK_TICKS + 1000);
    expect(tape.firstTick).toBe(BLOCK_TICKS);
  });
});

describe('energy VAD', () => {
  const frame = (amplitude: number): Uint8Array =>
    Uint8Array.from({ length: 160 }, (_, i) => linearToUlaw(Math.round(amplitude * Math.sin(i / 3))));
  const hear = (vad: EnergyVad, amplitude: number): boolean => vad.frame(frame(amplitude), 0, 160);

  it('hears speech from the first frame and in silence nothing', () => {
    expect(hear(new EnergyVad('PCMU'), 3000)).toBe(true);
    expect(hear(new EnergyVad('PCMU'), 0)).toBe(false);
  });

  it('learns a steady noise within half a minute, and still hears speech above it', () => {
    const vad = new EnergyVad('PCMU');
    const noisy = Array.from({ length: 1500 }, () => hear(vad, 150));
    expect(noisy[0]).toBe(true);
    expect(noisy.at(-1)).toBe(false);
    expect(hear(vad, 1000)).toBe(true);
  });

  it('never learns loud speech away', () => {
    const vad = new EnergyVad('PCMU');
    for (let n = 0; n < 20_000; n++) expect(hear(vad, 2000)).toBe(true);
  });
});

describe('VAD by the model', () => {
  const dialogue = (name: string): Uint8Array =>
    readFileSync(new URL(`../../sip-tests/voices/${name}.ul`, import.meta.url));
  const bitsOf = (encoding: Encoding, bytes: Uint8Array): boolean[] => {
    const vad = new ModelVad(encoding);
    const size = bytesPerTick(encoding);
    return Array.from({ length: Math.floor(bytes.length / size / 160) }, (_, i) =>
      vad.frame(bytes, 160 * i, 160 * (i + 1)),
    );
  };

  it('lets every word of a conversation pass that energy lets pass, and no more', () => {
    for (const party of ['agent', 'customer']) {
      const codes = dialogue(`billing.${party}`);
      const energy = new Gate();
      const model = new Gate();
      const vad = new EnergyVad('PCMU');
      for (const [i, bit] of bitsOf('PCMU', codes).entries()) {
        if (vad.frame(codes, 160 * i, 160 * (i + 1))) energy.speech(160 * i, 160 * (i + 1));
        if (bit) model.speech(160 * i, 160 * (i + 1));
      }
      const { turns } = (
        JSON.parse(readFileSync(new URL('../../sip-tests/voices/billing.json', import.meta.url), 'utf8')) as {
          parties: Record<string, { turns: { startMs: number; endMs: number }[] }>;
        }
      ).parties[party]!;
      for (const { startMs, endMs } of turns) {
        // Turns have some silence at their ends.
        for (let tick = 8 * startMs; tick < 8 * endMs; tick += 160)
          if (energy.openUntil(tick) > 0) expect(model.openUntil(tick)).toBeGreaterThan(0);
      }
      for (let tick = 0; tick < codes.length; tick += 160)
        if (model.openUntil(tick) > 0) expect(energy.openUntil(tick)).toBeGreaterThan(0);
    }
  });

  it('hears the same in each encoding of the same samples', () => {
    const codes = dialogue('refund.customer').subarray(0, 160_000);
    const linear = Buffer.alloc(2 * codes.length);
    for (const [i, code] of codes.entries()) linear.writeInt16LE(ULAW_TO_LINEAR[code]!, 2 * i);
    expect(bitsOf('L16', linear)).toEqual(bitsOf('PCMU', codes));
  });

  it('counts as open what the gate opens for', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 300 }), (bits) => {
        const count = new GateCount();
        const tell = count.channel();
        const gate = new Gate();
        for (const [i, bit] of bits.entries()) {
          tell(bit);
          if (bit) gate.speech(160 * i, 160 * (i + 1));
        }
        expect(count.frames).toBe(bits.length);
        expect(count.open).toBe(bits.filter((_, i) => gate.openUntil(160 * i) > 0).length);
      }),
    );
  });
});
