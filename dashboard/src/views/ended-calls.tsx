import type { CallView } from '@earshot/contracts';
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from '../net/api.ts';
import { callPath } from '../router.ts';
import { clock, count, moment, partyName } from '../state/format.ts';
import { wordsFollow } from './words-follow.tsx';

const PAGE = 25;
const TYPING_MS = 250;
const REPEAT_MS = 4000;

interface Props {
  readonly search: string;
  /** Rises when the first page may have changed. */
  readonly version: number;
  /** Whether there is any ended call at all; null while that is not known. */
  readonly onKnown: (any: boolean | null) => void;
}

interface Listed {
  readonly search: string;
  readonly items: readonly CallView[];
  readonly nextCursor: string | null;
}

/** Ended calls, newest first, found on the server. */
export function EndedCalls({ search, version, onKnown }: Props) {
  const [listed, setListed] = useState<Listed | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const shownCount = useRef(PAGE);
  const lastSearch = useRef<string | null>(null);

  useEffect(() => {
    const abort = new AbortController();
    const typing = lastSearch.current !== null && lastSearch.current !== search;
    if (typing) shownCount.current = PAGE;
    lastSearch.current = search;
    const load = async (): Promise<void> => {
      try {
        const page = await api.endedCalls(search, Math.min(500, shownCount.current), null, abort.signal);
        setListed({ search, ...page });
        setFault(null);
        if (search === '') onKnown(page.items.length > 0);
      } catch (error) {
        if (abort.signal.aborted) return;
        setFault(error instanceof Error ? error.message : 'The list failed.');
        if (error instanceof api.ApiError && error.passing) timer = setTimeout(() => void load(), REPEAT_MS);
      }
    };
    let timer = setTimeout(() => void load(), typing ? TYPING_MS : 0);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [search, version, onKnown]);

  const more = async (): Promise<void> => {
    if (listed === null || listed.nextCursor === null) return;
    try {
      const page = await api.endedCalls(listed.search, PAGE, listed.nextCursor);
      const items = [...listed.items, ...page.items];
      shownCount.current = items.length;
      setListed({ search: listed.search, items, nextCursor: page.nextCursor });
    } catch (error) {
      setFault(error instanceof Error ? error.message : 'The list failed.');
    }
  };

  if (fault !== null && listed?.search !== search) return <p class="nothing fault">{fault}</p>;
  if (listed === null) return <p class="nothing">Loading…</p>;
  if (listed.items.length === 0) {
    return (
      <p class="nothing">
        {listed.search === '' ? 'No call has ended yet.' : `No ended call has “${listed.search}” in it.`}
      </p>
    );
  }
  return (
    <>
      <ul class="ended-list">
        {listed.items.map((call) => (
          <li key={call.id}>
            <EndedRow call={call} />
          </li>
        ))}
      </ul>
      {fault !== null && <p class="nothing fault">{fault}</p>}
      {listed.nextCursor !== null && (
        <button class="more" onClick={() => void more()}>
          Show older calls
        </button>
      )}
    </>
  );
}

function EndedRow({ call }: { call: CallView }) {
  const names = call.channels.slice(0, 2).map(partyName);
  return (
    <a class="ended-row" href={callPath(call.id)} data-route>
      <time dateTime={call.startedAt}>{moment(call.startedAt, Date.now())}</time>
      <span class="names">{names.length === 0 ? call.sip.from : names.join(' · ')}</span>
      <span class="ids">{Object.values(call.externalIds)[0] ?? call.sip.callId}</span>
      <span class="words">
        {wordsFollow(call) ?? `${count(call.wordCount)} ${call.wordCount === 1 ? 'word' : 'words'}`}
      </span>
      <CompleteMark complete={call.complete} />
      <span class="duration">{clock(call.durationMs ?? 0)}</span>
    </a>
  );
}

/** Whether every moment that was received is accounted for in the transcript. */
export function CompleteMark({ complete, long = false }: { complete: boolean; long?: boolean }) {
  const title = complete
    ? 'Complete: everything that was received is recognised, silence, or a listed gap.'
    : 'Not complete (yet): some of what was received is still to be recognised.';
  return (
    <span class={`mark ${complete ? 'complete' : 'pending'}`} title={title}>
      <span aria-hidden="true">{complete ? '✓' : '…'}</span>
      <span class={long ? '' : 'hidden'}>{complete ? 'Complete' : 'In progress'}</span>
    </span>
  );
}
