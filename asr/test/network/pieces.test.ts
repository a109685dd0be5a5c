import { type ChannelId, type Word, segmentIdOf } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FinalSegment } from '../../src/decode/channel-decoder.ts';
import { DialGate } from '../../src/network/dial-gate.ts';
import { RemoteInput } from '../../src/network/remote-input.ts';
import { Reports } from '../../src/network/reports.ts';
import { Segments } from '../../src/network/segments.ts';
import { StreamMap } from '../../src/network/stream-map.ts';

const channel = 'a:0' as ChannelId;
const word = (text: string, startTick: number, endTick: number): Word => ({
  text,
  startTick,
  endTick,
  confidence: 1,
});

describe('stream positions and ticks', () => {
  test('a position in the audio of any stretch is its tick, however many gaps came since', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            gap: fc.integer({ min: 1, max: 1e9 }),
            audio: fc.integer({ min: 1, max: 90_000 }),
            padding: fc.integer({ min: 0, max: 24_000 }),
          }),
          { minLength: 1, maxLength: 40 },
        ),
        (stretches) => {
          const map = new StreamMap();
          const known: { stream: number; tick: number; samples: number }[] = [];
          let tick = 0;
          for (const { gap, audio, padding } of stretches) {
            tick += gap;
            known.push({ stream: map.fed, tick, samples: audio });
            // In two messages: they are one stretch.
            const first = Math.floor(audio / 2);
            if (first > 0) map.audio(tick, first);
            map.audio(tick + first, audio - first);
            if (padding > 0) map.padding(padding);
            tick += audio;
          }
          for (const { stream, tick: at, samples } of known) {
            expect(map.startTick(stream)).toBe(at);
            expect(map.endTickOf(stream + samples)).toBe(at + samples);
            expect(map.span(stream, stream + samples)).toEqual({ startTick: at, endTick: at + samples });
          }
          expect(map.endTick).toBe(tick);
        },
      ),
    );
  });

  test('a word that a server lets begin in the padding begins with the audio after it', () => {
    const map = new StreamMap();
    map.audio(0, 8000);
    map.padding(4000);
    map.audio(100_000, 8000);
    expect(map.span(11_000, 14_000)).toEqual({ startTick: 100_000, endTick: 102_000 });
    expect(map.span(7000, 9000)).toEqual({ startTick: 7000, endTick: 8000 });
    expect(map.span(9000, 10_000)).toEqual({ startTick: 8000, endTick: 8000 });
    expect(map.span(7000, 13_000)).toEqual({ startTick: 7000, endTick: 101_000 });
  });

  test('ticks stay exact after a hundred days', () => {
    const days = 100 * 86_400 * 8000;
    const map = new StreamMap();
    map.audio(days, 16_000);
    expect(map.span(1, 15_999)).toEqual({ startTick: days + 1, endTick: days + 15_999 });
  });
});

describe('segments', () => {
  function segments(outputFromTick = 0) {
    const finals: FinalSegment[] = [];
    let late = 0;
    const made = new Segments({
      channel,
      fromTick: Math.max(0, outputFromTick - 8000),
      outputFromTick,
      onFinal: (segment) => finals.push(segment),
      onLate: () => late++,
    });
    return { made, finals, late: () => late };
  }

  test('words of an earlier attempt are left out, by their middle', () => {
    const { made, finals } = segments(16_000);
    made.final([
      word('before', 12_000, 16_100),
      word('across', 15_000, 17_100),
      word('after', 18_000, 19_000),
    ]);
    made.close('pause');
    expect(finals[0]!.words.map(({ text }) => text)).toEqual(['across', 'after']);
    expect(finals[0]!.words[0]!.startTick).toBe(16_000);
  });

  test('a word that comes after its time was settled is put behind, not dropped', () => {
    const { made, finals, late } = segments();
    made.decided(40_000, 40_000);
    expect(made.settledTick).toBe(40_000);
    made.final([word('late', 20_000, 24_000)]);
    made.close('pause');
    expect(late()).toBe(1);
    expect(finals[0]!.words).toEqual([word('late', 40_000, 40_001)]);
  });

  test('a guess that never becomes final is taken back', () => {
    const { made, finals } = segments();
    made.partial([word('ghost', 100, 200)]);
    expect(made.openSegment()!.words).toHaveLength(1);
    made.reach(8000, 'gap');
    expect(made.openSegment()).toBeNull();
    expect(finals).toEqual([]);
    expect([made.decidedTick, made.settledTick]).toEqual([8000, 8000]);
  });

  test('a guess that was told and turns out to be nothing is taken back once, and nothing else is', () => {
    const { made } = segments();
    const told: { fromTick: number; words: number }[] = [];
    const nothing = (): void => undefined;
    const reports = new Reports({
      channel,
      attempt: 1,
      fromTick: 0,
      outputFromTick: 0,
      owner: { credit: nothing, lost: nothing },
      sink: {
        congested: false,
        blocked: false,
        partial: (_channel, _attempt, { fromTick, words }) => told.push({ fromTick, words: words.length }),
        final: nothing,
        progress: nothing,
        ended: nothing,
      },
      nowMs: () => 0,
    });
    made.partial([word('ghost', 100, 200)]);
    reports.partial(made, 0);
    made.reach(8000, 'gap');
    reports.partial(made, 0);
    made.partial([word('word', 9000, 9500)]);
    reports.partial(made, 0);
    expect(told).toEqual([
      { fromTick: 0, words: 1 },
      { fromTick: 0, words: 0 },
      { fromTick: 8000, words: 1 },
    ]);
  });

  test('whatever comes, in whatever order: no word is dropped, none overlaps, no segment is longer than 15 s unless a word is', () => {
    const anyWord = fc.record({
      at: fc.integer({ min: 0, max: 400_000 }),
      length: fc.integer({ min: 0, max: 20_000 }),
    });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('final' as const), words: fc.array(anyWord, { maxLength: 30 }) }),
      fc.record({ kind: fc.constant('partial' as const), words: fc.array(anyWord, { maxLength: 5 }) }),
      fc.record({ kind: fc.constant('decided' as const), tick: fc.integer({ min: 0, max: 500_000 }) }),
      fc.record({ kind: fc.constant('close' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { made, finals } = segments();
        let said = 0;
        const make = (words: readonly { at: number; length: number }[]): Word[] =>
          words.map(({ at, length }) => word('w', at, at + length));
        for (const one of steps) {
          if (one.kind === 'final') {
            said += one.words.length;
            made.final(make(one.words));
          } else if (one.kind === 'partial') made.partial(make(one.words));
          else if (one.kind === 'decided') made.decided(one.tick, one.tick - 4000);
          else made.close('pause');
          const open = made.openSegment();
          if (open !== null) expect(open.fromTick).toBe(made.settledTick);
        }
        made.reach(1_000_000, 'end');
        expect(finals.flatMap(({ words }) => words)).toHaveLength(said);
        let at = 0;
        for (const final of finals) {
          expect(final.fromTick).toBeGreaterThanOrEqual(at);
          expect(final.segmentId).toBe(segmentIdOf(channel, final.fromTick));
          at = final.fromTick;
          for (const { startTick, endTick } of final.words) {
            expect(startTick).toBeGreaterThanOrEqual(at);
            expect(endTick).toBeGreaterThan(startTick);
            at = endTick;
          }
          expect(final.toTick).toBe(at);
          if (final.words.length > 1) expect(final.toTick - final.fromTick).toBeLessThanOrEqual(120_000);
        }
      }),
    );
  });
});

describe('the queue of a channel', () => {
  test('hands out what came, however it was cut, with gaps where ticks are missing', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            skip: fc.integer({ min: -300, max: 3000 }),
            samples: fc.integer({ min: 1, max: 2500 }),
          }),
          { maxLength: 25 },
        ),
        (messages) => {
          const input = new RemoteInput(0, 1600, 4000, 1e9);
          const ticks: number[] = [];
          let next = 0;
          for (const { skip, samples } of messages) {
            const startTick = Math.max(0, next + skip);
            const pcm = Int16Array.from({ length: samples }, (_, i) => (startTick + i) % 30_000);
            input.audio(startTick, startTick, new Uint8Array(pcm.buffer));
            for (let tick = Math.max(next, startTick); tick < startTick + samples; tick++) ticks.push(tick);
            next = Math.max(next, startTick + samples);
          }
          input.end(next);
          const heard: number[] = [];
          let at = 0;
          while (input.next !== null) {
            const item = input.take();
            if (item.kind !== 'audio') {
              expect(item.tick).toBeGreaterThanOrEqual(at);
              at = item.tick;
              continue;
            }
            expect(item.startTick).toBe(at);
            const samples = item.bytes.length / 2;
            const view = new DataView(item.bytes.buffer, item.bytes.byteOffset, item.bytes.length);
            for (let i = 0; i < samples; i++) {
              if (view.getInt16(2 * i, true) === (at + i) % 30_000) heard.push(at + i);
            }
            at += samples;
          }
          expect(heard).toEqual(ticks);
          expect(at).toBe(next);
        },
      ),
    );
  });

  test('waits for a whole message unless a gap follows', () => {
    const input = new RemoteInput(0, 1600, 4000, 1e6);
    input.audio(0, 1, new Uint8Array(2 * 800));
    expect(input.next).toBeNull();
    input.gap(5000);
    expect(input.next).toBe('audio');
    expect(input.take()).toMatchObject({ kind: 'audio', startTick: 0 });
    input.gap(9000);
    expect(input.take()).toEqual({ kind: 'gap', tick: 9000 });
    expect(input.next).toBeNull();
  });

  test('refuses more than its limit', () => {
    const input = new RemoteInput(0, 1600, 4000, 10_000);
    expect(input.audio(0, 1, new Uint8Array(2 * 8000))).toBe(true);
    expect(input.audio(8000, 1, new Uint8Array(2 * 8000))).toBe(false);
  });
});

describe('the gate', () => {
  test('one attempt at a time with growing pauses while the server fails, all at once when it serves', () => {
    const gate = new DialGate(() => 1);
    let now = 0;
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const since = now;
      while (!gate.may(now)) now += 10;
      pauses.push(now - since);
      gate.began();
      expect(gate.may(now)).toBe(false);
      gate.failed(now, 'link', true);
    }
    expect(pauses).toEqual([0, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    expect(gate.healthy).toBe(false);
    while (!gate.may(now)) now += 10;
    gate.began();
    gate.succeeded();
    expect(gate.healthy).toBe(true);
    for (let i = 0; i < 10; i++) {
      expect(gate.may(now)).toBe(true);
      gate.began();
    }
    // Ten that were under way fail together: that is one failure.
    for (let i = 0; i < 10; i++) gate.failed(now, 'link', true);
    expect(gate.may(now + 499)).toBe(false);
    expect(gate.may(now + 500)).toBe(true);
  });

  test('a refused key is tried again after a minute, and later less often', () => {
    const gate = new DialGate(() => 1);
    gate.began();
    gate.failed(0, 'key', true);
    expect(gate.may(59_999)).toBe(false);
    expect(gate.may(60_000)).toBe(true);
    gate.began();
    gate.failed(60_000, 'key', true);
    expect(gate.may(179_999)).toBe(false);
    expect(gate.may(180_000)).toBe(true);
  });
});
