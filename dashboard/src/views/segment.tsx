import type { SegmentView } from '@earshot/contracts';
import { Component } from 'preact';
import { alignWords, type TimedToken } from '../state/align.ts';
import { roleName } from '../state/format.ts';
import type { Side } from '../state/transcript.ts';

interface Props {
  readonly segment: SegmentView;
  readonly side: Side;
  readonly final: boolean;
  readonly playingMs: number | null;
  readonly onSeek: ((ms: number) => void) | null;
}

/** A stretch of words. Each word carries its time and confidence for the tip, and seeks when the recording is there. */
export class Segment extends Component<Props> {
  #segment: SegmentView | null = null;
  #tokens: readonly TimedToken[] = [];

  /** Most segments never change again, and there may be hundreds on the page. */
  override shouldComponentUpdate(next: Props): boolean {
    const { props } = this;
    return (
      next.segment !== props.segment ||
      next.final !== props.final ||
      next.side !== props.side ||
      next.playingMs !== props.playingMs ||
      (next.onSeek === null) !== (props.onSeek === null)
    );
  }

  override render({ segment, side, final, playingMs, onSeek }: Props) {
    if (segment !== this.#segment) {
      this.#segment = segment;
      this.#tokens = alignWords(segment.text, segment.words);
    }
    const seek = (event: MouseEvent): void => {
      const start = (event.target as HTMLElement).dataset['start'];
      if (start !== undefined) onSeek?.(Number(start));
    };
    const state = `${final ? 'final' : 'partial'}${playingMs === null ? '' : ' playing'}`;
    return (
      <p
        class={`segment ${side} ${state}`}
        data-segment={segment.id}
        {...(onSeek === null ? {} : { onClick: seek })}
      >
        <span class="hidden">{roleName(segment.role)}: </span>
        {this.#tokens.map((token, index) => (
          <Word key={index} token={token} playing={playingMs !== null && isAt(token, playingMs)} />
        ))}
      </p>
    );
  }
}

/** From 1 (certain) to 4. A class each, because the style is a matter of the style sheet. */
const doubtOf = (confidence: number): number =>
  confidence >= 0.85 ? 1 : confidence >= 0.65 ? 2 : confidence >= 0.45 ? 3 : 4;

function Word({ token, playing }: { token: TimedToken; playing: boolean }) {
  return (
    <>
      <span
        class={`word doubt-${doubtOf(token.confidence)}${playing ? ' now' : ''}`}
        data-start={token.startMs}
        data-end={token.endMs}
        data-confidence={token.confidence}
      >
        {token.text}
      </span>{' '}
    </>
  );
}

const isAt = (token: TimedToken, ms: number): boolean => ms >= token.startMs - 40 && ms < token.endMs + 60;
