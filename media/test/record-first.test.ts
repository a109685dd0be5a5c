import { rmSync } from 'node:fs';
import type { CallId, EngineRow } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DeferrableView, freeShare, RecordFirst, waitingOf } from '../src/asr-link/record-first.ts';
import type { EngineView } from '../src/asr-link/placement.ts';
import { newCall, type TestCall } from './support/call.ts';
import { FakeTranscripts, type FakeEngine } from './support/fakes.ts';
import { useRoom } from './support/room.ts';
import { until } from './support/until.ts';

const SECOND_US = 1_000_000;

const view = (callId: string, more: Partial<DeferrableView> = {}): DeferrableView => ({
  callId: callId as CallId,
  recognition: 'waiting',
  settled: false,
  ended: false,
  lagTicks: 80_000,
  startedMs: 0,
  ...more,
});

describe('which call is begun that was recorded first', () => {
  /** What begins, by the second, while so much is free in each. */
  function begins(channels: DeferrableView[], free: readonly (number | null)[]): (string | null)[] {
    const recordFirst = new RecordFirst(0);
    return free.map((share, second) => {
      const { begin, caughtUp } = recordFirst.look(channels, share, second * SECOND_US);
      for (const [n, channel] of channels.entries()) {
        if (channel.callId === begin) channels[n] = { ...channel, recognition: 'catching-up' };
        if (caughtUp.includes(channel.callId)) channels[n] = { ...channel, recognition: 'current' };
      }
      return begin;
    });
  }

  it('none until there has been clear room for three looks in a row, then one a look', () => {
    const waiting = ['a', 'b', 'c'].map((id) => view(id));
    expect(begins(waiting, [0.5, 0.5, 0.29, 0.3, 0.3, 0.3, 0.9, null, 0.9, 0.9, 0.9, 0.9])).toEqual([
      ...[null, null, null, null, null, 'a', 'b', null, null, null, 'c', null],
    ]);
  });

  it('live ones first, then those that have ended, of each the oldest; all channels of a call together', () => {
    const waiting = [
      view('young', { startedMs: 9 }),
      view('over', { startedMs: 1, ended: true }),
      view('half over', { startedMs: 5, ended: true }),
      view('half over', { startedMs: 5 }),
      view('current', { recognition: 'current', startedMs: 0 }),
      view('long over', { startedMs: 0, ended: true }),
      view('nothing heard', { settled: true, ended: true }),
    ];
    const order = begins(waiting, Array<number>(6).fill(1));
    expect(order).toEqual([null, null, 'half over', 'young', 'long over', 'over']);
  });

  it('four at most catch up at once, and one of which all is decided is none of them, though the log may not have it', () => {
    const waiting = [1, 2, 3, 4, 5, 6].map((n) => view(String(n), { startedMs: n }));
    expect(begins(waiting, Array<number>(8).fill(1))).toEqual([null, null, '1', '2', '3', '4', null, null]);
    waiting[0] = { ...waiting[0]!, lagTicks: 24_000 };
    waiting[1] = { ...waiting[1]!, lagTicks: 0, ended: true };
    expect(begins(waiting, Array<number>(5).fill(1))).toEqual([null, null, '5', '6', null]);
    expect(waiting.map(({ recognition }) => recognition)).toEqual([
      'current',
      ...Array<string>(5).fill('catching-up'),
    ]);
  });

  it('whatever waits, each call is begun once, in time, when there is room all along', () => {
    const channel = fc.record({ call: fc.nat(20), ended: fc.boolean(), startedMs: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(channel), (made) => {
        const waiting = made.map(({ call, ...more }) => view(String(call), more));
        const calls = new Set(waiting.map(({ callId }) => callId));
        expect(waitingOf(waiting).calls).toBe(calls.size);
        const recordFirst = new RecordFirst(0);
        const begun: string[] = [];
        for (let second = 0; second < calls.size + 3; second++) {
          const now = waiting.map((each) =>
            begun.includes(each.callId) ? { ...each, recognition: 'current' as const } : each,
          );
          const { begin } = recordFirst.look(now, 1, second * SECOND_US);
          if (begin !== null) begun.push(begin);
        }
        expect([...begun].sort()).toEqual([...calls].sort());
      }),
    );
  });

  it('counts those that wait, and how long the oldest has', () => {
    expect(waitingOf([view('a', { recognition: 'current' })])).toEqual({
      calls: 0,
      ended: 0,
      oldestMs: null,
      catchingUp: 0,
    });
    const some = [view('a', { startedMs: 7 }), view('a', { startedMs: 7, ended: true })];
    const begun = [0, 80_000].map((lagTicks) =>
      view(`c${lagTicks}`, { recognition: 'catching-up', lagTicks }),
    );
    expect(waitingOf([...some, ...begun, view('b', { startedMs: 5, ended: true })])).toEqual({
      calls: 2,
      ended: 1,
      oldestMs: 5,
      catchingUp: 1,
    });
  });

  it('by the room of the engines that serve, not of those that stand by', () => {
    const engine = (n: number, room: number, channels: number, up = true): EngineView => ({
      engine: n,
      up,
      room,
      channels,
      capacity: 100,
    });
    expect(freeShare([engine(0, 0.2, 9), engine(1, 1, 0)], 1)).toBeCloseTo(0.2);
    expect(freeShare([engine(0, 0.2, 9), engine(1, 0.4, 3), engine(2, 1, 0)], 2)).toBeCloseTo(0.3);
    expect(freeShare([engine(0, 1, 0, false)], 1)).toBeNull();
    // Calls on hold cost nothing, and are no room.
    expect(freeShare([engine(0, 0.98, 400)], 1)).toBeCloseTo(0.2);
  });
});

describe('a call that is recorded first', () => {
  const room = useRoom();
  const full: EngineRow = { engine: 0, headroom: 0.1, channels: 40, capacity: 100 };
  const free: EngineRow = { ...full, headroom: 0.9, channels: 2 };

  /** Host's table, once a second as it comes, until something is so. */
  async function tables(row: EngineRow, condition: () => boolean, what: string): Promise<void> {
    const timer = setInterval(() => room.host.table([row]), 600);
    try {
      await until(condition, what);
    } finally {
      clearInterval(timer);
    }
  }

  async function said(call: TestCall, packets: number): Promise<void> {
    const senders = await room.open(call);
    for (const sender of senders) for (let n = 0; n < packets; n++) await sender.next();
    await until(() => room.loggedPackets() >= packets, 'all that was sent in the log');
  }

  const stateOf = (call: TestCall): string | undefined =>
    room.transcripts.recognition.findLast(({ callId }) => callId === call.callId)?.state;
  const begun = (): string[] =>
    room.gateway.reports.flatMap((report) => (report.type === 'recognition.begun' ? [report.callId] : []));
  const heardWhole = (engine: FakeEngine, call: TestCall): boolean =>
    call.channels.every(
      (id) => engine.latest(id)?.endTick !== undefined && engine.latest(id)?.endTick !== null,
    );

  it('goes to no engine while they are full, is begun from its first tick when they are not, and says so', async () => {
    const call = newCall(2, { deferred: true });
    await said(call, 60);
    const other = newCall(1);
    await room.open(other);
    await room.ready(other.channels[0]!);
    await tables(full, () => stateOf(call) === 'waiting', 'transcripts told that it waits');
    const counted = (): Promise<number> => room.host.metric('earshot_recognition_waiting_calls');
    await expect.poll(counted, { timeout: 20_000 }).toBe(1);
    expect(await room.host.metric('earshot_recognition_waiting_seconds')).toBeGreaterThan(0);
    expect(room.engine.latest(call.channels[0]!)).toBeUndefined();
    await tables(free, () => begun().includes(call.callId), 'begun');
    for (const channel of call.channels) expect((await room.ready(channel)).fromTick).toBe(0);
    await tables(free, () => stateOf(call) === 'current', 'caught up');
    const states = room.transcripts.recognition.map(({ state }) => state);
    expect([...new Set(states)]).toEqual(['waiting', 'catching-up', 'current']);
    // A gateway that did not hear of it is told again.
    const told = begun().length;
    await room.gateway.ask({ type: 'leg.update', leg: call.leg });
    expect(begun()).toHaveLength(told + 1);
    await room.close(call);
    await until(() => heardWhole(room.engine, call), 'heard to the end');
    expect(room.engine.faults).toEqual([]);
  }, 60_000);

  it('waits on when it has ended, over the deaths of its worker and of transcripts, and is heard whole then', async () => {
    const call = newCall(1, { deferred: true });
    await said(call, 100);
    const [totals] = await room.close(call);
    await room.host.kill();
    await room.replaceWorker();
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [] })).type).toBe('leg.synced');
    await room.transcripts.die();
    room.transcripts = await FakeTranscripts.start(room.host.runDir, room.transcripts);
    room.engine.transcripts = room.transcripts;
    await until(
      () => room.transcripts.ended.get(call.channels[0]!) === totals!.endTick,
      'its end told again',
    );
    await tables(full, () => stateOf(call) === 'waiting', 'transcripts told that it waits');
    await until(
      () => room.gateway.reports.some((report) => report.type === 'load' && report.endedWaiting === 1),
      'counted as one that has ended',
    );
    expect(room.engine.openings).toEqual([]);
    // What it has is in its files: none of it was in memory.
    await tables(free, () => heardWhole(room.engine, call), 'heard to its end');
    const opening = room.engine.latest(call.channels[0]!)!;
    expect(opening.config.priority).toBe('catch-up');
    expect([opening.fromTick, opening.endTick]).toEqual([0, totals!.endTick]);
    expect(room.heardTicks(call.channels[0]!).size).toBeGreaterThanOrEqual(100 * 160);
    await until(() => room.transcripts.settledTick.get(call.channels[0]!) === totals!.endTick, 'settled');
    expect(room.engine.faults).toEqual([]);
  }, 60_000);

  it('is deferred still where a worker follows that has no leg file, and begun stays begun where it has one', async () => {
    const [lost, kept] = [newCall(1, { deferred: true }), newCall(1, { deferred: true })];
    await said(kept, 40);
    await tables(free, () => begun().includes(kept.callId), 'begun');
    await said(lost, 40);
    await room.host.kill();
    rmSync(room.folderOf(lost), { recursive: true });
    room.transcripts.recognition.length = 0;
    const openings = room.engine.openings.length;
    await room.replaceWorker();
    await room.gateway.ask({ type: 'leg.sync', legs: [lost.leg, kept.leg] });
    await until(() => room.engine.openings.length > openings, 'the one that was begun is opened again');
    expect(room.engine.latest(kept.channels[0]!)!.attempt).toBeGreaterThan(1);
    expect(begun().filter((id) => id === kept.callId).length).toBeGreaterThan(1);
    await until(() => stateOf(lost) === 'waiting', 'transcripts told again that it waits');
    const loads = (): number => room.gateway.reports.filter(({ type }) => type === 'load').length;
    const before = loads();
    await tables(full, () => loads() > before + 1, 'a second later');
    expect(room.engine.latest(lost.channels[0]!)).toBeUndefined();
  }, 60_000);
});
