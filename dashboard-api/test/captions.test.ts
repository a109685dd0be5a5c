import type { GapView, SegmentView } from '@earshot/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatFor, shortTime, toSrt, toText, toVtt } from '../src/formats/captions.ts';

const segment = (text: string, startMs = 0, endMs = startMs + 1000, role = 'agent'): SegmentView => ({
  id: `c:0@${startMs * 8}`,
  channel: 0,
  role,
  startMs,
  endMs,
  text,
  spoken: text,
  words: [],
});

test('WebVTT has a voice, a time line with milliseconds, and an empty line between cues', () => {
  expect(
    toVtt([segment('Good morning', 1500, 2750), segment('Hello', 3_723_004, 3_724_000, 'customer')]),
  ).toBe(
    'WEBVTT\n\nc:0@12000\n00:00:01.500 --> 00:00:02.750\n<v agent>Good morning\n\n' +
      'c:0@29784032\n01:02:03.004 --> 01:02:04.000\n<v customer>Hello\n',
  );
});

test('SubRip counts from one and has a comma in its times', () => {
  expect(toSrt([segment('Good morning', 1500, 2750), segment('Bye', 3000, 3000)])).toBe(
    '1\n00:00:01,500 --> 00:00:02,750\nagent: Good morning\n\n2\n00:00:03,000 --> 00:00:03,001\nagent: Bye\n',
  );
});

test('text has a line for each segment', () => {
  expect(toText([segment('Good\nmorning', 61_000), segment('Bye', 3_600_000)])).toBe(
    '[01:01] agent: Good morning\n[1:00:00] agent: Bye\n',
  );
  expect(shortTime(100 * 3_600_000)).toBe('100:00:00');
});

const gap = (startMs: number, endMs: number, kind: GapView['kind'] = 'lost'): GapView => ({
  channel: 1,
  role: 'customer',
  startMs,
  endMs,
  kind,
});

test('a gap has a line of its own, with how long it lasts and why', () => {
  expect(toText([segment('Hello', 5000)], [gap(0, 1400, 'absent'), gap(5000, 125_000, 'held')])).toBe(
    '[00:00] customer: (no audio for 1 s: no packets)\n' +
      '[00:05] customer: (no audio for 2:00: on hold)\n' +
      '[00:05] agent: Hello\n',
  );
  expect(toText([], [gap(0, 59_600, 'paused')])).toBe('[00:00] customer: (no audio for 1:00: paused)\n');
  expect(toVtt([], [gap(0, 1000)])).toBe(
    'WEBVTT\n\nNOTE customer: no audio from 00:00:00.000 to 00:00:01.000 (packets lost)\n',
  );
});

test('segments and gaps are told by when they begin, each once', () => {
  const starts = fc.array(fc.nat(20), { maxLength: 8 }).map((all) => all.sort((a, b) => a - b));
  fc.assert(
    fc.property(starts, starts, (said, missing) => {
      const segments = said.map((second) => segment('x', second * 1000));
      const gaps = missing.map((second) => gap(second * 1000, second * 1000 + 1000));
      const seconds = [...toText(segments, gaps).matchAll(/^\[00:(\d\d)\] (\w+)/gm)];
      expect(seconds.map(([, second]) => Number(second))).toEqual(
        [...said, ...missing].sort((a, b) => a - b),
      );
      expect(seconds.filter(([, , role]) => role === 'customer')).toHaveLength(missing.length);
      const times = [...toSrt(segments, gaps).matchAll(/^(\d+)\n00:00:(\d\d),000 -->/gm)];
      expect(times.map(([, number]) => Number(number))).toEqual(times.map((_, i) => i + 1));
      expect(times.map(([, , second]) => second)).toEqual(seconds.map(([, second]) => second));
      expect(toVtt(segments, gaps).split('-->')).toHaveLength(said.length + 1);
    }),
  );
});

/** Text that tries to be something else. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        '\n',
        '\r\n',
        '\n\n',
        '-->',
        '<b>',
        '</v>',
        '&lt;',
        '{\\an8}',
        '\u2028',
        '\u0085',
        'NOTE',
        '1',
        ' ',
      ),
    )
    .map((parts) => parts.join('')),
);

test('no text breaks out of its WebVTT cue', () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 5 }), (texts) => {
      const file = toVtt(texts.map((text, index) => segment(text, index * 1000)));
      const [head, ...cues] = file.split(/\n\n/).map((cue) => cue.replace(/\n$/, ''));
      expect(head).toBe('WEBVTT');
      expect(cues).toHaveLength(texts.length);
      for (const cue of cues) {
        const lines = cue.split(/\r\n|[\n\r\u2028\u2029\u0085]/);
        expect(lines).toHaveLength(3);
        expect(cue.split('-->')).toHaveLength(2);
        expect(lines[2]).toMatch(/^<v agent>[^<>]*$/);
        expect(lines[2]!.replaceAll(/&(amp|lt|gt);/g, '')).not.toContain('&');
      }
    }),
  );
});

test('no text breaks out of its SubRip cue, or is markup there', () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 5 }), (texts) => {
      const file = toSrt(texts.map((text, index) => segment(text, index * 1000)));
      const cues = file === '' ? [] : file.split(/\n\n/).map((cue) => cue.replace(/\n$/, ''));
      expect(cues).toHaveLength(texts.length);
      for (const [index, cue] of cues.entries()) {
        const lines = cue.split(/\r\n|[\n\r\u2028\u2029\u0085]/);
        expect(lines).toHaveLength(3);
        expect(lines[0]).toBe(String(index + 1));
        expect(lines[2]).toMatch(/^agent:[^<>{}]*$/);
      }
    }),
  );
});

test.each([
  [undefined, 'json'],
  ['*/*', 'json'],
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'json'],
  ['text/plain', 'txt'],
  ['text/vtt;q=0.4, application/x-subrip;q=0.9', 'srt'],
  ['application/json;q=0, text/vtt', 'vtt'],
  ['image/png', 'json'],
  ['TEXT/VTT', 'vtt'],
  [';q=;,,q', 'json'],
])('Accept: %s asks for %s', (accept, format) => {
  expect(formatFor(accept)).toBe(format);
});
