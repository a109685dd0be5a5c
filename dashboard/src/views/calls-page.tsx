import { useEffect, useMemo, useState } from 'preact/hooks';
import { findLiveCalls, serverNow } from '../net/api.ts';
import { setSearch } from '../router.ts';
import type { LiveCall } from '../state/live-calls.ts';
import { partyName } from '../state/format.ts';
import type { Store } from '../store.ts';
import { EndedCalls } from './ended-calls.tsx';
import { EmptyState } from './empty-state.tsx';
import { LiveList } from './live-list.tsx';

/** The calls that are live, and those that were. One search for both. */
export function CallsPage({ store, search }: { store: Store; search: string }) {
  const [hasEnded, setHasEnded] = useState<boolean | null>(null);
  useEffect(() => {
    document.title = 'Earshot';
  }, []);
  const live = store.live.list();
  const term = search.trim();
  const found = useFound(term, store.endedVersion);
  const shown = term === '' ? live : live.filter((call) => found.has(call.view.id) || matches(call, term));
  const ended = useMemo(
    () => <EndedCalls search={term} version={store.endedVersion} onKnown={setHasEnded} />,
    [term, store.endedVersion],
  );
  const empty = store.ready && live.length === 0 && search === '' && hasEnded === false;
  return (
    <main id="main" class="calls-page">
      <div class="calls-head">
        <h1>Calls</h1>
        <input
          class="search"
          type="search"
          placeholder="Search words, people, ids"
          aria-label="Search words, people and ids"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      {empty && <EmptyState capacity={store.capacity} />}
      <section aria-labelledby="live-title" hidden={empty}>
        <h2 id="live-title">
          Live <span class="badge">{shown.length}</span>
        </h2>
        {shown.length === 0 ? (
          <p class="nothing">
            {!store.ready
              ? 'Loading…'
              : live.length === 0
                ? 'No call is live at the moment.'
                : 'No live call matches.'}
          </p>
        ) : (
          <LiveList calls={shown} nowMs={serverNow()} />
        )}
      </section>
      <section aria-labelledby="ended-title" hidden={empty}>
        <h2 id="ended-title">Ended</h2>
        {ended}
      </section>
    </main>
  );
}

const TYPING_MS = 250;
const FIND_AGAIN_MS = 5000;
const NONE: ReadonlySet<string> = new Set();

/** Live calls that the server finds by all that was said in them: this page has only the newest words. */
function useFound(term: string, version: number): ReadonlySet<string> {
  const [found, setFound] = useState({ term: '', ids: NONE });
  useEffect(() => {
    if (term === '') return undefined;
    const abort = new AbortController();
    const find = async (): Promise<void> => {
      const ids = await findLiveCalls(term, abort.signal).catch(() => null);
      // Without an answer what was found before stays: it is asked for again soon.
      if (ids !== null && !abort.signal.aborted) setFound({ term, ids });
    };
    const typing = setTimeout(() => void find(), TYPING_MS);
    const again = setInterval(() => void find(), FIND_AGAIN_MS);
    return () => {
      clearTimeout(typing);
      clearInterval(again);
      abort.abort();
    };
  }, [term, version]);
  return found.term === term ? found.ids : NONE;
}

/** Each term is in a name, an id, or the words that are on the screen. */
function matches({ view, lanes }: LiveCall, search: string): boolean {
  const text = [
    view.id,
    view.sip.callId,
    view.sip.from,
    view.sip.to,
    ...Object.values(view.externalIds),
    ...view.channels.flatMap((channel) => [partyName(channel), channel.participant.aor ?? '']),
    ...lanes.flatMap(({ final, partial }) => [final?.text ?? '', partial?.segment.text ?? '']),
  ]
    .join('\n')
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/u)
    .every((term) => text.includes(term));
}
