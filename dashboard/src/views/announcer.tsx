import type { SegmentView } from '@earshot/contracts';
import { useEffect, useRef, useState } from 'preact/hooks';
import { roleName } from '../state/format.ts';

/** Tells screen readers of new finals, politely, and of nothing that was there before. Partials would never be quiet. */
export function Announcer({ newest, live }: { newest: SegmentView | null; live: boolean }) {
  const seen = useRef<string | null>(null);
  const [said, setSaid] = useState('');
  useEffect(() => {
    if (newest === null) return;
    if (live && seen.current !== null && seen.current !== newest.id) {
      setSaid(`${roleName(newest.role)}: ${newest.text}`);
    }
    seen.current = newest.id;
  }, [newest, live]);
  return (
    <div class="hidden" aria-live="polite">
      {said}
    </div>
  );
}
