import type { TraceItemView, TraceView } from '@earshot/contracts';

/** A call's SIP messages as REST shows them, and as text. Pure. */

/** A message as the call log has it. */
export interface TraceRow {
  readonly atUs: number;
  readonly direction: 'in' | 'out';
  readonly transport: string;
  readonly local: string | null;
  readonly remote: string | null;
  readonly text: string;
  readonly omitted: number;
}

/** @param startedAtMs call zero, ms since 1970 @param rows in order */
export const traceViewOf = (callId: string, startedAtMs: number, rows: readonly TraceRow[]): TraceView => ({
  callId,
  items: rows.map((row) => itemOf(row, startedAtMs)),
  omitted: rows.reduce((sum, { omitted }) => sum + omitted, 0),
  nextCursor: null,
});

function itemOf(row: TraceRow, startedAtMs: number): TraceItemView {
  const { atUs, direction, transport, local, remote, text, omitted } = row;
  const atMs = atUs / 1000;
  const [source, destination] = direction === 'in' ? [remote, local] : [local, remote];
  return {
    atMs,
    at: new Date(startedAtMs + atMs).toISOString(),
    direction,
    transport: transport === '' ? null : transport,
    source,
    destination,
    ...titleOf(text),
    omittedBefore: omitted,
    text,
  };
}

/** The start line and CSeq: all that a reader of a ladder needs of a message. */
function titleOf(text: string): Pick<TraceItemView, 'summary' | 'method' | 'status'> {
  const end = text.search(/\r?\n/);
  const startLine = end < 0 ? text : text.slice(0, end);
  const response = /^SIP\/2\.0 +(\d{3}) *(.*)$/i.exec(startLine);
  if (response === null) {
    const method = /^\S+/.exec(startLine)?.[0] ?? '?';
    return { summary: method, method, status: null };
  }
  const method = /^cseq[ \t]*:[ \t]*\d+[ \t]+(\S+)/im.exec(text)?.[1] ?? '?';
  const [, status = '', reason = ''] = response;
  return { summary: `${`${status} ${reason}`.trim()} (${method})`, method, status: Number(status) };
}

const WIDTH = 48;

/** The ladder, then each message. */
export function toTraceText({ callId, items, omitted }: TraceView): string {
  const kept = `${items.length} messages${omitted === 0 ? '' : `, ${omitted} more not kept`}`;
  const ladder = items.flatMap((item) => [...omittedLine(item), rung(item)]);
  const messages = items.map(
    (item, index) => `${'-'.repeat(78)}\n${headOf(item, index)}\n\n${linesOf(item.text)}\n`,
  );
  const heads = `${' '.repeat(12)}caller${' '.repeat(WIDTH - 4)}Earshot`;
  return [`SIP trace of call ${callId}: ${kept}`, '', heads, ...ladder, '', ...messages].join('\n');
}

/** `      1.234 s  |------------------ INVITE ------------------>|` */
function rung({ atMs, direction, summary }: TraceItemView): string {
  const title = ` ${oneLine(summary).slice(0, WIDTH - 8)} `;
  const left = Math.floor((WIDTH - title.length) / 2);
  const line = `${'-'.repeat(left)}${title}${'-'.repeat(WIDTH - title.length - left)}`;
  const arrow = direction === 'in' ? `|${line}>|` : `|<${line}|`;
  return `${(atMs / 1000).toFixed(3).padStart(11)} s  ${arrow}`;
}

const omittedLine = ({ omittedBefore }: TraceItemView): string[] =>
  omittedBefore === 0 ? [] : [`${' '.repeat(15)}:   ${omittedBefore} messages not kept`];

const headOf = ({ at, atMs, transport, source, destination }: TraceItemView, index: number): string =>
  `${index + 1}  ${(atMs / 1000).toFixed(6)} s  ${at}  ${transport ?? '-'}  ${source ?? '?'} -> ${destination ?? '?'}`;

/** Only what a terminal shows as it is: a message may hold what moves its cursor. */
const linesOf = (text: string): string =>
  text
    .split(/\r\n|\r|\n/)
    .map(oneLine)
    .join('\n');

const oneLine = (text: string): string => text.replace(/[^\P{Cc}\t]/gu, '\ufffd');
