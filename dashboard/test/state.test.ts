import type { CallView, EventView, LiveMessage, SegmentView } from '@earshot/contracts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { routeOf } from '../src/router.ts';
import { Activity, BUCKETS } from '../src/state/activity.ts';
import { alignWords } from '../src/state/align.ts';
import {
  bytes,
  clock,
  demoCommand,
  lasting,
  partyName,
  preciseClock,
  sipUri,
  sureness,
  tail,
} from '../src/state/format.ts';
import { LiveCalls } from '../src/state/live-calls.ts';
import { rowsOf, sideOf, Transcript } from '../src/state/transcript.ts';

const segment = (
  id: string,
  startMs: number,
  text: string,
  options: { channel?: number; role?: string; endMs?: number } = {},
): SegmentView => ({
  id,
  channel: options.channel ?? 0,
  role: options.role ?? 'agent',
  startMs,
  endMs: options.endMs ?? startMs + 1000,
  text,
  spoken: text,
  words: text.split(' ').map((word, index) => ({
    text: word,
    startMs: startMs + index * 100,
    endMs: startMs + index * 100 + 90,
    confidence: 0.9,
  })),
});

const view = (id: string, state: 'live' | 'ended' = 'live'): CallView => ({
  id,
  state,
  startedAt: `2026-01-01T00:00:0${id}Z`,
  endedAt: null,
  endReason: null,
  durationMs: null,
  dialect: 'plain',
  sip: { callId: 'x', from: 'sip:a@b', to: 'sip:c@d', transport: 'udp', source: '127.0.0.1:5060' },
  externalIds: {},
  channels: [],
  paused: false,
  recognition: 'current',
  segmentCount: 0,
  wordCount: 0,
  complete: false,
  disk: 'ok',
  recording: null,
});

let seq = 0;
const event = (callId: string, type: string, data: object): EventView => ({
  epoch: 1,
  seq: ++seq,
  callId,
  callSeq: seq,
  type,
  timestamp: '2026-01-01T00:01:00Z',
  data: data as Record<string, unknown>,
});
type PartialMessage = Extract<LiveMessage, { type: 'segment.partial' }>;
const partial = (callId: string, spoken: SegmentView, attempt: number, rev: number): PartialMessage => ({
  type: 'segment.partial',
  callId,
  timestamp: '2026-01-01T00:01:00Z',
  data: { attempt, rev, segment: spoken },
});

describe('live calls', () => {
  const started = (): LiveCalls => {
    const calls = new LiveCalls();
    calls.apply(event('1', 'call.started', view('1')), 0);
    return calls;
  };
  const openText = (calls: LiveCalls): string | undefined => calls.get('1')?.lanes[0]?.partial?.segment.text;

  test('a partial is replaced by a newer one, and taken away by its final', () => {
    const calls = started();
    calls.apply(partial('1', segment('a', 0, 'good'), 1, 1), 0);
    calls.apply(partial('1', segment('a', 0, 'good morning'), 1, 2), 0);
    calls.apply(partial('1', segment('a', 0, 'go'), 1, 1), 0);
    expect(openText(calls)).toBe('good morning');
    const effects = calls.apply(event('1', 'segment.final', { segment: segment('a', 0, 'Good morning') }), 0);
    expect(effects.final?.segment.text).toBe('Good morning');
    expect(openText(calls)).toBeUndefined();
    calls.apply(partial('1', segment('a', 0, 'good morning'), 1, 3), 0);
    expect(openText(calls)).toBeUndefined();
  });

  test('a higher attempt replaces a higher revision', () => {
    const calls = started();
    calls.apply(partial('1', segment('a', 0, 'one two three'), 1, 9), 0);
    calls.apply(partial('1', segment('a', 0, 'one'), 2, 1), 0);
    expect(openText(calls)).toBe('one');
  });

  test('the final of an earlier segment leaves the later one open', () => {
    const calls = started();
    calls.apply(partial('1', segment('b', 5000, 'next'), 1, 1), 0);
    calls.apply(event('1', 'segment.final', { segment: segment('a', 0, 'before') }), 0);
    expect(openText(calls)).toBe('next');
  });

  test('an open segment that nothing more is heard of goes away', () => {
    const calls = started();
    calls.apply(partial('1', segment('a', 0, 'good'), 1, 1), 1000);
    calls.expire(15_000);
    expect(openText(calls)).toBe('good');
    calls.expire(22_000);
    expect(openText(calls)).toBeUndefined();
  });

  test('events that come twice change nothing', () => {
    const calls = started();
    const final = event('1', 'segment.final', { segment: segment('a', 0, 'once') });
    calls.apply(final, 0);
    const before = JSON.stringify(calls.list());
    calls.apply(final, 0);
    calls.apply(event('1', 'call.updated', view('1')), 0);
    expect(JSON.stringify(calls.list())).toBe(before);
  });

  test('a call that ended leaves the list, and an old list does not bring it back', () => {
    const calls = started();
    expect(calls.apply(event('1', 'call.ended', view('1', 'ended')), 0).refreshEnded).toBe(true);
    calls.replace([view('1'), view('2')]);
    expect(calls.list().map((call) => call.view.id)).toEqual(['2']);
  });

  test('words about a call that is not known ask for the list', () => {
    const calls = new LiveCalls();
    expect(calls.apply(partial('9', segment('a', 0, 'hello'), 1, 1), 0).refreshLive).toBe(true);
    expect(calls.apply(event('9', 'call.updated', { note: 'not a call' }), 0).refreshLive).toBe(true);
  });

  test('a final without a channel, or with an impossible one, is none', () => {
    const calls = started();
    const whole = segment('a', 0, 'hello');
    for (const channel of [undefined, -1, 0.5, 1e9, '0']) {
      expect(
        calls.apply(event('1', 'segment.final', { segment: { ...whole, channel } }), 0).final,
      ).toBeNull();
    }
    expect(calls.apply(event('1', 'segment.final', { segment: whole }), 0).final?.segment).toEqual(whole);
  });

  test('events with data of any shape do no harm', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('segment.final', 'call.started', 'call.updated', 'call.ended', 'x'),
        fc.dictionary(
          fc.constantFrom(
            ...['segment', 'id', 'words', 'state', 'channels', 'channel', 'startMs', 'endMs', 'text'],
          ),
          fc.oneof(fc.jsonValue(), fc.integer(), fc.string()),
        ),
        (type, data) => {
          const calls = started();
          expect(() => calls.apply(event('1', type, data), 0)).not.toThrow();
        },
      ),
    );
  });
});

describe('the rows of a transcript', () => {
  const said = fc.record({
    startMs: fc.nat(60_000),
    lengthMs: fc.integer({ min: 100, max: 8000 }),
    role: fc.constantFrom('agent', 'customer', 'mixed', 'unknown'),
    channel: fc.nat(3),
  });

  test('each segment is in exactly one row, on its side, and rows follow each other in time', () => {
    fc.assert(
      fc.property(fc.array(said, { maxLength: 40 }), fc.nat(3), (list, open) => {
        const transcript = new Transcript();
        const segments = list.map((one, index) =>
          segment(`s${index}`, one.startMs, 'x', { ...one, endMs: one.startMs + one.lengthMs }),
        );
        const partials = segments.slice(0, open);
        for (const one of segments.slice(open)) transcript.add(one);
        const rows = rowsOf(transcript.segments(), partials);
        const placed = rows.flatMap((row) =>
          (['left', 'right', 'wide'] as const).flatMap((side) => {
            const shown = row[side];
            if (shown === null) return [];
            expect(sideOf(shown.segment)).toBe(side);
            expect(shown.final).toBe(!partials.includes(shown.segment));
            return [shown.segment.id];
          }),
        );
        expect(placed.sort()).toEqual(segments.map((one) => one.id).sort());
        const starts = rows.map((row) => row.startMs);
        expect(starts).toEqual([...starts].sort((left, right) => left - right));
        expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
      }),
    );
  });

  test('two who speak at once share a row, and a long silence is told', () => {
    const rows = rowsOf(
      [
        segment('a', 0, 'one', { endMs: 3000 }),
        segment('b', 2000, 'two', { role: 'customer', endMs: 4000 }),
        segment('c', 14_000, 'three', { role: 'customer' }),
      ],
      [],
    );
    expect(rows.map((row) => [row.left?.segment.id, row.right?.segment.id, row.silenceMs])).toEqual([
      ['a', 'b', 0],
      [undefined, 'c', 10_000],
    ]);
  });

  test('a segment that comes twice is there once', () => {
    const transcript = new Transcript();
    expect(transcript.add(segment('a', 0, 'one'))).toBe(true);
    expect(transcript.add(segment('a', 0, 'one'))).toBe(false);
    expect(transcript.segments()).toHaveLength(1);
  });
});

describe('the written form against the words as said', () => {
  const words = segment('a', 1000, 'my number is forty two thank you').words;

  test('equal lengths pair up one by one', () => {
    const tokens = alignWords('My number is Forty Two, thank you.', words);
    expect(tokens.map((token) => token.text).join(' ')).toBe('My number is Forty Two, thank you.');
    expect(tokens.map((token) => token.startMs)).toEqual(words.map((word) => word.startMs));
  });

  test('a number takes the time of the words it stands for', () => {
    const tokens = alignWords('My number is 42, thank you.', words);
    expect(tokens.map((token) => [token.text, token.startMs, token.endMs])).toEqual([
      ['My', 1000, 1090],
      ['number', 1100, 1190],
      ['is', 1200, 1290],
      ['42,', 1300, 1490],
      ['thank', 1500, 1590],
      ['you.', 1600, 1690],
    ]);
  });

  test('no token is lost and time never runs backwards, whatever the two texts are', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', '42', 'x.'), { maxLength: 25 });
    fc.assert(
      fc.property(text, text, (written, spoken) => {
        const said = spoken.length === 0 ? [] : segment('a', 1000, spoken.join(' ')).words;
        const tokens = alignWords(written.join(' '), said);
        expect(tokens.map((token) => token.text)).toEqual(written);
        for (const [index, token] of tokens.entries()) {
          expect(token.endMs).toBeGreaterThanOrEqual(token.startMs);
          if (index > 0) expect(token.startMs).toBeGreaterThanOrEqual(tokens[index - 1]!.startMs);
        }
      }),
    );
  });
});

describe('formats', () => {
  test.each([
    [0, '0:00'],
    [61_999, '1:01'],
    [3_600_000, '1:00:00'],
    [93_784_000, '1d 2:03:04'],
    [-5, '0:00'],
  ])('%d ms is %s on the clock', (ms, text) => {
    expect(clock(ms)).toBe(text);
  });

  test('times, sizes and tails', () => {
    expect(preciseClock(12_345)).toBe('0:12.3');
    expect([lasting(14_400), lasting(75_000)]).toEqual(['14 s', '1:15']);
    expect([bytes(12), bytes(1_234_000), bytes(2.5e9)]).toEqual(['1 kB', '1.2 MB', '2.50 GB']);
    expect(tail('the end of it', 100)).toBe('the end of it');
    expect(tail('cut in the middle of it', 10)).toBe('… of it');
  });

  test('nobody is ever quite sure', () => {
    expect(sureness(1)).toBe('99% sure');
    expect(sureness(0.995)).toBe('99% sure');
    expect(sureness(0.424)).toBe('42% sure');
  });

  test('the demo is sent to where SIP listens, when that is not the usual port', () => {
    expect(demoCommand(null)).toBe('npm run demo -- --calls 2');
    expect(demoCommand({ host: '127.0.0.1', port: 5060 })).toBe('npm run demo -- --calls 2');
    expect(demoCommand({ host: '0.0.0.0', port: 5070 })).toBe(
      'npm run demo -- --calls 2 --to 127.0.0.1:5070',
    );
    expect(demoCommand({ host: '::1', port: 5070 })).toBe('npm run demo -- --calls 2 --to [::1]:5070');
    expect(sipUri({ host: '0.0.0.0', port: 5060 }, 'ear.example')).toBe('sip:ear.example:5060');
    expect(sipUri({ host: '192.0.2.1', port: 5070 }, 'ear.example')).toBe('sip:192.0.2.1:5070');
  });

  test('a party is named by what is known of it', () => {
    const party = (name: string | null, aor: string | null) => ({
      role: 'customer',
      index: 1,
      participant: { name, aor },
    });
    expect(partyName(party('Ann', 'sip:1@x'))).toBe('Ann');
    expect(partyName(party(' ', 'sip:1001@example.test;x=y'))).toBe('1001');
    expect(partyName(party(null, null))).toBe('Customer');
  });

  test('activity forgets what is over a minute ago', () => {
    const activity = new Activity();
    activity.add(3, 1_000_000);
    activity.add(2, 1_000_100);
    expect(activity.levels(1_000_100).at(-1)).toBe(5);
    expect(activity.levels(1_010_100).indexOf(5)).toBe(BUCKETS - 6);
    expect(activity.levels(1_100_000)).toEqual(new Array(BUCKETS).fill(0));
  });

  test('a path names the page', () => {
    expect(routeOf('/')).toEqual({ page: 'calls', q: '' });
    expect(routeOf('/', '?q=late+kettle%21')).toEqual({ page: 'calls', q: 'late kettle!' });
    expect(routeOf('/calls/%E0%A4')).toEqual({ page: 'call', id: '%E0%A4' });
    expect(routeOf('/calls/a%2Fb')).toEqual({ page: 'call', id: 'a/b' });
    expect(routeOf('/calls/a/b')).toEqual({ page: 'calls', q: '' });
  });
});

describe('colours', () => {
  const css = readFileSync(join(import.meta.dirname, '../src/style/base.css'), 'utf8');
  const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)');
  const rolesOf = (part: string): Map<string, string> =>
    new Map([...part.matchAll(/--([\w-]+): (#[0-9a-f]+);/g)].map(([, role, hex]) => [role!, hex!]));

  /** WCAG 2.2, relative luminance. */
  const luminance = (hex: string): number => {
    const full = hex.length === 4 ? hex.replace(/[0-9a-f]/g, '$&$&') : hex;
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(full.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one: string, other: string): number => {
    const [bright = 0, dim = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (bright + 0.05) / (dim + 0.05);
  };

  test.each([
    ['light', light],
    ['dark', dark],
  ])('text can be read on every ground in %s (WCAG 2.2 AA)', (_name, part) => {
    const roles = rolesOf(part);
    for (const text of ['ink', 'muted', 'faint', 'left', 'right', 'live', 'warn', 'fault']) {
      for (const ground of ['ground', 'surface', 'raised', 'hover']) {
        const ratio = contrast(roles.get(text)!, roles.get(ground)!);
        expect(ratio, `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
});
