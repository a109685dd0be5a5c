import fc from 'fast-check';
import { expect, test } from 'vitest';
import { channelIdOf } from '@earshot/contracts';
import { CallDocument } from '../src/document/call.ts';
import type { LogItem } from '../src/log/items.ts';
import { Fences } from '../src/server/fences.ts';
import { makeCall, wordsFrom } from './harness.ts';

interface Queued {
  readonly item: LogItem;
  readonly index: number;
  readonly fromTick: number;
}

test('the committed tick never passes a final that is still queued, and reaches the accepted one in the end', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('final' as const),
      index: fc.nat(2),
      ticks: fc.integer({ min: 1, max: 900 }),
    }),
    fc.record({
      kind: fc.constant('silence' as const),
      index: fc.nat(2),
      ticks: fc.integer({ min: 1, max: 900 }),
    }),
    fc.record({ kind: fc.constant('write' as const), items: fc.nat(5), fails: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const info = makeCall(3);
      const call = new CallDocument(info.callId);
      call.describe(info);
      const fences = new Fences();
      let queue: Queued[] = [];
      let nowMs = 0;
      const write = (count: number, fails: boolean): void => {
        nowMs += 400;
        const batch = queue.slice(0, count);
        const rows = fences.rowsFor(
          batch.map(({ item }) => item),
          nowMs,
        );
        const left = queue.slice(count);
        for (const row of rows) {
          const next = left.find(({ index }) => index === row.index);
          expect(row.committedTick).toBeLessThanOrEqual(next?.fromTick ?? Infinity);
        }
        if (fails) return;
        fences.written(rows, nowMs, () => undefined);
        for (const { index } of batch) call.channels.get(index)!.queued--;
        queue = left;
      };
      for (const one of steps) {
        if (one.kind === 'write') {
          write(one.items, one.fails);
          continue;
        }
        const channel = call.channel(channelIdOf(info.callId, one.index));
        const fromTick = channel.acceptedTick;
        const toTick = fromTick + one.ticks;
        if (one.kind === 'silence') {
          channel.settle(1, toTick);
        } else {
          channel.accept(1, fromTick, toTick, true);
          const item: LogItem = {
            kind: 'segment',
            callId: info.callId,
            channel: channel.channel,
            index: one.index,
            fromTick,
            toTick,
            words: wordsFrom(fromTick, 'a'),
          };
          queue.push({ item, index: one.index, fromTick });
        }
        fences.mark(call, channel, false);
      }
      write(queue.length, false);
      nowMs += 1000;
      write(0, false);
      for (const channel of call.channels.values()) expect(channel.committedTick).toBe(channel.acceptedTick);
      expect(fences.anyDue(nowMs + 10_000)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test('a channel that only moves through silence is written once a second at most, an end at once', () => {
  const info = makeCall(1);
  const call = new CallDocument(info.callId);
  call.describe(info);
  const channel = call.channel(channelIdOf(info.callId, 0));
  const fences = new Fences();
  let written = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    channel.settle(1, nowMs * 8);
    fences.mark(call, channel, false);
    if (!fences.anyDue(nowMs)) continue;
    fences.written(fences.rowsFor([], nowMs), nowMs, () => undefined);
    written++;
  }
  expect(written).toBe(10);
  channel.reportEnd(80_000);
  fences.mark(call, channel, true);
  expect(fences.anyDue(10_000)).toBe(true);
  expect(fences.rowsFor([], 10_000)).toMatchObject([{ endTick: 80_000 }]);
});

test('the fence of a call that is not in the log yet is not written', () => {
  const { callId } = makeCall(1);
  const call = new CallDocument(callId);
  const channel = call.channel(channelIdOf(callId, 0));
  channel.raise(1);
  const fences = new Fences();
  fences.mark(call, channel, true);
  expect(fences.anyDue(0)).toBe(false);
  expect(fences.rowsFor([], 0)).toEqual([]);
});
