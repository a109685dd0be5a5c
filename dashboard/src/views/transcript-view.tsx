import type { CallView, DiagnosisView, GapView, LedgerView, SegmentView } from '@earshot/contracts';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { clock, lasting, partyName, roleName } from '../state/format.ts';
import { gapsIn, gapText } from '../state/ledger.ts';
import { linesOf, type Row, rowsOf, sideOf } from '../state/transcript.ts';
import { Diagnosis } from './diagnosis.tsx';
import { Segment } from './segment.tsx';
import { WordTip } from './word-tip.tsx';

interface Props {
  readonly channels: CallView['channels'];
  readonly live: boolean;
  /** Nothing is recorded or recognised for now. */
  readonly paused: boolean;
  /** It is recorded, and recognised later. */
  readonly waiting: boolean;
  readonly finals: readonly SegmentView[];
  readonly partials: readonly SegmentView[];
  readonly ledger: LedgerView | null;
  readonly diagnosis: DiagnosisView | null;
  /** Where the recording plays, or null. */
  readonly playingMs: number | null;
  readonly onSeek: ((ms: number) => void) | null;
  /** @returns false when nothing plays */
  readonly onPause: () => boolean;
}

/** A call may last for days: so many of the newest segments are drawn, the older ones when asked for. */
const SHOWN_SEGMENTS = 400;
/** So near the end counts as the end. */
const END_PX = 60;

/** The words of a call, agent left and customer right, aligned by when they were said. */
export function TranscriptView(props: Props) {
  const { channels, live, paused, waiting, finals, partials, ledger, diagnosis, playingMs, onSeek, onPause } =
    props;
  const pane = useRef<HTMLDivElement>(null);
  const [limit, setLimit] = useState(SHOWN_SEGMENTS);
  const shown = useMemo(() => finals.slice(-limit), [finals, limit]);
  const rows = useMemo(() => rowsOf(shown, partials), [shown, ...partials]);
  const gaps = useMemo(() => gapsIn(ledger), [ledger]);
  const fromMs = finals.length > shown.length ? (shown[0]?.startMs ?? 0) : 0;
  const lines = useMemo(() => linesOf(rows, gaps, fromMs), [rows, gaps, fromMs]);

  const { follow, setFollow } = useFollow(pane, live, paused, lines);

  const sides = { left: 'Agent', right: 'Customer' };
  for (const channel of channels) {
    const side = sideOf({ role: channel.role, channel: channel.index });
    if (side !== 'wide') sides[side] = laneTitle(channel);
  }
  return (
    <section class="transcript" aria-label="Transcript">
      <div class="lane-heads" aria-hidden="true">
        {(['left', 'right'] as const).map((side) => (
          <span key={side} class={side}>
            {sides[side]}
            {paused && <span class="lane-paused"> · paused</span>}
          </span>
        ))}
      </div>
      {/* A pane that scrolls has to be reachable by keyboard. */}
      <div class={`pane${onSeek === null ? '' : ' seekable'}`} ref={pane} tabIndex={0}>
        {finals.length > shown.length && (
          <button class="more" onClick={() => setLimit(limit + 5 * SHOWN_SEGMENTS)}>
            Show earlier words ({finals.length - shown.length} segments)
          </button>
        )}
        {rows.length === 0 && !paused && <p class="nothing">{nothingYet(live, waiting)}</p>}
        {rows.length === 0 && diagnosis !== null && <Diagnosis diagnosis={diagnosis} channels={channels} />}
        <ol class="rows">
          {lines.map((line) =>
            'gaps' in line ? (
              <Gaps key={line.key} gaps={line.gaps} />
            ) : (
              <TranscriptRow
                key={line.row.key}
                row={line.row}
                playingMs={playingMs}
                onSeek={onSeek}
                onPause={onPause}
              />
            ),
          )}
          {paused && <li class="paused-now">Paused: what is said now is not recorded or transcribed</li>}
        </ol>
        <WordTip pane={pane} />
      </div>
      {live && !follow && (
        <button class="jump" onClick={() => setFollow(true)}>
          ↓ Jump to live
        </button>
      )}
    </section>
  );
}

function nothingYet(live: boolean, waiting: boolean): string {
  if (waiting) return 'Recorded: the words follow when recognition has room.';
  return live ? 'Nobody has spoken yet.' : 'Nothing was said in this call.';
}

/** Scrolling this soon after the reader touched something is the reader's doing. */
const READER_MS = 600;

/**
 * Keeps the end in view, until the reader scrolls up. Rows that come into view change their height after they are
 * drawn (content-visibility), so it is the list's size that is followed, not its content. When the call ends, the last
 * words are still to come, and the player takes its place from the pane's: the end is followed through both.
 */
function useFollow(pane: RefObject<HTMLElement>, live: boolean, paused: boolean, lines: readonly unknown[]) {
  const [follow, setFollow] = useState(true);
  const following = useRef(true);
  const wasLive = useRef(live);
  wasLive.current ||= live;
  following.current = follow && wasLive.current;
  useLayoutEffect(() => {
    const element = pane.current;
    if (element !== null && following.current) element.scrollTop = element.scrollHeight;
  }, [pane, lines, paused, follow, live]);
  useEffect(() => {
    const element = pane.current;
    const list = element?.querySelector('.rows');
    if (element === null || !list) return undefined;
    let top = element.scrollTop;
    let touchedMs = -READER_MS;
    const touched = (event: Event): void => void (touchedMs = event.timeStamp);
    const scrolled = (event: Event): void => {
      const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < END_PX;
      const byReader = event.timeStamp - touchedMs < READER_MS;
      if (atEnd) setFollow(true);
      else if (byReader && element.scrollTop < top) setFollow(false);
      top = element.scrollTop;
    };
    const observer = new ResizeObserver(() => {
      if (following.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(list);
    observer.observe(element);
    element.addEventListener('scroll', scrolled, { passive: true });
    for (const name of INPUTS) element.addEventListener(name, touched, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', scrolled);
      for (const name of INPUTS) element.removeEventListener(name, touched);
    };
  }, [pane]);
  return { follow, setFollow };
}

/** pointermove: the scroll bar is dragged for longer than READER_MS. */
const INPUTS = ['wheel', 'touchmove', 'pointerdown', 'pointermove', 'keydown'] as const;

const laneTitle = (channel: CallView['channels'][number]): string => {
  const name = partyName(channel);
  const role = roleName(channel.role);
  return name === role ? role : `${role} · ${name}`;
};

function Gaps({ gaps }: { gaps: readonly GapView[] }) {
  return (
    <li class="row gap">
      <span class="at">{clock(gaps[0]?.startMs ?? 0)}</span>
      {gaps.map(({ channel, role, kind, startMs, endMs }) => (
        <span key={channel} class={`gap-mark ${sideOf({ role, channel })} ${kind}`}>
          <span class="hidden">{roleName(role)}: </span>
          {gapText(kind)} · {lasting(endMs - startMs)}
        </span>
      ))}
    </li>
  );
}

interface RowProps {
  readonly row: Row;
  readonly playingMs: number | null;
  readonly onSeek: ((ms: number) => void) | null;
  readonly onPause: () => boolean;
}

function TranscriptRow({ row, playingMs, onSeek, onPause }: RowProps) {
  const time = clock(row.startMs);
  // Space is what pauses a player. While it plays, it does so here too instead of pressing the button again.
  const space = (event: KeyboardEvent): void => {
    if (event.key !== ' ') return;
    event.preventDefault();
    if (event.type === 'keydown' && !event.repeat && !onPause()) onSeek?.(row.startMs);
  };
  return (
    <>
      {row.silenceMs > 0 && <li class="silence">{lasting(row.silenceMs)} of silence</li>}
      <li class={`row${row.wide === null ? '' : ' wide'}`}>
        {onSeek === null ? (
          <span class="at">{time}</span>
        ) : (
          <button
            class="at"
            onClick={() => onSeek(row.startMs)}
            onKeyDown={space}
            onKeyUp={space}
            aria-label={`Play from ${time}`}
          >
            {time}
          </button>
        )}
        {([row.left, row.right, row.wide] as const).map((shown, index) =>
          shown === null ? null : (
            <Segment
              key={shown.segment.id}
              side={(['left', 'right', 'wide'] as const)[index]!}
              segment={shown.segment}
              final={shown.final}
              playingMs={withinMs(shown.segment, playingMs)}
              onSeek={onSeek}
            />
          ),
        )}
      </li>
    </>
  );
}

/** Null outside the segment, so that only the one that plays is drawn again as time goes on. */
const withinMs = (segment: SegmentView, ms: number | null): number | null =>
  ms !== null && ms >= segment.startMs - 100 && ms <= segment.endMs + 300 ? ms : null;
