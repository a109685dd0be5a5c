import { useEffect, useMemo, useState } from 'preact/hooks';
import { serverNow } from '../net/api.ts';
import type { LiveCall } from '../state/live-calls.ts';
import { partyName } from '../state/format.ts';
import type { Store } from '../store.ts';
import { EndedCalls } from './ended-calls.tsx';
import { EmptyState } from './empty-state.tsx';
import { LiveList } from './live-list.tsx';

/** The calls that are live, and those that were. One search for both. */
export function CallsPage({ store }: { store: Store }) {
  const [search, setSearch] = useState('');
  const [hasEnded, setHasEnded] = useState<boolean | null>(null);
  useEffect(() => {
    document.title = 'Earshot';
  }, []);
  const live = store.live.list();
  const shown = search.trim() === '' ? live : live.filter((call) => matches(call, search));
  const ended = useMemo(
    () => <EndedCalls search={search.trim()} version={store.endedVersion} onKnown={setHasEnded} />,
    [search, store.endedVersion],
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
      {empty && <EmptyState />}
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
