import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_TICKS, type ChannelId } from '@earshot/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AsrLink, type ReopenReason } from '../src/asr-link/asr-link.ts';
import type { Subject } from '../src/asr-link/asr-channel.ts';
import { Patience } from '../src/asr-link/patience.ts';
import { readWindow } from '../src/spool/block-reader.ts';
import { BlockWriter } from '../src/spool/block-writer.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { Tape } from '../src/spool/tape.ts';
import { encodeTapeBlock } from '../src/spool/tape-block.ts';
import { newCall } from './support/call.ts';
import { FakeEngine, FakeTranscripts } from './support/fakes.ts';
import { quietLog } from './support/null-log.ts';
import { until } from './support/until.ts';

const SECOND_US = 1_000_000;
const TURN_US = 20_000;

describe('patience', () => {
  /** The seconds after which engines are left that never say anything. */
  function leaves(patience: Patience, untilS: number): number[] {
    const at: number[] = [];
    for (let s = 0; s <= untilS; s++) {
      if (!patience.isOver(s * SECOND_US, true, 0)) continue;
      at.push(s);
      patience.left(100);
      patience.isOver(s * SECOND_US, true, 0);
    }
    return at;
  }

  it('ends after 5 s, and then after twice as long each time, 30 s at most', () => {
    expect(leaves(new Patience(), 130)).toEqual([5, 15, 35, 65, 95, 125]);
  });

  it('is whole again only when something new was decided', () => {
    const patience = new Patience();
    expect(leaves(patience, 15)).toEqual([5, 15]);
    patience.reset();
    patience.decided(100);
    expect(leaves(patience, 20)).toEqual([20]);
    patience.reset();
    patience.decided(101);
    expect(leaves(patience, 5)).toEqual([5]);
  });

  it('does not run while nothing waits, nor while this process stood still', () => {
    const patience = new Patience();
    expect(patience.isOver(0, true, 0)).toBe(false);
    expect(patience.isOver(4 * SECOND_US, false, 0)).toBe(false);
    expect(patience.isOver(8 * SECOND_US, true, 0)).toBe(false);
    expect(patience.isOver(14 * SECOND_US, true, 14 * SECOND_US)).toBe(false);
    expect(patience.isOver(19 * SECOND_US, true, 14 * SECOND_US)).toBe(true);
  });
});

describe('link to the engines', () => {
  let folder: string;
  let runDir: string;
  let transcripts: FakeTranscripts;
  let engines: FakeEngine[];
  let link: AsrLink;
  let nowUs: number;
  let reopens: ReopenReason[];
  const settled: ChannelId[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'es-'));
    runDir = join(folder, 'run');
    mkdirSync(runDir);
    nowUs = 1000 * SECOND_US;
    reopens = [];
    settled.length = 0;
    engines = [];
    transcripts = await FakeTranscripts.start(runDir);
  });
  afterEach(async () => {
    link.close();
    for (const engine of engines) await engine.die();
    await transcripts.die();
    rmSync(folder, { recursive: true, force: true });
  });

  async function connect(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const engine = await FakeEngine.start(runDir, n);
      engine.transcripts = transcripts;
      engines.push(engine);
    }
    const events = {
      reopened: (reason: ReopenReason) => void reopens.push(reason),
      committed: () => undefined,
      settled: (id: ChannelId) => void settled.push(id),
    };
    link = new AsrLink(runDir, 0, { serving: count, standby: 0 }, events, quietLog, () => nowUs);
    await until(() => engines.every((engine) => engine.connected), 'engines connected');
  }

  /** A channel whose blocks go to files; every frame is speech. */
  function newSubject(): {
    subject: Subject;
    id: ChannelId;
    writer: BlockWriter;
    speak: (ticks: number) => void;
  } {
    const call = newCall(1);
    const id = call.channels[0]!;
    const writer = new BlockWriter(folder, 0, new DiskHealth(quietLog));
    const tape = new Tape('PCMU', {
      frame: () => true,
      block: (block) => {
        const bytes = encodeTapeBlock(block, 0, { received: 1, lost: 0, late: 0 });
        writer.write(block.startTick, block.startTick + block.ticks, 0, bytes);
      },
    });
    const subject: Subject = {
      id,
      zero: call.leg.zero,
      tape,
      get inFiles() {
        return tape.openSinceUs === Infinity && writer.idle && writer.lostTick === 0;
      },
      logClock: () => undefined,
    };
    const mark = { ssrc: 7, extended: 1, previousExtended: 0, timestampAtEnd: 0, unitsPerTick: 1, arrivalUs: 1 };
    const speak = (ticks: number): void => {
      const codes = Uint8Array.from({ length: ticks }, (_, i) => (tape.endTick + i) % 251);
      tape.audio(tape.endTick, codes, 0, ticks, mark);
    };
    link.add(subject, async (from, to) => (await readWindow(folder, 0, from, to)).window, 1);
    return { subject, id, writer, speak };
  }

  /** Lets time pass in turns, as fast as the links answer. */
  async function pass(seconds: number): Promise<void> {
    const endUs = nowUs + seconds * SECOND_US;
    while (nowUs < endUs) {
      link.turn((nowUs += TURN_US));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function passUntil(condition: () => boolean, what: string): Promise<void> {
    await until(() => {
      if (!condition()) link.turn((nowUs += TURN_US));
      return condition();
    }, what);
  }

  it('leaves an engine that takes a channel and never answers, for another one', async () => {
    await connect(2);
    for (const engine of engines) engine.silent = true;
    const { id, speak } = newSubject();
    speak(8000);
    const opened = (): FakeEngine | undefined => engines.find((engine) => engine.latest(id) !== undefined);
    await passUntil(() => opened() !== undefined, 'opened');
    const first = opened()!;
    const second = engines.find((engine) => engine !== first)!;
    second.silent = false;
    await pass(4);
    expect(reopens).toEqual([]);
    await passUntil(() => (second.latest(id)?.at ?? 0) >= 8000, 'heard by the other one');
    expect(reopens).toEqual(['silent']);
    expect(second.latest(id)!.attempt).toBeGreaterThan(first.latest(id)!.attempt);
    await until(() => first.latest(id)!.closed, 'closed on the silent one');
    expect(first.openings.length).toBe(1);
  });

  it('leaves an engine that stops giving credit, and stays with one that gives it', async () => {
    await connect(1);
    const engine = engines[0]!;
    engine.creditAheadTicks = 4000;
    const { id, speak } = newSubject();
    speak(8000);
    await passUntil(() => engine.latest(id)?.at === 8000, 'all heard');
    await pass(12);
    expect(reopens).toEqual([]);
    engine.silent = true;
    speak(8000);
    await passUntil(() => reopens.length === 1, 'left');
    engine.silent = false;
    await passUntil(() => engine.latest(id)?.at === 16_000, 'heard after all');
    await pass(12);
    expect(reopens).toEqual(['silent']);
    expect(engine.faults).toEqual([]);
  });

  it('asks its only engine less and less often while that one is silent', async () => {
    await connect(1);
    engines[0]!.silent = true;
    const { id, speak } = newSubject();
    speak(8000);
    await passUntil(() => engines[0]!.latest(id) !== undefined, 'opened');
    await pass(66);
    expect(reopens.length).toBeGreaterThanOrEqual(3);
    expect(reopens.length).toBeLessThanOrEqual(4);
  });

  it('keeps nothing of an ended channel in memory while its commit is awaited, and feeds it again from the files', async () => {
    await connect(1);
    const engine = engines[0]!;
    engine.creditAheadTicks = 80_000;
    transcripts.holdCommits = true;
    const { subject, id, writer, speak } = newSubject();
    for (let n = 0; n < 6; n++) speak(BLOCK_TICKS);
    speak(100);
    subject.tape.close();
    await writer.flushed();
    const endTick = subject.tape.endTick;
    expect(subject.tape.heldBlocks).toBe(7);
    await passUntil(() => engine.latest(id)?.at !== undefined && engine.latest(id)!.at > 0, 'feeding');
    expect(subject.tape.heldBlocks).toBe(7);
    link.ended(id, endTick);
    await passUntil(() => engine.latest(id)?.endTick === endTick, 'the end on the engine');
    await passUntil(() => subject.tape.heldBlocks === 0, 'memory given back');
    const first = engine.latest(id)!;
    engine.giveBack(first);
    await passUntil(() => engine.latest(id) !== first && engine.latest(id)!.endTick === endTick, 'fed again');
    const samples = (heard: typeof first.heard): number[] => heard.flatMap(({ pcm }) => [...pcm]);
    expect(samples(engine.latest(id)!.heard)).toEqual(samples(first.heard));
    expect(samples(first.heard).length).toBe(endTick);
    transcripts.holdCommits = false;
    transcripts.settle(id, endTick);
    await passUntil(() => settled.includes(id), 'settled');
    expect(engine.faults).toEqual([]);
  });

  it('keeps an ended channel in memory when its files lack a block', async () => {
    await connect(1);
    transcripts.holdCommits = true;
    const { subject, id, writer, speak } = newSubject();
    rmSync(folder, { recursive: true, force: true });
    speak(BLOCK_TICKS);
    await writer.flushed();
    expect(writer.lostTick).toBe(BLOCK_TICKS);
    link.ended(id, BLOCK_TICKS);
    await passUntil(() => engines[0]!.latest(id)?.endTick === BLOCK_TICKS, 'the end on the engine');
    await pass(1);
    expect(subject.tape.heldBlocks).toBe(1);
  });
});
