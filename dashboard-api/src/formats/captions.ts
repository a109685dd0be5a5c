import type { GapView, SegmentView } from '@earshot/contracts';

/** A transcript as text files. Pure: segments and gaps in call order in, a file's content out. */

const two = (value: number): string => String(value).padStart(2, '0');

interface Clock {
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly ms: number;
}

const clockOf = (ms: number): Clock => ({
  hours: Math.floor(ms / 3_600_000),
  minutes: Math.floor(ms / 60_000) % 60,
  seconds: Math.floor(ms / 1000) % 60,
  ms: ms % 1000,
});

/** hh:mm:ss.mmm, hours with as many digits as they need (WebVTT and SRT both allow more than two). */
function cueTime(ms: number, separator: '.' | ','): string {
  const clock = clockOf(Math.max(0, Math.round(ms)));
  return `${two(clock.hours)}:${two(clock.minutes)}:${two(clock.seconds)}${separator}${String(clock.ms).padStart(3, '0')}`;
}

/** [mm:ss], or [h:mm:ss] from an hour on. */
export function shortTime(ms: number): string {
  const { hours, minutes, seconds } = clockOf(Math.max(0, Math.round(ms)));
  return hours === 0 ? `${two(minutes)}:${two(seconds)}` : `${hours}:${two(minutes)}:${two(seconds)}`;
}

/** One line: a line break inside a cue could end it, or begin another. */
const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/ +/g, ' ')
    .trim();

/** A cue must last: a player skips one whose end is not after its start. */
const endOf = (segment: SegmentView): number => Math.max(segment.endMs, segment.startMs + 1);

const GAP_NAMES: Readonly<Record<GapView['kind'], string>> = {
  lost: 'packets lost',
  absent: 'no packets',
  held: 'on hold',
  paused: 'paused',
};

/** 4 s, or 1:05 from a minute on. */
function gapLasts({ startMs, endMs }: GapView): string {
  const lastsMs = Math.round((endMs - startMs) / 1000) * 1000;
  return lastsMs < 60_000 ? `${lastsMs / 1000} s` : shortTime(lastsMs).replace(/^0/, '');
}

type Item = { readonly segment: SegmentView } | { readonly gap: GapView };

/** Both by when they begin; the gap first, where a segment begins with it. */
function inOrder(segments: readonly SegmentView[], gaps: readonly GapView[]): Item[] {
  const items: Item[] = [];
  let next = 0;
  for (const segment of segments) {
    while (next < gaps.length && gaps[next]!.startMs <= segment.startMs) items.push({ gap: gaps[next++]! });
    items.push({ segment });
  }
  return [...items, ...gaps.slice(next).map((gap) => ({ gap }))];
}

export function toText(segments: readonly SegmentView[], gaps: readonly GapView[] = []): string {
  return inOrder(segments, gaps)
    .map((item) => {
      if ('gap' in item) {
        const { startMs, role, kind } = item.gap;
        return `[${shortTime(startMs)}] ${role}: (no audio for ${gapLasts(item.gap)}: ${GAP_NAMES[kind]})\n`;
      }
      return `[${shortTime(item.segment.startMs)}] ${item.segment.role}: ${oneLine(item.segment.text)}\n`;
    })
    .join('');
}

/** In WebVTT cue text & and < have a meaning, and --> must not occur (W3C WebVTT, section 4.2). */
const vttText = (text: string): string =>
  oneLine(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** WebVTT (W3C, 2019), the speaker as a voice span. Where audio is missing there is a comment, which a player does not show. */
export function toVtt(segments: readonly SegmentView[], gaps: readonly GapView[] = []): string {
  const blocks = inOrder(segments, gaps).map((item) => {
    if ('gap' in item) {
      const { startMs, endMs, role, kind } = item.gap;
      const times = `from ${cueTime(startMs, '.')} to ${cueTime(endMs, '.')}`;
      return `NOTE ${vttText(role)}: no audio ${times} (${GAP_NAMES[kind]})\n`;
    }
    const { segment } = item;
    return (
      `${vttText(segment.id)}\n${cueTime(segment.startMs, '.')} --> ${cueTime(endOf(segment), '.')}\n` +
      `<v ${vttText(segment.role)}>${vttText(segment.text)}\n`
    );
  });
  return ['WEBVTT\n', ...blocks].join('\n');
}

/**
 * SubRip has no escapes, but players read <b> and {\an8} as markup and --> as a time line: the brackets become look-alikes
 * that mean nothing.
 */
const srtText = (text: string): string =>
  oneLine(text).replaceAll('<', '‹').replaceAll('>', '›').replaceAll('{', '(').replaceAll('}', ')');

/** SubRip has no comments: a gap is a cue. */
export function toSrt(segments: readonly SegmentView[], gaps: readonly GapView[] = []): string {
  return inOrder(segments, gaps)
    .map((item, index) => {
      const { startMs, role } = 'gap' in item ? item.gap : item.segment;
      const endMs = 'gap' in item ? item.gap.endMs : endOf(item.segment);
      const text = 'gap' in item ? `(${GAP_NAMES[item.gap.kind]})` : srtText(item.segment.text);
      return `${index + 1}\n${cueTime(startMs, ',')} --> ${cueTime(endMs, ',')}\n${srtText(role)}: ${text}\n`;
    })
    .join('\n');
}

export type TranscriptFormat = 'json' | 'txt' | 'vtt' | 'srt';

const MEDIA_TYPES: readonly (readonly [string, TranscriptFormat])[] = [
  ['application/json', 'json'],
  ['text/plain', 'txt'],
  ['text/vtt', 'vtt'],
  ['application/x-subrip', 'srt'],
];

/** What an Accept header asks for (RFC 9110 section 12.5.1). JSON when it is absent or names nothing we have. */
export function formatFor(accept: string | undefined): TranscriptFormat {
  let best: { format: TranscriptFormat; quality: number } = { format: 'json', quality: 0 };
  for (const part of (accept ?? '').split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    const match = MEDIA_TYPES.find(
      ([type]) => range === type || range === `${type.split('/')[0] ?? ''}/*` || range === '*/*',
    );
    if (match !== undefined && quality > best.quality) best = { format: match[1], quality };
  }
  return best.format;
}

export const CONTENT_TYPES: Readonly<Record<TranscriptFormat, string>> = {
  json: 'application/json; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
  srt: 'application/x-subrip; charset=utf-8',
};
