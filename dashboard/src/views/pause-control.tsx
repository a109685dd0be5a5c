import type { CallView } from '@earshot/contracts';
import { useState } from 'preact/hooks';
import type { Store } from '../store.ts';

/** For what may not be kept, such as a card number. That the call is paused is told to screen readers as it happens. */
export function PauseControl({ store, view }: { store: Store; view: CallView }) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const { paused } = view;
  const press = async (): Promise<void> => {
    // It is not disabled meanwhile: a button that is loses the focus.
    if (busy) return;
    setBusy(true);
    setFault(await store.pause(view.id, !paused));
    setBusy(false);
  };
  return (
    <>
      <span role="status">
        {paused && <span class="paused-mark">Paused: nothing is recorded or transcribed</span>}
      </span>
      <button
        class={`pause${paused ? ' resume' : ''}`}
        aria-disabled={busy}
        title={
          paused
            ? 'What is said from now on is recorded and transcribed again'
            : 'What is said from now on is neither recorded nor transcribed, until you resume'
        }
        onClick={() => void press()}
      >
        {paused ? (busy ? 'Resuming…' : 'Resume recording') : busy ? 'Pausing…' : 'Pause recording'}
      </button>
      {fault !== null && (
        <span class="pause-fault" role="alert">
          {paused ? 'Still paused' : 'Not paused'}: {fault}
        </span>
      )}
    </>
  );
}
