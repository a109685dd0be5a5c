import { HANGOVER_TICKS, PRE_ROLL_TICKS, VAD_FRAME_TICKS } from '@earshot/contracts';

const PRE_ROLL_FRAMES = PRE_ROLL_TICKS / VAD_FRAME_TICKS;
const HANGOVER_FRAMES = HANGOVER_TICKS / VAD_FRAME_TICKS;

/** How many frames there were, and how many of them the gate lets through: the same rule as the gate's, only counted. */
export class GateCount {
  frames = 0;
  open = 0;

  /** @returns a channel's counting: to be told of each of its frames, in order */
  channel(): (speech: boolean) => void {
    let lingering = 0;
    let closed = 0;
    return (speech) => {
      this.frames++;
      if (speech) {
        this.open += 1 + Math.min(PRE_ROLL_FRAMES, closed);
        closed = 0;
        lingering = HANGOVER_FRAMES;
      } else if (lingering > 0) {
        lingering--;
        this.open++;
      } else closed++;
    };
  }
}
