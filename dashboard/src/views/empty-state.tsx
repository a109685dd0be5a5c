import type { Capacity } from '../net/api.ts';
import { demoCommand, sipUri } from '../state/format.ts';

/** What to do when nothing has ever been heard. */
export function EmptyState({ capacity }: { capacity: Capacity | null }) {
  const sip = capacity?.sip ?? null;
  return (
    <div class="empty">
      <h2>No calls yet</h2>
      <p>Earshot is listening. Place two demo calls from the folder it was started in:</p>
      <pre>
        <code>{demoCommand(sip)}</code>
      </pre>
      <p>
        Or fork calls to it from your SBC or PBX, by SIPREC or a plain INVITE,{' '}
        {sip === null ? (
          'to the SIP address that it printed when it started.'
        ) : (
          <>
            to <code>{sipUri(sip, location.hostname)}</code> (UDP and TCP).
          </>
        )}{' '}
        They show up here as they are answered.
      </p>
    </div>
  );
}
