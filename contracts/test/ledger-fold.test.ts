import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  faultOfPart,
  foldLedger,
  type LedgerPart,
  type LedgerRow,
  type Note,
  SPAN_KINDS,
  type SpanKind,
} from '../src/index.ts';

const part = (fromTick: number, ...spans: [SpanKind, number][]): LedgerPart => ({
  fromTick,
  toTick: spans.reduce((tick, [, ticks]) => tick + ticks, fromTick),
  spans,
  notes: [],
});
const row = (toldBy: number, fromTick: number, ...spans: [SpanKind, number][]): LedgerRow => ({
  ...part(fromTick, ...spans),
  fill: false,
  toldBy,
});
const fill = (toldBy: number, fromTick: number, ...spans: [SpanKind, number][]): LedgerRow => ({
  ...row(toldBy, fromTick, ...spans),
  fill: true,
});
const brief = (rows: readonly LedgerRow[]): string =>
  foldLedger(rows)
    .spans.map(({ kind, startTick, endTick }) => `${kind} ${startTick}-${endTick}`)
    .join(', ');

/** The same, tick by tick. */
function foldByTick(rows: readonly LedgerRow[]): { kinds: (SpanKind | null)[] } {
  let ticks: ({ kind: SpanKind; toldBy: number } | null)[] = [];
  const kindsOf = ({ fromTick, spans }: LedgerRow): [number, SpanKind][] => {
    let tick = fromTick;
    return spans.flatMap(([kind, count]) =>
      Array.from({ length: count }, (): [number, SpanKind] => [tick++, kind]),
    );
  };
  const trim = (): void => {
    while (ticks.length > 0 && (ticks.at(-1) ?? null) === null) ticks.pop();
  };
  for (const said of rows.filter((one) => !one.fill)) {
    ticks = Array.from(ticks, (cell, tick) =>
      tick >= said.fromTick && cell?.toldBy !== said.toldBy ? null : (cell ?? null),
    );
    for (const [tick, kind] of kindsOf(said)) ticks[tick] = { kind, toldBy: said.toldBy };
    trim();
  }
  for (const said of rows.filter((one) => one.fill)) {
    for (const [tick, kind] of kindsOf(said)) ticks[tick] ??= { kind, toldBy: said.toldBy };
  }
  return { kinds: Array.from(ticks, (cell) => cell?.kind ?? null) };
}

const anyRow = fc
  .record({
    fromTick: fc.integer({ min: 0, max: 60 }),
    spans: fc.array(fc.tuple(fc.constantFrom(...SPAN_KINDS), fc.integer({ min: 1, max: 12 })), {
      maxLength: 5,
    }),
    fill: fc.boolean(),
    toldBy: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ fromTick, spans, fill: fills, toldBy }): LedgerRow => ({
    ...part(fromTick, ...spans),
    fill: fills,
    toldBy,
  }));

test('whatever was said in whatever order, the ledger is whole from 0 on and says of each tick what counts last', () => {
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 12 }), (rows) => {
      const { spans, endTick } = foldLedger(rows);
      const { kinds } = foldByTick(rows);
      let tick = 0;
      for (const [i, span] of spans.entries()) {
        expect(span.startTick).toBe(tick);
        expect(span.endTick).toBeGreaterThan(span.startTick);
        if (i > 0) expect(span.kind).not.toBe(spans[i - 1]!.kind);
        tick = span.endTick;
      }
      expect(tick).toBe(endTick);
      expect(endTick).toBe(kinds.length);
      expect(
        spans.flatMap(({ kind, startTick, endTick: end }) =>
          Array.from({ length: end - startTick }, () => kind),
        ),
      ).toEqual(kinds.map((kind) => kind ?? 'absent'));
    }),
    { numRuns: 2000 },
  );
});

test('a story that is cut anywhere and told again from anywhere is the same story', () => {
  const kinds = fc.array(fc.constantFrom(...SPAN_KINDS), { minLength: 1, maxLength: 80 });
  const tellings = fc.array(fc.tuple(fc.nat(80), fc.nat(80)), { maxLength: 10 });
  fc.assert(
    fc.property(kinds, tellings, (story, cuts) => {
      const telling = (from: number, to: number): LedgerRow =>
        row(1, from, ...story.slice(from, to).map((kind): [SpanKind, number] => [kind, 1]));
      const rows = cuts.map(([a, b]) =>
        telling(Math.min(a, b, story.length), Math.min(Math.max(a, b), story.length)),
      );
      const { spans } = foldLedger([...rows, telling(0, story.length)]);
      expect(
        spans.flatMap((span) => Array.from({ length: span.endTick - span.startTick }, () => span.kind)),
      ).toEqual(story);
    }),
  );
});

test('the successor of a dead worker ends what that one said beyond the point where it begins', () => {
  const told = [row(1, 0, ['received', 900], ['absent', 600]), row(2, 1000, ['received', 200])];
  expect(brief(told)).toBe('received 0-900, absent 900-1000, received 1000-1200');
});

test('a worker that tells a part again leaves what it said of later ticks', () => {
  const told = [row(1, 0, ['received', 500]), row(1, 500, ['lost', 500]), row(1, 0, ['received', 500])];
  expect(brief(told)).toBe('received 0-500, lost 500-1000');
});

test('what a successor reads in the spool fills only what nobody told, whenever it comes', () => {
  const rows = [row(1, 0, ['received', 300], ['held', 100]), row(2, 1000, ['received', 100])];
  const read = fill(2, 0, ['received', 300], ['absent', 200], ['received', 500]);
  const expected = 'received 0-300, held 300-400, absent 400-500, received 500-1100';
  expect(brief([...rows, read])).toBe(expected);
  expect(brief([read, ...rows])).toBe(expected);
});

test('what nobody told is absent', () => {
  expect(foldLedger([row(1, 800, ['received', 200])])).toEqual({
    spans: [
      { kind: 'absent', startTick: 0, endTick: 800 },
      { kind: 'received', startTick: 800, endTick: 1000 },
    ],
    notes: [],
    endTick: 1000,
  });
  expect(foldLedger([])).toEqual({ spans: [], notes: [], endTick: 0 });
});

test('a note is there once though its part is told again without it, and not when its worker died before', () => {
  const note = (tick: number, kind: Note['kind'], value = 0): Note => ({ tick, kind, value });
  const rows: LedgerRow[] = [
    { ...row(1, 0, ['received', 1000]), notes: [note(100, 'key', 80), note(900, 'ssrc', 7)] },
    row(1, 0, ['received', 1200]),
    { ...row(2, 500, ['received', 700]), notes: [note(500, 'worker', 2), note(880, 'ssrc', 7)] },
    { ...row(2, 500, ['received', 700]), notes: [note(880, 'ssrc', 7)] },
  ];
  expect(foldLedger(rows).notes).toEqual([
    note(100, 'key', 80),
    note(500, 'worker', 2),
    note(880, 'ssrc', 7),
  ]);
});

test('a day of one loss in twenty packets is read in one go', () => {
  const spans = Array.from({ length: 500 }, (_, i): [SpanKind, number] =>
    i % 2 === 0 ? ['received', 3040] : ['concealed', 160],
  );
  const ticks = 250 * 3200;
  const rows = Array.from({ length: 864 }, (_, i) => row(1, i * ticks, ...spans));
  // And its worker dies at the end, and another one has begun to tell it all again.
  const { endTick, spans: folded } = foldLedger([...rows, row(2, 0, ...spans)]);
  expect(endTick).toBe(ticks);
  expect(folded).toHaveLength(500);
  expect(foldLedger(rows).spans).toHaveLength(864 * 500);
});

test('what is no part of a ledger is told by its fault', () => {
  expect(faultOfPart(part(0, ['received', 8]))).toBeNull();
  expect(faultOfPart({ ...part(0, ['received', 8]), toTick: 9 })).toBe('spans do not add up');
  expect(faultOfPart({ ...part(8), toTick: 0 })).toBe('ticks are out of order');
  expect(faultOfPart(part(0.5, ['received', 8]))).toBe('ticks are not whole');
  expect(faultOfPart(part(0, ['received', 8], ['lost', 0]))).toBe('a span without length');
  expect(faultOfPart(part(0, ['heard' as SpanKind, 8]))).toBe('unknown kind of span');
  expect(faultOfPart({ ...part(0, ['lost', 8]), notes: [{ tick: 9, kind: 'ssrc', value: 1 }] })).toBe(
    'a note outside the part',
  );
});
