import type { CallView } from '@earshot/contracts';
import { partyName } from '../state/format.ts';

/** Which parties' audio was promised and does not come. Told to screen readers as it happens. */
export function NoMedia({ channels }: { channels: CallView['channels'] }) {
  const missing = channels.filter(({ media }) => media === 'missing').map(partyName);
  return (
    <span role="status">
      {missing.length > 0 && <span class="alert-mark">No audio from {missing.join(' and ')}</span>}
    </span>
  );
}
