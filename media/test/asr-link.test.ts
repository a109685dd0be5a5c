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

  async function connect(count: number, { standby = 0, clearsAtGap = false } = {}): Promise<void> {
    for (let n = 0; n < count + standby; n++) {
      const engine = await FakeEngine.start(runDir, n, clearsAtGap);
      engine.transcripts = transcripts;
      engines.push(engine);
    }
    const events = {
      reopened: (reason: ReopenReason) => void reopens.push(reason),
      committed: () => undefined,
      settled: (id: ChannelId) => void settled.push(id),
      recognition: () => undefined,
    };
    link = new AsrLink(runDir, 0, { serving: count, standby }, events, quietLog, () => nowUs);
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
    const mark = {
      ssrc: 7,
      extended: 1,
      previousExtended: 0,
      timestampAtEnd: 0,
      unitsPerTick: 1,
      arrivalUs: 1,
    };
    const speak = (ticks: number): void => {
      const codes = Uint8Array.from({ length: ticks }, (_, i) => (tape.endTick + i) % 251);
      tape.audio(tape.endTick, codes, 0, ticks, mark);
    };
    link.add(subject, async (from, to) => (await readWindow(folder, 0, from, to)).window, {
      attempt: 1,
      state: 'current',
      config: () => ({}),
    });
    return { subject, id, writer, speak };
  }

  /** Lets time pass in turns, as fast as the links answer. */
  async function pass(seconds: number): Promise<void> {
    const endUs = nowUs + seconds * SECOND_US;
    while (nowUs < endUs) {
      Array.from(link.turn((nowUs += TURN_US)));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function passUntil(condition: () => boolean, what: string): Promise<void> {
    await until(() => {
      if (!condition()) Array.from(link.turn((nowUs += TURN_US)));
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

  it('leaves an engine that stands by alone until the one that serves is gone', async () => {
    await connect(1, { standby: 1 });
    const [first, second] = engines as [FakeEngine, FakeEngine];
    const speakers = Array.from({ length: 8 }, () => newSubject());
    for (const { speak } of speakers) speak(8000);
    await passUntil(() => speakers.every(({ id }) => first.latest(id)?.at === 8000), 'heard by the first');
    expect(second.openings).toEqual([]);
    await first.die();
    for (const { speak } of speakers) speak(800);
    await passUntil(() => speakers.every(({ id }) => second.latest(id)?.at === 8800), 'heard by the second');
    expect(reopens).toEqual(speakers.map(() => 'engine_link'));
    expect(second.faults).toEqual([]);
  });

  it('begins without warm-up after a gap on an engine that clears its state there', async () => {
    await connect(2, { clearsAtGap: true });
    const { subject, id, speak } = newSubject();
    speak(16_000);
    subject.tape.gap(60_000);
    speak(16_000);
    await passUntil(() => engines.some((engine) => engine.latest(id)?.at === 76_000), 'heard');
    const first = engines.find((engine) => engine.latest(id) !== undefined)!;
    const second = engines.find((engine) => engine !== first)!;
    transcripts.holdCommits = true;
    transcripts.settledTick.set(id, 70_000);
    first.giveBack(first.latest(id)!);
    await passUntil(() => second.latest(id)?.at === 76_000, 'heard again');
    expect(second.latest(id)).toMatchObject({ fromTick: 60_000, outputFromTick: 70_000 });
    expect(engines.flatMap(({ faults }) => faults)).toEqual([]);
  });

  it('moves channels, some a second, from an engine that lags to one that has room, and says so', async () => {
    await connect(1, { standby: 1 });
    const [slow, idle] = engines as [FakeEngine, FakeEngine];
    const speakers = Array.from({ length: 40 }, () => newSubject());
    for (const { speak } of speakers) speak(800);
    await passUntil(() => speakers.every(({ id }) => slow.latest(id)?.at === 800), 'heard');
    // From now on it takes what comes and decides nothing.
    slow.decidedTick = 800;
    slow.creditAheadTicks = 800_000;
    const rows = (): void =>
      link.table(
        engines.map(({ openings }, engine) => {
          const channels = openings.filter(({ closed }) => !closed).length;
          return { engine, channels, headroom: engine === 0 ? 0 : 1, capacity: 50 };
        }),
      );
    const movedAt: number[] = [];
    for (let second = 0; second < 12; second++) {
      for (const { speak } of speakers) speak(8000);
      rows();
      await pass(1);
      movedAt.push(reopens.length);
    }
    expect(new Set(reopens)).toEqual(new Set(['rebalanced']));
    // Not at the first sight of lag, a quarter at once at most, and up to the same load.
    expect(movedAt.slice(0, 2)).toEqual([0, 0]);
    for (const [i, moved] of movedAt.entries()) expect(moved - (movedAt[i - 1] ?? 0)).toBeLessThanOrEqual(10);
    expect(movedAt.at(-1)).toBeGreaterThanOrEqual(15);
    expect(new Set(idle.openings.map(({ channel }) => channel)).size).toBe(idle.openings.length);
    await until(() => slow.openings.filter(({ closed }) => closed).length === reopens.length, 'closed there');
    expect(engines.flatMap(({ faults }) => faults)).toEqual([]);
  });
});
