import type { CallView, TraceItemView, TraceView } from '@earshot/contracts';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, fileUrl } from '../net/api.ts';
import type { Store } from '../store.ts';

/** Of a live call new messages are looked for. */
const LOOK_AGAIN_MS = 4000;
const HEIGHT = 30;
const MIDDLE = 19;

/** A call's SIP messages as a ladder between the caller and us. A press on one shows it whole. */
export function Signalling({ store, view }: { store: Store; view: CallView }) {
  const [trace, setTrace] = useState<TraceView | ApiError | null>(null);
  const [open, setOpen] = useState<number | null>(null);
  const { id, state } = view;
  useEffect(() => {
    let gone = false;
    const load = async (): Promise<void> => {
      const loaded = await store.trace(id);
      // What is there is better than the news that there is none for now.
      if (!gone) setTrace((shown) => (loaded instanceof ApiError && shown !== null ? shown : loaded));
    };
    void load();
    const timer = state === 'live' ? setInterval(() => void load(), LOOK_AGAIN_MS) : undefined;
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [store, id, state]);
  const items = trace === null || trace instanceof ApiError ? [] : trace.items;
  const first = items.find(({ direction }) => direction === 'in');
  return (
    <section class="signalling" aria-label="SIP messages">
      <div class="ladder-heads">
        <span>
          Caller <small>{first?.source ?? view.sip.source}</small>
        </span>
        <span>
          Earshot <small>{first?.destination ?? ''}</small>
        </span>
      </div>
      <div class="pane" tabIndex={0}>
        {trace === null && <p class="nothing">Loading…</p>}
        {trace instanceof ApiError && <p class="nothing fault">{trace.message}</p>}
        {trace !== null && !(trace instanceof ApiError) && items.length === 0 && (
          <p class="nothing">No SIP messages were kept of this call.</p>
        )}
        <ol class="ladder">
          {items.map((item) => (
            <Rung
              key={item.atMs}
              item={item}
              isOpen={open === item.atMs}
              onPress={() => setOpen(open === item.atMs ? null : item.atMs)}
            />
          ))}
        </ol>
      </div>
      {items.length > 0 && (
        <a class="ladder-file" href={fileUrl(id, 'trace.txt')} download={`${id}.trace.txt`}>
          Download as text
        </a>
      )}
    </section>
  );
}

interface RungProps {
  readonly item: TraceItemView;
  readonly isOpen: boolean;
  readonly onPress: () => void;
}

function Rung({ item, isOpen, onPress }: RungProps) {
  const { atMs, direction, summary, status, omittedBefore, text } = item;
  const kind = status === null ? 'request' : status < 300 ? 'success' : status < 400 ? 'redirect' : 'failure';
  const way = direction === 'in' ? 'from the caller' : 'to the caller';
  return (
    <>
      {omittedBefore > 0 && <li class="omitted">{omittedBefore} messages not kept</li>}
      <li>
        <button
          class={`rung ${kind}`}
          aria-expanded={isOpen}
          aria-label={`${summary}, ${way}, at ${(atMs / 1000).toFixed(3)} seconds`}
          onClick={onPress}
        >
          <span class="rung-time">{(atMs / 1000).toFixed(3)} s</span>
          <svg class="rung-arrow" width="100%" height={HEIGHT} aria-hidden="true">
            <line class="lifeline" x1="2" x2="2" y1="0" y2={HEIGHT} />
            <svg x="100%" class="end">
              <line class="lifeline" x1="-2" x2="-2" y1="0" y2={HEIGHT} />
              {direction === 'in' && <path d={`M-3 ${MIDDLE}l-9 -4.5v9z`} />}
            </svg>
            <line class="arrow" x1="3" x2="100%" y1={MIDDLE} y2={MIDDLE} />
            {direction === 'out' && <path d={`M3 ${MIDDLE}l9 -4.5v9z`} />}
            <text x="50%" y={MIDDLE - 5}>
              {summary}
            </text>
          </svg>
        </button>
        {isOpen && (
          <pre class="message" tabIndex={0} aria-label={`${summary} as it was sent`}>
            {text.trimEnd()}
          </pre>
        )}
      </li>
    </>
  );
}
