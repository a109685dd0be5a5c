import type { CallView } from '@earshot/contracts';

const TEXTS: Readonly<Record<CallView['disk'], string>> = {
  ok: '',
  low: 'Not recorded: the disk is nearly full',
  full: 'Not recorded now: the disk is full',
  'was-full': 'Recorded in part: the disk was full',
};

const ENDED_TEXTS: typeof TEXTS = {
  ...TEXTS,
  low: 'Not recorded: the disk was nearly full',
};

/** That the disk did not keep the call's audio. Told to screen readers as it happens. */
export function DiskTrouble({ view: { disk, state } }: { view: CallView }) {
  const text = (state === 'live' ? TEXTS : ENDED_TEXTS)[disk];
  return <span role="status">{text !== '' && <span class="alert-mark">{text}</span>}</span>;
}
