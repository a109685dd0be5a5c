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
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <TopBar store={store} />
      {callId === null ? (
        <CallsPage store={store} />
      ) : (
        <CallPage key={callId} store={store} callId={callId} />
      )}
    </>
  );
}
