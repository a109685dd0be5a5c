import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { fileUrl } from '../net/api.ts';

export interface PlayerHandle {
  playFrom(ms: number): void;
  /** @returns false when it does not play */
  pause(): boolean;
}

interface Props {
  readonly callId: string;
  readonly handle: RefObject<PlayerHandle | null>;
  /** Where it plays, many times a second; null when it stands. */
  readonly onTime: (ms: number | null) => void;
}

/** The recording. Its time is that of the transcript: both begin at call zero. */
export function Player({ callId, handle, onTime }: Props) {
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
      <audio ref={audio} controls preload="metadata" src={fileUrl(callId, 'recording.wav')} />
    </div>
  );
}
