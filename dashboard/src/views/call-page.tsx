import { useEffect, useRef, useState } from 'preact/hooks';
import { serverNow } from '../net/api.ts';
import { cameByLink } from '../router.ts';
import { clock, moment, partyName } from '../state/format.ts';
import type { Store } from '../store.ts';
import { Announcer } from './announcer.tsx';
import { CallFacts } from './call-facts.tsx';
import { DiskTrouble } from './disk-trouble.tsx';
import { CompleteMark } from './ended-calls.tsx';
import { Player, type PlayerHandle } from './player.tsx';
import { LedgerStrip } from './ledger-strip.tsx';
import { NoMedia } from './no-media.tsx';
import { PauseControl } from './pause-control.tsx';
import { Signalling } from './signalling.tsx';
import { TranscriptView } from './transcript-view.tsx';
import { WordsFollow } from './words-follow.tsx';

const VIEWS = [
  ['transcript', 'Transcript'],
  ['signalling', 'Signalling'],
] as const;

/** One call: its words in two lanes, what is known of it, and its sound once it has ended. */
export function CallPage({ store, callId }: { store: Store; callId: string }) {
  const player = useRef<PlayerHandle | null>(null);
  const [playingMs, setPlayingMs] = useState<number | null>(null);
  const [shows, setShows] = useState<(typeof VIEWS)[number][0]>('transcript');
  const open = store.open?.id === callId ? store.open : null;
  const view = open?.view ?? null;
  const names = view?.channels.map(partyName) ?? [];
  const title = names.length > 0 ? names.join(' · ') : (view?.sip.from ?? 'Call');
  useEffect(() => {
    document.title = `${title} – Earshot`;
  }, [title]);

  const heading = useRef<HTMLHeadingElement>(null);
  const shown = view !== null;
  useEffect(() => {
    // The link that had the focus is gone with its page.
    if (shown && cameByLink()) heading.current?.focus({ preventScroll: true });
  }, [shown]);

  if (open === null || (view === null && open.fault === null)) {
    return (
      <main id="main" class="call-page">
        <p class="nothing">Loading…</p>
      </main>
    );
  }
  if (view === null) {
    return (
      <main id="main" class="call-page">
        <p class="nothing fault">{open.fault?.message}</p>
        <p class="nothing">
          <a href="/" data-route>
            Back to the calls
          </a>
        </p>
      </main>
    );
  }
  const ended = view.state === 'ended';
  const durationMs = view.durationMs ?? serverNow() - Date.parse(view.startedAt);
  const canPlay = view.recording !== null;
  return (
    <main id="main" class="call-page">
      <div class="call-head">
        <a class="back" href="/" data-route aria-label="Back to the calls">
          ←
        </a>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <span class={`state ${view.state}`}>{ended ? 'Ended' : 'Live'}</span>
        <span class="call-time">
          {moment(view.startedAt, Date.now())} · <span class="duration">{clock(durationMs)}</span>
        </span>
        {ended && <CompleteMark complete={view.complete} long />}
        {!ended && <NoMedia channels={view.channels} />}
        <WordsFollow view={view} />
        <DiskTrouble view={view} />
        {!ended && <PauseControl key={view.id} store={store} view={view} />}
      </div>
      {open.ledger !== null && (
        <LedgerStrip
          ledger={open.ledger}
          liveMs={ended || view.paused ? null : Math.floor(durationMs / 1000) * 1000}
          channels={view.channels}
          playingMs={playingMs}
          onSeek={canPlay ? (ms) => player.current?.playFrom(ms) : null}
        />
      )}
      <div class="call-views" role="group" aria-label="What is shown of the call">
        {VIEWS.map(([name, text]) => (
          <button key={name} aria-pressed={shows === name} onClick={() => setShows(name)}>
            {text}
          </button>
        ))}
      </div>
      <div class="call-body">
        {shows === 'signalling' ? (
          <Signalling store={store} view={view} />
        ) : (
          <TranscriptView
            channels={view.channels}
            live={!ended}
            paused={view.paused}
            waiting={view.recognition === 'waiting'}
            finals={open.transcript.segments()}
            partials={store.openPartials()}
            ledger={open.ledger}
            diagnosis={open.diagnosis}
            playingMs={playingMs}
            onSeek={canPlay ? (ms) => player.current?.playFrom(ms) : null}
            onPause={() => player.current?.pause() ?? false}
          />
        )}
        <CallFacts view={view} store={store} />
      </div>
      {canPlay && <Player key={view.id} view={view} handle={player} onTime={setPlayingMs} />}
      <Announcer newest={open.transcript.newest} live={!ended} />
    </main>
  );
}
