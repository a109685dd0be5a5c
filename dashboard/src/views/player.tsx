import type { RefObject } from 'preact';
import type { CallView } from '@earshot/contracts';
import { useEffect, useRef } from 'preact/hooks';
import { fileUrl } from '../net/api.ts';
import { hasFormat } from '../state/recording.ts';

export interface PlayerHandle {
  playFrom(ms: number): void;
  /** @returns false when it does not play */
  pause(): boolean;
}

interface Props {
  readonly view: CallView;
  readonly handle: RefObject<PlayerHandle | null>;
  /** Where it plays, many times a second; null when it stands. */
  readonly onTime: (ms: number | null) => void;
}

/**
 * What the browser may play, the best first: it takes the first that it can. Opus is an eighth to download. More than five
 * channels are a kind of Opus file that not everybody knows.
 */
const sourcesOf = ({ id, recording, channels }: CallView): { src: string; type: string }[] => {
  const wav = { src: fileUrl(id, 'recording.wav'), type: 'audio/wav' };
  const opus = { src: fileUrl(id, 'recording.opus'), type: 'audio/ogg; codecs=opus' };
  if (!hasFormat(recording, 'opus')) return [wav];
  // A WAV that is decoded on the way cannot be sought in.
  return channels.length > 5 && hasFormat(recording, 'wav') ? [wav, opus] : [opus, wav];
};

/** The recording. Its time is that of the transcript: both begin at call zero. */
export function Player({ view, handle, onTime }: Props) {
  const audio = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const element = audio.current;
    if (element === null) return undefined;
    handle.current = {
      playFrom: (ms) => {
        element.currentTime = ms / 1000;
        // Refused when the browser wants a gesture first, or the file is broken: the controls show which.
        void element.play().catch(() => onTime(null));
      },
      pause: () => {
        const playing = !element.paused;
        element.pause();
        return playing;
      },
    };
    let frame = 0;
    const step = (): void => {
      onTime(element.currentTime * 1000);
      frame = requestAnimationFrame(step);
    };
    const playing = (): void => {
      cancelAnimationFrame(frame);
      step();
    };
    const stopped = (): void => {
      cancelAnimationFrame(frame);
      onTime(null);
    };
    element.addEventListener('play', playing);
    element.addEventListener('pause', stopped);
    element.addEventListener('ended', stopped);
    return () => {
      cancelAnimationFrame(frame);
      handle.current = null;
    };
  }, [handle, onTime]);
  return (
    <div class="player">
      {/* The words are the captions. */}
      <audio ref={audio} controls preload="metadata">
        {sourcesOf(view).map(({ src, type }) => (
          <source key={src} src={src} type={type} />
        ))}
      </audio>
    </div>
  );
}
