import type { CallView } from '@earshot/contracts';

const TEXTS: Readonly<Record<CallView['recognition'], string | null>> = {
  current: null,
  waiting: 'Recorded, words follow',
  'catching-up': 'Words are catching up',
};
const TITLES: Readonly<Record<CallView['recognition'], string>> = {
  current: '',
  waiting: 'Recognition had no room for it: it is recorded, and recognised when there is.',
  'catching-up': 'It was recorded first, and is being recognised now.',
};

const SHORT: typeof TEXTS = { current: null, waiting: 'follow', 'catching-up': 'catching up' };

/** In the place of the number of words, of a call that was recorded first; null of any other. */
export const wordsFollow = ({ recognition }: CallView): string | null => SHORT[recognition];

/** That the words of a call come later. */
export function WordsFollowMark({ view }: { view: CallView }) {
  const text = TEXTS[view.recognition];
  return text === null ? null : (
    <span class="paused-mark" title={TITLES[view.recognition]}>
      {text}
    </span>
  );
}

/** The same, told to screen readers as it changes. */
export function WordsFollow({ view }: { view: CallView }) {
  return (
    <span role="status">
      <WordsFollowMark view={view} />
    </span>
  );
}
