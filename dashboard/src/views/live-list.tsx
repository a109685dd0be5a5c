import { useEffect, useRef, useState } from 'preact/hooks';
import { callPath } from '../router.ts';
import { clock, partyName, roleName, tail } from '../state/format.ts';
import { type Lane, laneOf, type LiveCall } from '../state/live-calls.ts';
import { sideOf } from '../state/transcript.ts';
import { Spark } from './spark.tsx';
import { WordsFollowMark } from './words-follow.tsx';

/** As the style sheet has them: the list draws only the rows that can be seen, so it must know how high one is. */
const ROW_PX = 68;
const NARROW_ROW_PX = 108;
const NARROW = '(max-width: 640px)';
const SPARE_ROWS = 4;
/** More than fits on a wide screen. */
const TAIL_CHARS = 130;
/** A party that said a word so lately is speaking. */
const SPEAKING_MS = 1500;

/** Live calls, drawn as far as they are in view: 300 of them cost as much as ten. */
export function LiveList({ calls, nowMs }: { calls: readonly LiveCall[]; nowMs: number }) {
  const list = useRef<HTMLDivElement>(null);
  const rowPx = useRowHeight();
  const [view, setView] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = list.current;
    if (element === null) return undefined;
    const look = (): void => setView({ top: element.scrollTop, height: element.clientHeight });
    look();
    element.addEventListener('scroll', look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', look);
      observer.disconnect();
    };
  }, []);
  const first = Math.max(0, Math.floor(view.top / rowPx) - SPARE_ROWS);
  const last = Math.min(calls.length, Math.ceil((view.top + view.height) / rowPx) + SPARE_ROWS);
  return (
    <div class="live-list" ref={list} tabIndex={-1}>
      <ul style={{ height: `${calls.length * rowPx}px` }}>
        {calls.slice(first, last).map((call, index) => (
          <li
            key={call.view.id}
            style={{ transform: `translateY(${(first + index) * rowPx}px)`, height: `${rowPx}px` }}
            aria-setsize={calls.length}
            aria-posinset={first + index + 1}
          >
            <LiveRow call={call} nowMs={nowMs} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function useRowHeight(): number {
  const [narrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const changed = (): void => setNarrow(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  return narrow ? NARROW_ROW_PX : ROW_PX;
}

function LiveRow({ call, nowMs }: { call: LiveCall; nowMs: number }) {
  const { view } = call;
  const channels = view.channels.slice(0, 2);
  const names = channels.map(partyName);
  const externalId = Object.values(view.externalIds)[0];
  const elapsedMs = nowMs - Date.parse(view.startedAt);
  const activityNowMs = Date.now();
  return (
    <a class="live-row" href={callPath(view.id)} data-route>
      <span class="who">
        <span class="names">{names.length === 0 ? view.sip.from : names.join(' · ')}</span>
        <span class="below">
          {view.paused && <span class="paused-mark">Paused</span>}
          <WordsFollowMark view={view} />
          {(view.disk === 'low' || view.disk === 'full') && <span class="alert-mark">Not recorded</span>}
          <span class="ids">{externalId ?? view.sip.callId}</span>
        </span>
      </span>
      <span class="said">
        {channels.map((channel) => (
          <LastWords
            key={channel.index}
            role={channel.role}
            side={sideOf({ role: channel.role, channel: channel.index })}
            missing={channel.media === 'missing'}
            lane={laneOf(call, channel.index)}
            nowMs={activityNowMs}
          />
        ))}
      </span>
      <Spark
        up={call.lanes[0]?.activity.levels(activityNowMs) ?? []}
        down={call.lanes[1]?.activity.levels(activityNowMs) ?? []}
      />
      <span class="duration">{clock(elapsedMs)}</span>
    </a>
  );
}

interface LastWordsProps {
  readonly role: string;
  readonly side: string;
  /** Its media was promised and does not come. */
  readonly missing: boolean;
  readonly lane: Lane;
  readonly nowMs: number;
}

/** The end of what a party said, what is not final yet in grey. */
function LastWords({ role, side, missing, lane, nowMs }: LastWordsProps) {
  const partial = tail(lane.partial?.segment.text ?? '', TAIL_CHARS);
  const final = tail(lane.final?.text ?? '', Math.max(0, TAIL_CHARS - partial.length));
  const speaking = nowMs - lane.heardAtMs < SPEAKING_MS;
  return (
    <span class={`last-words ${side}${speaking ? ' speaking' : ''}`}>
      <span class="role" title={roleName(role)}>
        {roleName(role).slice(0, 1)}
      </span>
      {missing && <span class="alert-mark">No audio</span>}
      <span class="clip">
        <span>
          {final} <span class="partial">{final + partial === '' ? '—' : partial}</span>
        </span>
      </span>
    </span>
  );
}
