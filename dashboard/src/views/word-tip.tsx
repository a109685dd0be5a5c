import type { RefObject } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { preciseClock, sureness } from '../state/format.ts';

interface Tip {
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

/** When a word was said and how sure that is, over the word that the pointer is on. One element for all words. */
export function WordTip({ pane }: { pane: RefObject<HTMLElement> }) {
  const [tip, setTip] = useState<Tip | null>(null);
  useEffect(() => {
    const element = pane.current;
    if (element === null) return undefined;
    const over = (event: Event): void => {
      const word = (event.target as HTMLElement).closest<HTMLElement>('.word');
      setTip(word === null ? null : tipFor(word, element));
    };
    const out = (): void => setTip(null);
    element.addEventListener('mouseover', over);
    element.addEventListener('mouseleave', out);
    element.addEventListener('scroll', out, { passive: true });
    return () => {
      element.removeEventListener('mouseover', over);
      element.removeEventListener('mouseleave', out);
      element.removeEventListener('scroll', out);
    };
  }, [pane]);
  if (tip === null) return null;
  return (
    <div class="word-tip" aria-hidden="true" style={{ left: `${tip.x}px`, top: `${tip.y}px` }}>
      {tip.text}
    </div>
  );
}

function tipFor(word: HTMLElement, pane: HTMLElement): Tip {
  const { start, end, confidence } = word.dataset;
  const box = word.getBoundingClientRect();
  const around = pane.getBoundingClientRect();
  return {
    text: `${preciseClock(Number(start))} – ${preciseClock(Number(end))} · ${sureness(Number(confidence))}`,
    x: Math.min(Math.max(box.left + box.width / 2, around.left + 90), around.right - 90),
    y: box.top,
  };
}
