import { useEffect } from 'preact/hooks';
import { useRoute } from '../router.ts';
import { type Store, useStore } from '../store.ts';
import { CallPage } from './call-page.tsx';
import { CallsPage } from './calls-page.tsx';
import { TopBar } from './top-bar.tsx';

export function App({ store }: { store: Store }) {
  const route = useRoute();
  const callId = route.page === 'call' ? route.id : null;
  useEffect(() => store.openCall(callId), [store, callId]);
  useStore(store);
  if (store.connection === 'signed-out') return <SignedOut />;
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <TopBar store={store} />
      {callId === null ? (
        <CallsPage store={store} search={route.page === 'calls' ? route.q : ''} />
      ) : (
        <CallPage key={callId} store={store} callId={callId} />
      )}
    </>
  );
}

/** For the moment until the browser is on the page where one signs in, and when it cannot get there. */
function SignedOut() {
  return (
    <main id="main" class="calls-page">
      <p class="nothing">
        This browser is signed out. <a href="/signin">Sign in</a>
      </p>
    </main>
  );
}
