import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CallId, channelIdOf, foldLedger, type LedgerRow } from '@earshot/contracts';
import { CallDocument, LEDGER_GRACE_MS, UNOPENED_GRACE_MS } from '../src/document/call.ts';
import { ChannelDocument } from '../src/document/channel.ts';
import { LedgerReach } from '../src/document/ledger-reach.ts';

const CALL = '01890000-0000-7000-8000-000000000000' as CallId;
const CHANNEL = channelIdOf(CALL, 0);
const WORDS = 30;

interface Sent {
  attempt: number;
  fromTick: number;
  toTick: number;
  words: number[];
}

/** Word i lies in ticks 100 i + 10 … 100 (i + 1). A final from a tick on has the words after it. */
function finalFrom(attempt: number, fromTick: number, length: number): Sent {
  const first = Math.ceil(fromTick / 100);
  const words = Array.from({ length: Math.min(length, WORDS - first) }, (_, i) => first + i);
  return { attempt, fromTick, toTick: (words.at(-1) ?? WORDS - 1) * 100 + 100, words };
}

test('however attempts, replays and finals interleave, every word is taken exactly once', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('speak' as const), length: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('replay' as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'commit' as const }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('zombie' as const), length: fc.integer({ min: 1, max: 4 }) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let fence = new ChannelDocument(CHANNEL, 0, null);
      const said: Sent[] = [];
      let log: { final: Sent; committed: boolean }[] = [];
      let attempt = fence.raise(1);
      let tick = 0;
      let zombie = { attempt: 0, tick: 0 };
      const take = (final: Sent): void => {
        said.push(final);
        if (final.words.length === 0) return;
        if (fence.accept(final.attempt, final.fromTick, final.toTick, true) === null)
          log.push({ final, committed: false });
      };
      const reopen = (): void => {
        zombie = { attempt, tick };
        attempt = fence.raise(attempt + 1);
        tick = fence.acceptedTick;
      };
      const speak = (length: number): void => {
        const final = finalFrom(attempt, tick, length);
        take(final);
        tick = Math.max(tick, final.toTick);
      };
      for (const one of steps) {
        if (one.kind === 'speak') speak(one.length);
        else if (one.kind === 'reopen') reopen();
        else if (one.kind === 'replay') {
          const again = said[one.which % Math.max(1, said.length)];
          if (again !== undefined) take(again);
        } else if (one.kind === 'zombie') {
          // An engine that was given up on and speaks all the same.
          if (zombie.attempt > 0) take(finalFrom(zombie.attempt, zombie.tick, one.length));
        } else if (one.kind === 'commit') {
          for (const entry of log) entry.committed = true;
          fence.committedTick = fence.acceptedTick;
          fence.queued = 0;
        } else {
          // The process dies: what was not committed is gone, the fence is read from the log.
          log = log.filter((entry) => entry.committed);
          const { committedTick } = fence;
          fence = new ChannelDocument(CHANNEL, 0, { attempt, committedTick, endTick: null });
          take(finalFrom(attempt, tick, 2));
          reopen();
        }
      }
      reopen();
      while (tick < WORDS * 100) speak(3);
      expect(log.flatMap(({ final }) => final.words)).toEqual(Array.from({ length: WORDS }, (_, i) => i));
      expect(fence.acceptedTick).toBe(WORDS * 100);
    }),
    { numRuns: 500 },
  );
});

test('no sequence of messages, however wrong, moves an accepted tick back or below the committed one', () => {
  const wild = fc.oneof(fc.integer(), fc.constantFrom(NaN, Infinity, -1, 0.5, 2 ** 53));
  const message = fc.record({
    kind: fc.constantFrom('final', 'settle', 'partial', 'raise'),
    attempt: fc.integer({ min: -1, max: 5 }),
    a: wild,
    b: wild,
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 50 }), (messages) => {
      const fence = new ChannelDocument(CHANNEL, 0, { attempt: 1, committedTick: 500, endTick: null });
      for (const { kind, attempt, a, b } of messages) {
        const before = fence.acceptedTick;
        const attemptBefore = fence.attempt;
        if (kind === 'final') fence.accept(attempt, a, b, true);
        else if (kind === 'settle') fence.settle(attempt, a);
        else if (kind === 'partial') fence.admitPartial(attempt, a);
        else expect(fence.raise(attempt)).toBeGreaterThan(attemptBefore);
        expect(fence.acceptedTick).toBeGreaterThanOrEqual(before);
        expect(Number.isSafeInteger(fence.acceptedTick)).toBe(true);
      }
    }),
  );
});

test('words of an attempt that nobody announced are not taken, except the first that an unknown channel hears', () => {
  const fence = new ChannelDocument(CHANNEL, 0, null);
  expect(fence.accept(3, 0, 100, true)).toBeNull();
  expect(fence.accept(4, 100, 200, true)).toBe('unannounced-attempt');
  expect(fence.raise(4)).toBe(4);
  expect(fence.accept(3, 100, 200, true)).toBe('stale-attempt');
  expect(fence.accept(4, 100, 200, true)).toBeNull();
});

test('a channel read from the log takes nothing until a new attempt is announced', () => {
  const fence = new ChannelDocument(CHANNEL, 0, { attempt: 3, committedTick: 800, endTick: null });
  expect(fence.accept(3, 800, 900, true)).toBe('stale-attempt');
  expect(fence.accept(4, 800, 900, true)).toBe('stale-attempt');
  expect(fence.raise(1)).toBe(4);
  expect(fence.accept(4, 800, 900, true)).toBeNull();
});

const total = (index: number, endTick: number) => ({
  channel: channelIdOf(CALL, index),
  endTick,
  packetsReceived: 0,
  packetsLost: 0,
  packetsLate: 0,
  packetsDuplicate: 0,
  packetsRejected: 0,
});
const told = (fromTick: number, toTick: number, toldBy = 1, fill = false) => ({
  fromTick,
  toTick,
  toldBy,
  fill,
});
const infoOf = (index: number) => ({
  channel: channelIdOf(CALL, index),
  index,
  role: 'agent' as const,
  label: null,
  codec: 'PCMU' as const,
  participant: { name: null, aor: null },
  evidence: [],
});

test('a call is complete when it ended and every channel is settled to its end, in whatever order that is heard', () => {
  const facts = ['describe', 'end', 'settle0', 'settle1', 'ended0', 'ledger0', 'ledger1'] as const;
  fc.assert(
    fc.property(fc.shuffledSubarray([...facts], { minLength: facts.length }), (order) => {
      const call = new CallDocument(CALL);
      const apply: Record<(typeof facts)[number], () => void> = {
        describe: () => call.describe({ channels: [infoOf(0), infoOf(1)] }),
        end: () => call.end([total(0, 900), total(1, 800)], 0),
        settle0: () => call.channel(channelIdOf(CALL, 0)).settle(1, 1000),
        settle1: () => call.channel(channelIdOf(CALL, 1)).settle(1, 800),
        ledger0: () => call.channel(channelIdOf(CALL, 0)).ledger.take(told(0, 1000)),
        ledger1: () => call.channel(channelIdOf(CALL, 1)).ledger.take(told(0, 800)),
        // What media itself says of the end outweighs the totals.
        ended0: () => call.channel(channelIdOf(CALL, 0)).reportEnd(1000),
      };
      const essential = new Set(order);
      for (const fact of order) {
        apply[fact]();
        essential.delete(fact);
        const needed = [...essential].filter((left) => left !== 'ended0');
        if (needed.length > 0) expect(call.proof(0)).toBeNull();
      }
      expect(call.proof(0)).toEqual([
        { index: 0, endTick: 1000, settledTick: 1000, ledgerTick: 1000 },
        { index: 1, endTick: 800, settledTick: 800, ledgerTick: 800 },
      ]);
      expect(call.missing()).toEqual([]);
    }),
  );
});

test('a channel that never opened is complete at 0, but only after the grace for a late word of it', () => {
  const call = new CallDocument(CALL);
  call.describe({ channels: [infoOf(0)] });
  call.end([], 1000);
  expect(call.proof(1000)).toBeNull();
  expect(call.proof(1000 + UNOPENED_GRACE_MS)).toEqual([
    { index: 0, endTick: 0, settledTick: 0, ledgerTick: 0 },
  ]);
  call.channel(channelIdOf(CALL, 0)).raise(1);
  expect(call.proof(1000 + UNOPENED_GRACE_MS)).toBeNull();
});

test('a channel that two live media workers have ends where the last of them ends, in whatever order they say so', () => {
  const orders = fc.shuffledSubarray(['owner', 'other', 'totals'] as const, { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(orders, fc.constantFrom(0, 8000), (order, owner) => {
      const channel = new ChannelDocument(CHANNEL, 0, null);
      channel.contest();
      for (const who of order) {
        if (who === 'owner') channel.reportEnd(owner);
        else if (who === 'other') channel.alsoEnds(8000 - owner);
        else channel.supposeEnd(4000);
      }
      expect(channel.endTick).toBe(8000);
    }),
  );
});

test('a media worker that has a channel no more does not end it', () => {
  const channel = new ChannelDocument(CHANNEL, 0, null);
  channel.alsoEnds(0);
  expect(channel.endTick).toBeNull();
});

test('a call whose ledger does not come is complete without it after a while, and says how far it is', () => {
  const call = new CallDocument(CALL);
  call.describe({ channels: [infoOf(0)] });
  const channel = call.channel(channelIdOf(CALL, 0));
  channel.ledger.take(told(0, 600));
  call.end([total(0, 1000)], 0);
  // Recognition is behind by a minute: the time of grace begins when nothing else lacks.
  expect(call.proof(60_000)).toBeNull();
  channel.settle(1, 1000);
  expect(call.proof(60_000)).toBeNull();
  expect(call.proof(60_000 + LEDGER_GRACE_MS)).toEqual([
    { index: 0, endTick: 1000, settledTick: 1000, ledgerTick: 600 },
  ]);
});

test('how far a ledger reaches is what folding it says, when one worker follows another', () => {
  const parts = fc.array(
    fc.record({
      fromTick: fc.integer({ min: 0, max: 30 }),
      ticks: fc.integer({ min: 0, max: 12 }),
      toldBy: fc.integer({ min: 1, max: 2 }),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(parts, fc.integer({ min: 0, max: 40 }), (said, fillTo) => {
      const reach = new LedgerReach();
      const inOrder = said.toSorted((a, b) => a.toldBy - b.toldBy);
      // A successor tells nothing before the point where it begins.
      const begins = inOrder.find(({ toldBy }) => toldBy === 2)?.fromTick ?? 0;
      const rows = inOrder.map(({ fromTick: tick, ticks, toldBy }): LedgerRow => {
        const fromTick = toldBy === 2 ? Math.max(begins, tick) : tick;
        const spans: LedgerRow['spans'] = ticks === 0 ? [] : [['received', ticks]];
        return { ...told(fromTick, fromTick + ticks, toldBy), spans, notes: [] };
      });
      for (const row of rows) reach.take(row);
      const fill: LedgerRow = {
        ...told(0, fillTo, 3, true),
        spans: fillTo === 0 ? [] : [['lost', fillTo]],
        notes: [],
      };
      reach.take(fill);
      const { spans } = foldLedger([...rows, fill]);
      const hole = spans.find(({ kind }) => kind === 'absent');
      expect(reach.tick).toBe(hole?.startTick ?? spans.at(-1)?.endTick ?? 0);
    }),
  );
});
