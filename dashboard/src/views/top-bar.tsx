import type { Connection } from '../net/live-socket.ts';
import type { Store } from '../store.ts';

const STATES: Readonly<Record<Connection, string>> = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
  'signed-out': 'Signed out',
};

export function TopBar({ store }: { store: Store }) {
  const { capacity, connection } = store;
  const totals = store.live.totals();
  return (
    <header class="top">
      <a class="brand" href="/" data-route>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M8 13v6M13.3 9v14M18.6 12v8M24 14.5v3" />
        </svg>
        Earshot
      </a>
      <div class="top-facts">
        {store.ready && (
          <span class="top-fact">
            <span>
              <b>{totals.calls}</b> live
            </span>
            <span class="wide-only">· {totals.channels} channels</span>
          </span>
        )}
        {capacity !== null && capacity.headroom !== null && (
          <span class="top-fact wide-only" title="Free share of recognition">
            <span class="meter" aria-hidden="true">
              <span style={{ width: `${Math.round((1 - capacity.headroom) * 100)}%` }} />
            </span>
            {Math.round((1 - capacity.headroom) * 100)}% load
          </span>
        )}
        {capacity?.draining === true && (
          <span class="top-fact" title="New calls are refused; live ones go on">
            Draining
          </span>
        )}
      </div>
      <span class={`connection ${connection}`} role="status">
        {STATES[connection]}
      </span>
      <form method="post" action="/signout" onSubmit={() => store.leave()}>
        <button class="quiet">Sign out</button>
      </form>
    </header>
  );
}
