import type { CallView } from '@earshot/contracts';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { partyName, roleName } from '../state/format.ts';
import type { Store } from '../store.ts';

interface Props {
  readonly store: Store;
  readonly callId: string;
  readonly channel: CallView['channels'][number];
}

const ROLES = ['agent', 'customer', 'other', 'mixed', 'unknown'];

/** A channel's name, and the way to say that it is somebody else. */
export function PartyCorrection({ store, callId, channel }: Props) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const first = useRef<HTMLSelectElement>(null);
  useLayoutEffect(() => {
    if (open) first.current?.focus();
  }, [open]);
  const name = partyName(channel);
  const close = (): void => {
    setOpen(false);
    setFault(null);
    opener.current?.focus();
  };
  const save = async (form: HTMLFormElement): Promise<void> => {
    if (busy) return;
    const fields = new FormData(form);
    const [role, written] = ['role', 'name'].map((field) => fields.get(field));
    const text = typeof written === 'string' ? written.trim() : '';
    const newName = text === '' ? null : text;
    setBusy(true);
    const failed = await store.correct(callId, channel.index, {
      role: typeof role === 'string' ? role : channel.role,
      // A name that is left as it is may still be changed by the signalling.
      participant: newName === channel.participant.name ? {} : { name: newName },
    });
    setBusy(false);
    if (failed === null) close();
    else setFault(failed);
  };
  return (
    <div
      onKeyDown={(event) => {
        if (open && event.key === 'Escape') close();
      }}
    >
      <span class="party">
        <b>{name}</b>
        <button
          class="correct"
          ref={opener}
          aria-expanded={open}
          aria-label={`Correct who ${name} is`}
          title="Correct who this is"
          onClick={() => setOpen(!open)}
        >
          ✎
        </button>
      </span>
      {open && (
        <form
          class="correction"
          aria-label={`Who ${name} is`}
          onSubmit={(event) => {
            event.preventDefault();
            void save(event.currentTarget);
          }}
        >
          <label>
            Role
            <select name="role" ref={first}>
              {ROLES.map((role) => (
                <option key={role} value={role} selected={role === channel.role}>
                  {roleName(role)}
                </option>
              ))}
            </select>
          </label>
          <label>
            Name
            <input
              name="name"
              maxLength={200}
              autocomplete="off"
              defaultValue={channel.participant.name ?? ''}
            />
          </label>
          <span class="correction-buttons">
            <button type="submit" class="primary" aria-disabled={busy}>
              {busy ? 'Saving…' : 'Save'}
            </button>
            <button type="button" onClick={close}>
              Cancel
            </button>
          </span>
          {fault !== null && (
            <span class="fault" role="alert">
              Not corrected: {fault}
            </span>
          )}
        </form>
      )}
    </div>
  );
}
